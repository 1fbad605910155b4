package restricted

import (
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplit(t *testing.T) {
	for command, want := range map[string][]Word{
		"":                              nil,
		" \t ":                          nil,
		"rsync  --server\t. /":          {{Text: "rsync"}, {Text: "--server"}, {Text: "."}, {Text: "/"}},
		`a\ b 'c d' "e f" g'h'"i"\j`:    {{Text: "a b"}, {Text: "c d"}, {Text: "e f"}, {Text: "ghij"}},
		`'' ""`:                         {{}, {}},
		`"a\$b\"c\\d\e"`:                {{Text: `a$b"c\d\e`}},
		`'$x;&|<>` + "`" + `"'`:         {{Text: "$x;&|<>`\""}},
		`\$\;\&\#\'`:                    {{Text: `$;&#'`}},
		"a\\\nb 'c\nd'":                 {{Text: "a\nb"}, {Text: "c\nd"}},
		"a#b {c,d} ~/e !f":              {{Text: "a#b"}, {Text: "{c,d}", Braces: []Word{{Text: "c"}, {Text: "d"}}}, {Text: "~/e"}, {Text: "!f"}},
		"*.mp3 a?[bc]":                  {{Text: "*.mp3", Pattern: "*.mp3"}, {Text: "a?[bc]", Pattern: "a?[bc]"}},
		`\*x '?' "["`:                   {{Text: "*x"}, {Text: "?"}, {Text: "["}},
		`\**'?'\[\\\?`:                  {{Text: `**?[\?`, Pattern: `[*]*[?][[][\\][?]`}},
		"\xff\xfe":                      {{Text: "\xff\xfe"}},
		"rsync --server . -rf --delete": {{Text: "rsync"}, {Text: "--server"}, {Text: "."}, {Text: "-rf"}, {Text: "--delete"}},
	} {
		got, err := Split(command)
		if err != nil {
			t.Errorf("%q: %v", command, err)
		} else if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%q, -want +got:\n%s", command, d)
		}
	}
	for _, command := range []string{
		"a;b", "a&", "a|b", "a>b", "a<b", "$x", "`x`", "a$(b)", "(a)", "a\nb", "a\rb", "#a", "a #b", `a\`, `'a`, `"a`, `"$x"`, "\"`x`\"", "a\x00",
		strings.Repeat("a ", maxWords+1), strings.Repeat("a", maxCommand+1),
	} {
		if got, err := Split(command); err == nil {
			t.Errorf("%.40q becomes %q", command, got)
		}
	}
}

// FuzzSplit: whatever is accepted means to a shell what it means here, patterns
// fit their own text, and nothing makes it fail.
func FuzzSplit(f *testing.F) {
	for _, s := range []string{
		"rsync --server --sender -vlogDtprxz --numeric-ids . /", `rsync --server -re.iLsfxCIvu . a\ b 'c;d' "e$"`, `a\*[b]'*'`, "'", `\`, "a\\\nb", "{a,b}~",
	} {
		f.Add(s)
	}
	shell, err := exec.LookPath("dash")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, command string) {
		words, err := Split(command)
		if err != nil {
			return
		}
		for _, w := range words {
			if w.Pattern == "" || strings.ContainsAny(w.Text, "[/") {
				continue // classes have a meaning of their own, and slashes are not matched
			}
			if ok, err := path.Match(w.Pattern, w.Text); err != nil || !ok {
				t.Errorf("%q does not fit its own pattern %q: %v", w.Text, w.Pattern, err)
			}
		}
		// Where a shell knows more: line breaks behind a backslash, home folders.
		if len(command) > 1000 || strings.Contains(command, "\\\n") || strings.Contains(command, "~") || strings.ContainsAny(command, "\x00") {
			return
		}
		out, err := exec.Command(shell, "-fc", `printf '%s\0' `+command).Output()
		if err != nil {
			t.Fatalf("%q: %v", command, err)
		}
		got := strings.Split(string(out), "\x00")
		got = got[:len(got)-1]
		want := texts(words)
		if len(want) == 0 {
			want = []string{""}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: a shell makes %q of it, we %q", command, got, want)
		}
	})
}
