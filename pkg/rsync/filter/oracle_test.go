package filter

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The tests of this file ask the rsync that is installed what it makes of the
// same rules over the same tree.

// oracleFiles is the tree: files by path, with their text. Directories follow.
func oracleFiles() map[string]string {
	files := map[string]string{}
	for _, name := range []string{
		"foo", "bar", "foo.o", "main.c", "a b", "x*y", "x\\y", "[z]", "-dash", "+plus", "!", "core", "b.bak",
		"foodir/foo", "foodir/bar/foo", "foodir/bar/baz/foo.o", "foodir/bar/q", "bar.d/foo", "bar.d/foo.d/bar",
		"bar.d/foo.d/x.c", "a/b/c/d/e", "a/b/c/foo", "a/b/foo", "a/foo/bar/baz", "a/foo/b/c", "aa/b/foo", "aa/a/b/c",
		"deep/one/two/three/four/foo", "deep/one/bar", "deep/x.bak", "deep/one/two/core", "cvs/.git/config", "cvs/x.o",
		"cvs/mine.txt", "fids/_00010/2f0", "fids/_00010/2f1", "fids/10f0", "fids/10f1", "lost+found/1", "Z/1", "Z/2", "Z/z3",
	} {
		files[name] = "x"
	}
	for name, text := range map[string]string{
		".rules": "- /bar\n+ foo.o\n", "foodir/.rules": "# here\n- /foo\n- baz/\n: .more\n", "foodir/bar/.rules": "!\n+ q\n",
		"foodir/bar/.more": "- q\n", "a/.rules": "- b/c\nP foo\nH /foo/b\n", "a/b/.rules": "- *\n", "deep/.rules": "-p core\n. /deep/extra\n",
		"deep/extra": "- /bar\n- /deep/one/bar\n", "deep/one/.rules": "-! */\n", "Z/.rules": "- [12]\n-s z*\n",
		"cvs/.cvsignore": "*.txt other", "fids/.words": "*0 foo", "a/.words": "b\n", "foodir/.words": "!\nbar",
	} {
		files[name] = text
	}
	return files
}

// tree is what lies in each directory, by the directory's path ("" for the top).
type tree map[string][]entry

type entry struct {
	path string
	dir  bool
}

func newTree(files map[string]string) tree {
	t := tree{"": nil}
	for name := range files {
		isDir := false
		for name != "." && !slices.Contains(t[dirOf(name)], entry{name, isDir}) {
			t[dirOf(name)] = append(t[dirOf(name)], entry{name, isDir})
			name, isDir = path.Dir(name), true
		}
	}
	return t
}

func dirOf(name string) string { return strings.TrimPrefix(path.Dir(name), ".") }

// layOut writes files below a new directory and returns it.
func layOut(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// parseAll turns rsync's arguments into rules.
func parseAll(t *testing.T, args []string) *Rules {
	t.Helper()
	r := New(Options{DeleteExcluded: slices.Contains(args, "--delete-excluded")})
	for _, arg := range args {
		var err error
		name, value, _ := strings.Cut(arg, "=")
		switch name {
		case "-f":
			err = r.Add(value)
		case "--exclude":
			err = r.AddExclude(value)
		case "--include":
			err = r.AddInclude(value)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// walk visits the tree as a sender does and returns what it would send.
func walk(t *testing.T, tr tree, s *Scope, dir string, out map[string]bool) {
	t.Helper()
	s, err := s.Enter(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range tr[dir] {
		if s.Check(e.path, e.dir, Sender) == Exclude {
			continue
		}
		out[e.path] = e.dir
		if e.dir {
			walk(t, tr, s, e.path, out)
		}
	}
}

// lines is names in order of the alphabet, with a slash behind directories.
func lines(names map[string]bool) []string {
	var out []string
	for name, dir := range names {
		if dir {
			name += "/"
		}
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// run calls rsync and returns the names it prints, in order of the alphabet.
func run(t *testing.T, args []string) []string {
	t.Helper()
	for i, arg := range args {
		if rule, ok := strings.CutPrefix(arg, "-f="); ok {
			args[i] = "--filter=" + rule
		}
	}
	cmd := exec.Command("rsync", args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "HOME=/nonexistent", "CVSIGNORE=")
	text, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("rsync %q: %v\n%s", args, err, text)
	}
	var out []string
	for line := range strings.Lines(string(text)) {
		if name := strings.TrimSuffix(line, "\n"); name != "./" {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// oracleRules are rule sets that each touch a fine point.
func oracleRules() [][]string {
	return [][]string{
		{"-f=- foo"}, {"-f=- /foo"}, {"-f=- foo/"}, {"-f=- /foo/"}, {"-f=- foodir/foo"}, {"-f=- /foodir/*/foo"}, {"-f=- foo/*/baz"},
		{"-f=- /a/**/foo"}, {"-f=- a/**/foo"}, {"-f=- a/**"}, {"-f=- /a/***"}, {"-f=- a/***"}, {"-f=- **/foo"}, {"-f=- **/bar/**"},
		{"-f=- **"}, {"-f=- ***"}, {"-f=- b**"}, {"-f=- *b/**/e"}, {"-f=- o**.o"}, {"-f=- b/c"}, {"-f=- */b/c"}, {"-f=- ?/b/[c-d]"},
		{"-f=+ */", "-f=+ *.c", "-f=- *"}, {"-f=+ foodir/", "-f=+ foodir/bar/", "-f=- *"}, {"-f=-! */"}, {"-f=-! f*"}, {"-f=+! f*", "-f=- foo"},
		{"-f=- x\\*y"}, {"-f=- x\\y"}, {"-f=- x\\\\y"}, {"-f=- x\\\\?"}, {"-f=- [[]z]"}, {"-f=- \\[z*"}, {"-f=- [z]"}, {"-f=- [!a-z]*"}, {"-f=- [[:upper:]]"},
		{"-f=- a b"}, {"-f=-_a b"}, {"-f=exclude a*b"}, {"-f=- -*"}, {"-f=H foo", "-f=P bar"}, {"-f=S foo", "-f=hide f*"}, {"-f=-s foo"}, {"-f=-r foo"},
		{"--exclude=foo", "--include=bar", "--exclude=*"}, {"--exclude=+ foo", "--exclude=*"}, {"--include=- foo"}, {"--exclude=!"}, {"--exclude=foo", "--exclude=!"},
		{"-f=- foo", "-f=!", "-f=- bar"}, {"-f=-C"}, {"-f=+ core", "-f=-C"}, {"-f=:C"}, {"-f=:C", "-f=-C"}, {"-f=: .rules"}, {"-f=:n .rules"}, {"-f=:e .rules"},
		{"-f=+ foo", "-f=: .rules"}, {"-f=: .rules", "-f=- foo"}, {"-f=: .rules", "-f=: .rules", "-f=: /nowhere/.rules"}, {"-f=:w- .words"}, {"-f=:C .words"}, {"-f=:w+ .words", "-f=- *0"},
		{"-f=: .more", "-f=: .rules"}, {"-f=dir-merge,p .rules"}, {"-f=: ./.rules"}, {"-f=- /fids/_*/*"}, {"-f=- lost+found"}, {"-f=- /lost+found/"}, {"-f=-p foo"},
		{"-f=- foodir//foo"}, {"-f=- //foo"}, {"-f=- foo//"}, {"-f=- **a"}, {"-f=- **/"}, {"-f=- */"}, {"-f=- a*/"}, {"-f=- /*/foo"}, {"-f=- /*"}, {"-f=- a/*/"}, {"-f=-/ foo"},
	}
}

// randomRules makes rule sets up from parts that hit the tree often.
func randomRules(n int) [][]string {
	r := rand.New(rand.NewPCG(3, 14))
	pick := func(s ...string) string { return s[r.IntN(len(s))] }
	var sets [][]string
	for range n {
		var set []string
		for range 1 + r.IntN(4) {
			pattern := pick("", "", "/", "**", "**/", "*/")
			for i := range 1 + r.IntN(3) {
				if i > 0 {
					pattern += pick("/", "/", "/**/", "**", "*", "")
				}
				pattern += pick("foo", "bar", "a", "b", "c", "f*", "*o", "?", "[a-c]", "*", "[!b]*", "one", "*.[co]")
			}
			pattern += pick("", "", "", "/", "/**", "/***", "*")
			set = append(set, "-f="+pick("-", "-", "+", "H", "P", "-!", "S", "R", "-p", "-r", "-s")+" "+pattern)
		}
		sets = append(sets, set)
	}
	return sets
}

func TestSenderAgainstRsync(t *testing.T) {
	t.Parallel()
	files := oracleFiles()
	tr, dir, empty := newTree(files), layOut(t, files), t.TempDir()
	// A merge file can name another one only by its absolute path.
	text := fmt.Sprintf("-p core\n. %s/deep/extra\n", dir)
	if err := os.WriteFile(dir+"/deep/.rules", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	each(t, append(oracleRules(), randomRules(40)...), func(t *testing.T, _ int, rules []string) {
		sent := map[string]bool{}
		walk(t, tr, parseAll(t, rules).Scope(dir, os.ReadFile), "", sent)
		want := run(t, append([]string{"-rn8", "--out-format=%n", dir + "/", empty + "/"}, rules...))
		if diff := cmp.Diff(want, lines(sent)); diff != "" {
			t.Errorf("%q (-rsync +ours):\n%s", rules, diff)
		}
	})
}

// each runs test for every rule set, some at a time: rsync mostly waits.
func each(t *testing.T, sets [][]string, test func(t *testing.T, i int, rules []string)) {
	for i, rules := range sets {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			test(t, i, rules)
		})
	}
}

// TestPartsOfTheTree sends a directory below the current one, so that names have
// a directory in front, and looks at rules with absolute paths and at merge
// files above the transfer.
func TestPartsOfTheTree(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	for name, text := range oracleFiles() {
		if !strings.HasPrefix(name, "deep/") {
			files[name] = text
		}
	}
	dir, empty := layOut(t, files), t.TempDir()
	read := func(name string) ([]byte, error) {
		if !strings.HasPrefix(name, dir) {
			return nil, fs.ErrNotExist
		}
		return os.ReadFile(name)
	}
	for _, root := range []string{"a", "foodir/bar", "fids"} {
		part := map[string]string{}
		for name, text := range files {
			if rest, ok := strings.CutPrefix(name, root+"/"); ok {
				part[rest] = text
			}
		}
		sets := [][]string{
			{"-f=-/ " + dir + "/a/b/foo"}, {"-f=-/ b/foo"}, {"-f=-/ /a/foo"}, {"-f=-/ a/*/foo"}, {"-f=-/ **/a/b/c"}, {"-f=-/ " + dir + "/**/foo"}, {"-f=-/! " + dir + "/a/**"},
			{"-f=: " + dir + "/.rules"}, {"-f=:n " + dir + "/.rules"}, {"-f=: ../.rules"}, {"-f=: ../../.rules"}, {"-f=:C ../.words"}, {"-f=: .rules"}, {"-f=- /foo"},
			{"-f=:/ .rules"}, {"-f=: " + dir + "/foodir/.rules"}, {"-f=: " + dir + "/elsewhere/.rules"}, {"-f=-/ **foo"}, {"-f=-/ foo"}, {"-f=-/ a/***"},
		}
		each(t, sets, func(t *testing.T, _ int, rules []string) {
			got := map[string]bool{}
			walk(t, newTree(part), parseAll(t, rules).Scope(filepath.Join(dir, root), read), "", got)
			want := run(t, append([]string{"-rn8", "--out-format=%n", filepath.Join(dir, root) + "/", empty + "/"}, rules...))
			if diff := cmp.Diff(want, lines(got)); diff != "" {
				t.Errorf("%s, %q (-rsync +ours):\n%s", root, rules, diff)
			}
		})
	}
}

// remover plays the receiving side of --delete.
type remover struct {
	t    *testing.T
	tree tree
	sent map[string]bool
	out  map[string]bool
}

// extras deletes what was not sent from dir, which was. // generator.c:delete_in_dir
func (x *remover) extras(s *Scope, dir string) {
	s, err := s.Enter(dir)
	if err != nil {
		x.t.Fatal(err)
	}
	for _, e := range x.tree[dir] {
		_, sent := x.sent[e.path]
		switch {
		case sent && e.dir:
			x.extras(s, e.path)
		case !sent && s.Check(e.path, e.dir, Receiver) != Exclude:
			x.remove(s, e)
		}
	}
}

// remove deletes e with all below it and reports whether nothing was kept.
// // delete.c:delete_item, delete_dir_contents
func (x *remover) remove(s *Scope, e entry) bool {
	kept := false
	if e.dir {
		in, err := s.Enter(e.path)
		if err != nil {
			x.t.Fatal(err)
		}
		for _, below := range x.tree[e.path] {
			if in.CheckDoomed(below.path, below.dir) == Exclude || !x.remove(in, below) {
				kept = true
			}
		}
	}
	if !kept {
		x.out[e.path] = e.dir
	}
	return !kept
}

func TestReceiverAgainstRsync(t *testing.T) {
	t.Parallel()
	files := oracleFiles()
	for name := range files {
		if strings.HasPrefix(name, "deep/") {
			delete(files, name)
		}
	}
	source := map[string]string{"foo": "x", "a/b/keep": "x", "foodir/bar/foo": "x", "bar.d/z": "x"}
	from := layOut(t, source)
	each(t, append(oracleRules(), randomRules(30)...), func(t *testing.T, i int, rules []string) {
		if i%4 == 3 {
			rules = append(rules, "--delete-excluded")
		}
		dir := layOut(t, files)
		r := parseAll(t, rules)
		x := &remover{t: t, tree: newTree(files), sent: map[string]bool{}, out: map[string]bool{}}
		walk(t, newTree(source), r.Scope(from, os.ReadFile), "", x.sent)
		x.extras(r.Scope(dir, os.ReadFile), "")
		want := map[string]bool{}
		for _, entries := range x.tree {
			for _, e := range entries {
				if _, gone := x.out[e.path]; !gone {
					want[e.path] = e.dir
				}
			}
		}
		run(t, append([]string{"-r", "--delete", "--existing", "--ignore-existing", from + "/", dir + "/"}, rules...))
		if diff := cmp.Diff(survivors(t, dir), lines(want)); diff != "" {
			t.Errorf("%q (-rsync +ours):\n%s", rules, diff)
		}
	})
}

// survivors lists what is below dir, as lines does.
func survivors(t *testing.T, dir string) []string {
	t.Helper()
	found := map[string]bool{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, e fs.DirEntry, err error) error {
		if name != "." && err == nil {
			found[name] = e.IsDir()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines(found)
}
