package filter

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
)

var (
	modern = Dialect{Modern: true, Perishable: true}
	old    = Dialect{}
)

// wireTexts is what AppendList sends, a text a rule.
func wireTexts(t *testing.T, r *Rules, d Dialect, peerIsSender bool) []string {
	t.Helper()
	b, err := r.AppendList(nil, d, peerIsSender)
	if err != nil {
		t.Fatal(err)
	}
	return split(t, b)
}

func split(t *testing.T, b []byte) []string {
	t.Helper()
	var texts []string
	for {
		n := int(b[0]) | int(b[1])<<8 | int(b[2])<<16 | int(b[3])<<24
		b = b[4:]
		if n == 0 {
			break
		}
		texts = append(texts, string(b[:n]))
		b = b[n:]
	}
	if len(b) > 0 {
		t.Fatalf("%d bytes behind the end of the list", len(b))
	}
	return texts
}

func TestAdd(t *testing.T) {
	tests := []struct {
		in   string
		want string // as told to a peer of both sides; "" for no rule
		err  string
	}{
		{"- foo", "- foo", ""}, {"-_foo", "- foo", ""}, {"-  foo ", "-  foo ", ""}, {"exclude foo", "- foo", ""},
		{"+ */", "+ */", ""}, {"include,p x", "+p x", ""}, {"-,!/ x", "-/! x", ""}, {"-p!/x x", "-/!xp x", ""},
		{"H x", "-s x", ""}, {"hide,! x", "-!s x", ""}, {"show x", "+s x", ""}, {"P x", "-r x", ""}, {"protect x", "-r x", ""},
		{"R x", "+r x", ""}, {"risk_x", "+r x", ""}, {"-sr x", "-sr x", ""}, {": .f", ": .f", ""}, {"dir-merge,n- .f", ":n- .f", ""},
		{":w+ .f", ":w+ .f", ""}, {":C", ":C .cvsignore", ""}, {":sC", ":Cs .cvsignore", ""}, {":e d/.f", "- .f|: d/.f", ""}, {"-C", "-C ", ""},
		{"!", "", ""}, {"clear", "", ""}, {"", "", ""}, {"- /", "- /", ""}, {"- a//", "- a//", ""},
		{"foo", "", "no known name"}, {"excludes x", "", "no known name"}, {"exclude", "", "no pattern"}, {"- ", "", "no pattern"},
		{"-", "", "no pattern"}, {"! x", "", "takes no pattern"}, {"clear x", "", "takes no pattern"}, {"-q x", "", `modifier 'q'`},
		{"Hs x", "", `modifier 's'`}, {"PC", "", `modifier 'C'`}, {"-e x", "", `modifier 'e'`}, {":! x", "", `modifier '!'`},
		{":-+ x", "", `modifier '+'`}, {":x x", "", `modifier 'x'`}, {": x/", "", "end in a slash"}, {"- a\x00b", "", "NUL"},
		{". file", "", "only read for the side that names them"}, {"- " + strings.Repeat("x", 4096), "", "more than 4095"},
		{"\xff x", "", "no known name"}, {":", "", "no pattern"},
	}
	for _, tt := range tests {
		r := New(Options{})
		err := r.Add(tt.in)
		if (err != nil) != (tt.err != "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("Add(%.40q): error %v, want %q", tt.in, err, tt.err)
			continue
		}
		if err != nil && len(err.Error()) > 600 {
			t.Errorf("Add(%.40q): an error of %d bytes", tt.in, len(err.Error()))
		}
		if got := strings.Join(wireTexts(t, r, modern, true), "|"); got != tt.want {
			t.Errorf("Add(%q) is sent as %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestOldPrefixes(t *testing.T) {
	r := New(Options{})
	steps := []error{
		r.AddExclude("gone"), r.AddExclude("!"), r.AddExclude("foo"), r.AddExclude("+ bar"), r.AddInclude("- baz"),
		r.AddInclude("quux"), r.AddExclude("!x"), r.AddExclude("-p x"), r.AddExclude("- - x"),
		r.AddExcludeFile("list", []byte("# comment\r\n; comment\n\none\r\n+ two\n #three\n-four\n")),
		r.AddIncludeFile("list", []byte("five")),
	}
	if err := errors.Join(steps...); err != nil {
		t.Fatal(err)
	}
	want := []string{"- foo", "+ bar", "- baz", "+ quux", "- !x", "- -p x", "- - x", "- one", "+ two", "-  #three", "- -four", "+ five"}
	if diff := cmp.Diff(want, wireTexts(t, r, modern, false)); diff != "" {
		t.Error(diff)
	}
	// The same rules for a peer of old, and what it makes of them.
	texts := wireTexts(t, r, old, false)
	want = []string{"foo", "+ bar", "baz", "+ quux", "!x", "-p x", "- - x", "one", "+ two", " #three", "-four", "+ five"}
	if diff := cmp.Diff(want, texts); diff != "" {
		t.Error(diff)
	}
	back := New(Options{})
	for _, text := range texts {
		if err := back.AddWire(text, old); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(wireTexts(t, r, modern, false), wireTexts(t, back, modern, false)); diff != "" {
		t.Error(diff)
	}
	if err := New(Options{}).AddExclude("- "); err == nil {
		t.Error("an exclude without a pattern is accepted")
	}
}

func TestOldDialectRefuses(t *testing.T) {
	for in, want := range map[string]string{
		"- x": "x", "- x/": "x/", "H x": "x", "P x": "x", "S x": "+ x", "-sr x": "x", "- !": "- !",
		"-! x": "", "-/ x": "", "-x x": "", ": .f": "", "-p x": "",
	} {
		r := New(Options{})
		if err := r.Add(in); err != nil {
			t.Fatal(err)
		}
		b, err := r.AppendList(nil, old, false)
		if want == "" {
			if err == nil || !strings.Contains(err.Error(), "too modern") {
				t.Errorf("%q for an old peer: %q, error %v", in, b, err)
			}
		} else if err != nil || split(t, b)[0] != want {
			t.Errorf("%q for an old peer: %q, error %v, want %q", in, b, err, want)
		}
	}
	r := New(Options{})
	if err := r.Add("-p x"); err != nil {
		t.Fatal(err)
	}
	if got := wireTexts(t, r, Dialect{Modern: true}, true); got[0] != "- x" {
		t.Errorf("a perishable rule for a sender that does not know them: %q", got)
	}
}

func TestForPeer(t *testing.T) {
	rules := []string{"- both", "H hide", "P protect", "-sr named", ":- bare", ": full"}
	tests := []struct {
		deleteExcluded, peerIsSender bool
		want                         string
	}{
		{false, true, "- both|-s hide|-sr named|:- bare|: full"},
		{false, false, "- both|-r protect|-sr named|:- bare|: full"},
		{true, true, "-s both|-s hide|-sr named|:- bare|: full"},
		{true, false, "-r protect|-sr named|: full"},
	}
	for _, tt := range tests {
		r := New(Options{DeleteExcluded: tt.deleteExcluded})
		for _, rule := range rules {
			if err := r.Add(rule); err != nil {
				t.Fatal(err)
			}
		}
		got := strings.Join(wireTexts(t, r.ForPeer(tt.peerIsSender), modern, tt.peerIsSender), "|")
		if got != tt.want {
			t.Errorf("delete excluded %v, peer sends %v: %q, want %q", tt.deleteExcluded, tt.peerIsSender, got, tt.want)
		}
	}
}

func TestCVS(t *testing.T) {
	r := New(Options{CVSIgnore: []string{"*.mine", "! only"}})
	if err := r.AddCVS(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{":C .cvsignore", "-C "}, wireTexts(t, r, modern, true)); diff != "" {
		t.Error(diff)
	}
	// A receiver is told the user's list; its "!" has removed the defaults.
	if diff := cmp.Diff([]string{":C .cvsignore", "- only"}, wireTexts(t, r, modern, false)); diff != "" {
		t.Error(diff)
	}
	r = New(Options{})
	if err := r.Add("-C"); err != nil {
		t.Fatal(err)
	}
	s := r.Scope("/", nil)
	for name, want := range map[string]Verdict{"a/x.o": Exclude, "x.c": None, "core": Exclude} {
		if got := s.Check(name, false, Sender); got != want {
			t.Errorf("-C: %s: %v, want %v", name, got, want)
		}
	}
	if s.Check("d/.git", true, Receiver) != Exclude || s.Check("d/.git", false, Receiver) != None || s.CheckDoomed("x.o", false) != None {
		t.Error("-C: .git/ is a rule about directories, and the defaults are perishable")
	}
	if n := len(wireTexts(t, r, old, true)); n != len(strings.Fields(cvsDefaults)) {
		t.Errorf("-C is spelled out in %d rules for an old peer", n)
	}
}

func TestMergeFiles(t *testing.T) {
	files := map[string]string{
		"a":     "- one\n. b\n# no\n\n+ three\n",
		"b":     "-p two\n",
		"self":  ". self\n",
		"words": "- foo + bar\n!\t-_baz\n",
		"bare":  "- dash\nplain\n",
		"bad":   "- fine\nsecret text\n",
		"sided": "H x\n",
		"bomb":  strings.Repeat("- x\n", 200),
	}
	options := Options{MaxRules: 100, ReadMerge: func(name string) ([]byte, error) {
		text, ok := files[name]
		if !ok {
			return nil, fs.ErrNotExist
		}
		return []byte(text), nil
	}}
	tests := []struct{ in, want, err string }{
		{". a", "- one|-p two|+ three", ""}, {"merge,w words", "- baz", ""}, {".- bare", "- - dash|- plain", ""},
		{".+ bare", "+ - dash|+ plain", ""}, {"./s b", "-/sp two", ""}, {".s b", "-sp two", ""}, {".p/ bare2", "", "read merge file bare2"},
		{".e b", "- b|-p two", ""}, {". self", "", "merge files are named"}, {". bad", "", "bad:2: the rule has no known name"},
		{".s sided", "", "names a side"}, {". bomb", "", "more than 100 rules"}, {".C bare", "- -|- dash|- plain", ""},
		{"./p- b", "-/p -p two", ""},
	}
	for _, tt := range tests {
		r := New(options)
		err := r.Add(tt.in)
		if (err != nil) != (tt.err != "") {
			t.Errorf("%s: error %v, want %q", tt.in, err, tt.err)
			continue
		}
		if err != nil && (!strings.Contains(err.Error(), tt.err) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%s: error %v, want %q", tt.in, err, tt.err)
		}
		if err == nil {
			if got := strings.Join(wireTexts(t, r, modern, true), "|"); got != tt.want {
				t.Errorf("%s: %q, want %q", tt.in, got, tt.want)
			}
		}
		if err != nil && r.Len() != 0 {
			t.Errorf("%s: %d rules were added in spite of the error", tt.in, r.Len())
		}
	}
}

func TestXattrRules(t *testing.T) {
	r := New(Options{})
	if err := errors.Join(r.Add("-x user.*"), r.Add("- system.*")); err != nil {
		t.Fatal(err)
	}
	s := r.Scope("", nil)
	if s.CheckXattr("user.a", Sender) != Exclude || s.CheckXattr("system.a", Sender) != None {
		t.Error("xattr names follow the rules with x, and only those")
	}
	if s.Check("user.a", false, Sender) != None || s.Check("system.a", false, Sender) != Exclude {
		t.Error("file names follow the rules without x, and only those")
	}
}

func TestWireLimits(t *testing.T) {
	r := New(Options{MaxRules: 3})
	for _, text := range []string{"", strings.Repeat("x", MaxRule+1), "- " + strings.Repeat("x", MaxPattern+1)} {
		if err := r.AddWire(text, modern); err == nil {
			t.Errorf("a rule of %d bytes is accepted", len(text))
		}
	}
	for i := range 4 {
		if err := r.AddWire(fmt.Sprintf("- %d", i), modern); (err != nil) != (i == 3) {
			t.Errorf("rule %d of at most 3: error %v", i, err)
		}
	}
	many := New(Options{})
	for i := range maxDirMerges + 1 {
		if err := many.AddWire(fmt.Sprintf(": f%d", i), modern); (err != nil) != (i == maxDirMerges) {
			t.Errorf("per-directory merge file %d: error %v", i, err)
		}
	}
	if size := unsafe.Sizeof(rule{}); size > 200 {
		t.Errorf("a rule takes %d bytes: DefaultMaxRules of them no longer fit a small machine", size)
	}
}

func FuzzWire(f *testing.F) {
	for _, seed := range []string{"- foo", "+ */", "-/!xsrp a/b**", ":n-es .f", "dir-merge,w .f", "!", "exclude,p x/", "-C", "+ - x", ":C"} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, text string, isModern bool) {
		d := Dialect{Modern: isModern, Perishable: isModern}
		r := New(Options{})
		if r.AddWire(text, d) != nil {
			return
		}
		r.Scope("/root", nil).Check("some/name", true, Receiver)
		b, err := r.AppendList(nil, d, true)
		if err != nil {
			if isModern && len(text) < MaxPattern {
				t.Fatalf("%q is read and cannot be sent: %v", text, err)
			}
			return
		}
		back := New(Options{})
		for _, sent := range split(t, b) {
			if err := back.AddWire(sent, d); err != nil {
				t.Fatalf("%q is sent as %q and cannot be read: %v", text, sent, err)
			}
		}
		again, err := back.AppendList(nil, d, true)
		if err != nil || string(again) != string(b) {
			t.Fatalf("%q is sent as %q, then as %q (%v)", text, b, again, err)
		}
	})
}

func FuzzMergeFile(f *testing.F) {
	for _, seed := range []string{"- a\n+ b\r\n# c\n", ": .f\n!\n", "-/ /x\n. y", "foo bar\n- baz"} {
		for _, rule := range []string{": .f", ":C .f", ":n- .f", ":w .f", ":s /.f"} {
			f.Add(seed, rule)
		}
	}
	f.Fuzz(func(t *testing.T, text, rule string) {
		r := New(Options{MaxRules: 1000})
		if r.Add(rule) != nil {
			return
		}
		s, err := r.Scope("/up/root", func(string) ([]byte, error) { return []byte(text), nil }).Enter("")
		if err != nil {
			return
		}
		if s, err = s.Enter("sub"); err == nil {
			s.Check("sub/name", false, Sender)
		}
	})
}
