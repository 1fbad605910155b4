package filter

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func TestGlob(t *testing.T) {
	tests := []struct {
		pattern, text string
		want          bool
	}{
		{"", "", true}, {"", "a", false}, {"foo", "foo", true}, {"???", "foo", true}, {"??", "foo", false},
		{"*", "foo", true}, {"*", "", true}, {"f*", "foo", true}, {"*f", "foo", false}, {"*foo*", "foo", true},
		{"*ob*a*r*", "foobar", true}, {"*ab", "aaaaaaabababab", true}, {"foo\\*", "foo*", true}, {"foo\\*bar", "foobar", false},
		{"f\\\\oo", "f\\oo", true}, {"foo\\", "foo\\", false}, {"foo\\", "foo", false},
		{"*", "a/b", false}, {"a*c", "a/c", false}, {"a?c", "a/c", false}, {"a[/]c", "a/c", false}, {"a[^x]c", "a/c", false},
		{"**", "a/b/c", true}, {"a/**/c", "a/b/b/c", true}, {"a/**/c", "a/c", false}, {"**/c", "a/b/c", true},
		{"a**c", "a/b/c", true}, {"*/b", "a/b", true}, {"*/*/c", "a/b/c", true}, {"*/c", "a/b/c", false},
		{"**b*", "a/bb/b", true}, {"**a*b", "a/ab", true}, {"*a/b*c", "xa/bxc", true}, {"**/*.o", "x/y.o", true},
		{"***", "a/b", true}, {"a***/d", "a/b/c/d", true},
		{"[a-c]b", "bb", true}, {"[!a-c]b", "bb", false}, {"[^a-c]b", "db", true}, {"a[]]b", "a]b", true}, {"a[]-]b", "a-b", true},
		{"a[!]a-]b", "aab", false}, {"[[:digit:]]*", "7x", true}, {"[[:digit:][:upper:]]", "q", false}, {"[![:space:]]", "\t", false},
		{"[[:punct:]_]", "-", true}, {"[[:nope:]]", "n", false}, {"[[:nope:]", ":", false}, {"[a", "a", false}, {"a[", "a[", false},
		{"[[:]a]", ":a]", true}, {"[[::]]", ":]", false}, {"[[:]", ":", true}, {"[[:]", "[", true}, {"[\\-_]", "-", true}, {"[\\]]", "]", true}, {"[a-]", "-", true},
		{"[-a]", "-", true}, {"[a-\\c]", "b", true}, {"[a\\", "a", false}, {"[c-a]", "b", false}, {"[!", "a", false}, {"[a-c-e]", "-", true},
	}
	for _, tt := range tests {
		if got := glob(tt.pattern, tt.text); got != tt.want {
			t.Errorf("glob(%q, %q) = %v", tt.pattern, tt.text, got)
		}
		if got := globStates(tt.pattern, tt.text); got != tt.want {
			t.Errorf("globStates(%q, %q) = %v", tt.pattern, tt.text, got)
		}
	}
}

// naive is glob by its definition, in exponential time.
func naive(p, t string) bool {
	if p == "" {
		return t == ""
	}
	if p[0] == '*' {
		end := starsEnd(p, 0)
		for i := 0; ; i++ {
			if naive(p[end:], t[i:]) {
				return true
			}
			if i == len(t) || end == 1 && t[i] == '/' {
				return false
			}
		}
	}
	if t == "" {
		return false
	}
	size, ok := step(p, t[0])
	return ok && naive(p[size:], t[1:])
}

func randomString(r *rand.Rand, letters string, most int) string {
	b := make([]byte, r.IntN(most+1))
	for i := range b {
		b[i] = letters[r.IntN(len(letters))]
	}
	return string(b)
}

func TestGlobFormsAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for range 60_000 {
		p, text := randomString(r, "aab*/*?[]!-\\", 9), randomString(r, "aaab/b]-", 9)
		want := naive(p, text)
		if got := glob(p, text); got != want {
			t.Fatalf("glob(%q, %q) = %v", p, text, got)
		}
		if got := globStates(p, text); got != want {
			t.Fatalf("globStates(%q, %q) = %v", p, text, got)
		}
	}
}

func TestHostilePatternsEnd(t *testing.T) {
	long := strings.Repeat("a", 2000)
	tests := []struct{ pattern, text string }{
		{strings.Repeat("a*", 2000) + "b", long},
		{strings.Repeat("**a", 1300) + "b", long},
		{strings.Repeat("*a/**", 800) + "b", strings.Repeat("a/", 2000)},
		{"**" + strings.Repeat("a*", 1500) + "b", strings.Repeat(long+"/", 2)},
		{strings.Repeat("[[:alpha:]]*", 330) + "1", long},
		{"x**" + strings.Repeat("*[!b]", 500) + "/b", strings.Repeat("x/", 2000)},
	}
	start := time.Now()
	for _, tt := range tests {
		m := newMatcher(tt.pattern)
		if m.matches(tt.text) {
			t.Errorf("%.20q... matches", tt.pattern)
		}
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("hostile patterns took %v", took)
	}
}

func FuzzGlob(f *testing.F) {
	for _, seed := range []string{"a*b", "**/x[a-z]", "[[:alpha:]]?", "a\\*", "[!]-]", "***"} {
		f.Add(seed, "a/b/xq")
	}
	f.Fuzz(func(t *testing.T, p, text string) {
		if len(p) > 200 || len(text) > 200 {
			return
		}
		if a, b := glob(p, text), globStates(p, text); a != b {
			t.Fatalf("glob(%q, %q) = %v, globStates %v", p, text, a, b)
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	rules := New(Options{})
	for _, text := range []string{"- *.tmp", "- /lost+found/", "+ /fids/**", "- .Trash*/", "- *~"} {
		if err := rules.Add(text); err != nil {
			b.Fatal(err)
		}
	}
	scope := rules.Scope("/", nil)
	b.ReportAllocs()
	for b.Loop() {
		scope.Check("fids/_00010/2f0", false, Sender)
	}
}
