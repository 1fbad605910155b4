package filelist

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// reference orders as Compare must, in other words: it splits paths into
// components and compares one after the other.
func reference(a, b *Entry, dirsLast bool) int {
	if !dirsLast {
		return strings.Compare(a.Path(), b.Path())
	}
	ka, kb := components(a), components(b)
	for i := range min(len(ka), len(kb)) {
		fa, fb := strings.HasSuffix(ka[i], "/"), strings.HasSuffix(kb[i], "/")
		if fa != fb {
			return cmp.Compare(btoi(fa), btoi(fb)) // what is not a folder first
		}
		if c := strings.Compare(ka[i], kb[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(ka), len(kb))
}

// components returns the names on the way to an entry, folders with a slash
// behind; the root has none.
func components(e *Entry) []string {
	if e.Path() == "." && e.IsDir() {
		return nil
	}
	parts := strings.SplitAfter(e.Path(), "/")
	if e.IsDir() {
		parts[len(parts)-1] += "/"
	}
	return parts
}

func sign(n int) int { return cmp.Compare(n, 0) }

// FuzzCompare builds entries from the input and checks order, sorting and
// finding with the reference.
func FuzzCompare(f *testing.F) {
	f.Add([]byte("a\na/\na/b\na-b/\na-b/c\na.b\n./\nab\na/b/\na/b/c/d\na0/"), true)
	f.Add([]byte("a\na/\na\na/\n-\n./\n.a"), false)
	f.Add([]byte("\xff/\n\x7f\n\xff/a\na/\xff"), true)
	f.Fuzz(func(t *testing.T, data []byte, dirsLast bool) {
		entries := entriesOf(data)
		for i := range entries {
			for j := range entries {
				got := sign(Compare(&entries[i], &entries[j], dirsLast))
				if want := sign(reference(&entries[i], &entries[j], dirsLast)); got != want {
					t.Errorf("%s %s: %d, want %d", describe(&entries[i]), describe(&entries[j]), got, want)
				}
			}
		}
		checkSort(t, entries, dirsLast)
	})
}

// entriesOf makes an entry of each line that is a clean path; a slash at its
// end makes it a folder. Size is the place in the input.
func entriesOf(data []byte) []Entry {
	var out []Entry
	for line := range bytes.Lines(data[:min(len(data), 400)]) {
		name, isDir := bytes.CutSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("/"))
		if CheckName(name) != nil || string(name) == "." && !isDir {
			continue
		}
		e := entry(string(name), ModeFile|0o644, size(int64(len(out))))
		if isDir {
			e.Mode = ModeDir | 0o755
		}
		out = append(out, e)
	}
	return out
}

// checkSort checks that Sort loses nothing, orders, drops all but one of each
// name, and that Find finds just the ones that stay.
func checkSort(t *testing.T, entries []Entry, dirsLast bool) {
	t.Helper()
	l := listOf(entries)
	l.Sort(dirsLast)
	seen := make([]bool, len(entries))
	kept := make(map[string]int)
	folders := make(map[string]bool)
	for i := range l.Len() {
		e := l.At(int32(i))
		if seen[e.Size] || entries[e.Size].Path() != e.Path() || entries[e.Size].Mode != e.Mode {
			t.Fatalf("%s came from %s", describe(e), describe(&entries[e.Size]))
		}
		seen[e.Size] = true
		if i > 0 {
			before := l.At(int32(i - 1))
			if c := Compare(before, e, dirsLast); c > 0 || c == 0 && before.Size > e.Size {
				t.Errorf("%s stands before %s", describe(before), describe(e))
			}
		}
		folders[e.Path()] = folders[e.Path()] || e.IsDir()
		if e.Mark&MarkDropped == 0 {
			kept[e.Path()]++
		}
	}
	for i := range l.Len() {
		e := l.At(int32(i))
		if kept[e.Path()] != 1 {
			t.Errorf("%q stays %d times", e.Path(), kept[e.Path()])
		}
		found := l.Find(e.Path(), e.IsDir(), dirsLast)
		switch {
		case e.Mark&MarkDropped == 0 && found != i:
			t.Errorf("%s is at %d, found at %d", describe(e), i, found)
		case e.Mark&MarkDropped == 0 && e.IsDir() != folders[e.Path()]:
			t.Errorf("%q: a folder gave way", e.Path())
		case found >= 0 && l.At(int32(found)).Mark&MarkDropped != 0:
			t.Errorf("found %s, which was dropped", describe(l.At(int32(found))))
		}
	}
}

func TestSortAndFind(t *testing.T) {
	for _, dirsLast := range []bool{false, true} {
		l := listOf(entriesOf([]byte("b/c/d\na/\nb\na/x\nb/\na\nb/c\na/x\n./\nb/c/")))
		l.Sort(dirsLast)
		var got []string
		for i := range l.Len() {
			e := l.At(int32(i))
			got = append(got, strings.Join(components(e), "")+map[bool]string{true: " dropped"}[e.Mark&MarkDropped != 0])
		}
		want := []string{"", "a/", "a dropped", "a/x", "a/x dropped", "b dropped", "b/", "b/c dropped", "b/c/", "b/c/d"}
		if dirsLast {
			want = []string{"", "a dropped", "b dropped", "a/", "a/x", "a/x dropped", "b/", "b/c dropped", "b/c/", "b/c/d"}
		}
		if d := gocmp.Diff(want, got); d != "" {
			t.Errorf("dirsLast %v:\n%s", dirsLast, d)
		}
		if i := l.Find("nowhere", false, dirsLast); i != -1 {
			t.Errorf("found at %d what is not there", i)
		}
	}
	empty := &List{}
	empty.Sort(true)
	if empty.Find("a", true, true) != -1 || empty.At(0) != nil || empty.At(-1) != nil {
		t.Error("an empty list has entries")
	}
}

// Of two folders the first stays, with what either knows (flist.c:
// flist_sort_and_clean).
func TestFoldersMerge(t *testing.T) {
	l := listOf([]Entry{
		entry("d", ModeDir, mark(MarkNoContent)), entry("d", ModeDir, mark(MarkTopDir)),
		entry("e", ModeDir, mark(MarkNoContent)), entry("e", ModeDir, mark(MarkNoContent)),
	})
	l.Sort(true)
	var got []Mark
	for i := range l.Len() {
		got = append(got, l.At(int32(i)).Mark)
	}
	if d := gocmp.Diff([]Mark{MarkTopDir, MarkTopDir | MarkDropped, MarkNoContent, MarkNoContent | MarkDropped}, got); d != "" {
		t.Error(d)
	}
}

// rsync prints a list in the order of its indexes: ours must be the same.
func TestOrderIsRsyncs(t *testing.T) {
	dir := t.TempDir()
	for _, name := range strings.Fields("a a-b/c a.b/c a0/c aa/c b/a/x b/a-/x b/a0 b/a/a-x b/a/a/x c- c/x c0 ~ Z z/ .h .h2/x -/x -a \xe4/x \xe4-/y") {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(p, 0o755); err != nil {
				t.Fatal(err)
			}
		} else if err := os.WriteFile(p, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range dialects(t) {
		if strings.Contains(d.name, " ") && !strings.Contains(d.name, "varint") {
			continue
		}
		if !d.caps.MuxFromServer {
			continue // rsync lists nothing over a pipe then
		}
		version := fmt.Sprint(d.caps.Version)
		cmd := exec.Command("rsync", "-r8", "--no-inc-recursive", "--list-only", "--protocol="+version, dir+"/")
		cmd.Env = append(os.Environ(), "LC_ALL=C")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("the tests need rsync (scripts/deps.sh installs it): %v", err)
		}
		want, l := listed(string(out))
		l.Sort(d.caps.DirsSortLast)
		var got []string
		for i := range l.Len() {
			got = append(got, l.At(int32(i)).Path())
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("version %s:\n%s", version, diff)
		}
		if len(got) < 30 {
			t.Errorf("only %d entries listed:\n%s", len(got), out)
		}
	}
}

// listed takes rsync's --list-only output apart, and returns the entries
// turned around as a list to sort.
func listed(out string) ([]string, *List) {
	var names []string
	l := &List{}
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "Server is very old version") {
			continue
		}
		f := strings.SplitN(strings.Join(strings.Fields(line), " "), " ", 5)
		mode := uint32(ModeFile)
		if f[0][0] == 'd' {
			mode = ModeDir
		}
		names = append(names, f[4])
		l = listOf(append([]Entry{entry(f[4], mode)}, flat(l)...))
	}
	return names, l
}
