package synk

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// stockPeer is this machine as one without synk: a shell whose tools are the
// usual ones or busybox's.
func stockPeer(t *testing.T, busybox bool) *surveyor {
	t.Helper()
	if busybox {
		bin := t.TempDir()
		if out, err := exec.Command("busybox", "--install", "-s", bin).CombinedOutput(); err != nil {
			t.Fatalf("busybox: %v\n%s", err, out)
		}
		t.Setenv("PATH", bin)
	}
	return &surveyor{shell: Shell{Words: []string{"sh", "-c", `exec sh -c "$*"`}}, now: time.Now}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
}

// oddNames are names that shells or rsync would make something else of.
var oddNames = []string{"a b", "it's", `"x"`, "new\nline", "end\n", "*", "$(touch oops)", "-n", "tab\t", "\xff", "back\\slash", "./dot"}

// What a shell tells of a tree is what our own eyes see.
func TestStockTree(t *testing.T) {
	for _, busybox := range []bool{false, true} {
		dir := t.TempDir()
		for _, n := range oddNames {
			write(t, filepath.Join(dir, n), "of "+n)
			write(t, filepath.Join(dir, "sub "+filepath.Base(n), n), "")
		}
		write(t, dir+"/.f.AbCdEf", "left by a killed run")
		for name, err := range map[string]error{
			"link":   os.Symlink("to\n", dir+"/link"),
			"pipe":   syscall.Mkfifo(dir+"/pipe", 0o600),
			"sticky": os.Mkdir(dir+"/sticky", 0o700),
		} {
			if err != nil {
				t.Fatal(name, err)
			}
		}
		s := stockPeer(t, busybox)
		want := s.look(t.Context(), Request{Tree: Name(dir)})
		got, err := s.askStock(t.Context(), Peer{Host: "h"}, Request{Tree: Name(dir)})
		if err != nil {
			t.Fatalf("busybox %v: %v", busybox, err)
		}
		whole := func(s Snapshot) map[string]Copy {
			out := make(map[string]Copy)
			for name, c := range s.Copies {
				if busybox { // its stat tells whole seconds
					c.Mtime.Nsec, c.Ctime.Nsec = 0, 0
				}
				out[name] = c
			}
			return out
		}
		if diff := cmp.Diff(whole(want), whole(got)); diff != "" || got.Top.Kind != Dir || len(got.Copies) < 2*len(oddNames) {
			t.Errorf("busybox %v: top %+v, -own eyes +shell:\n%s", busybox, got.Top, diff)
		}
		for path, want := range map[string]string{dir + "/none": "", dir + "/it's": "no directory"} {
			got, err := s.askStock(t.Context(), Peer{Host: "h"}, Request{Tree: Name(path)})
			if err != nil || got.Top.Present() && want == "" || !strings.Contains(got.Top.Err, want) {
				t.Errorf("%s: %v, top %+v", path, err, got.Top)
			}
		}
	}
}

// A shell removes what is as expected, and nothing else.
func TestStockRemoves(t *testing.T) {
	for _, busybox := range []bool{false, true} {
		dir, keep, away := t.TempDir(), t.TempDir(), t.TempDir()
		s := stockPeer(t, busybox)
		for _, n := range oddNames {
			write(t, filepath.Join(dir, n), "of "+n)
		}
		write(t, dir+"/d/f", "f")
		write(t, dir+"/full/f", "f")
		write(t, dir+"/up/f", "f")
		if err := os.Symlink("to\n", dir+"/link"); err != nil {
			t.Fatal(err)
		}
		ask := func(q Request) Snapshot {
			t.Helper()
			q.Tree = Name(dir)
			for _, r := range q.Remove {
				q.Files = append(q.Files, r.Path)
			}
			got, err := s.askStock(context.Background(), Peer{Host: "h"}, q)
			if err != nil {
				t.Fatalf("busybox %v: %v", busybox, err)
			}
			return got
		}
		var all []Removal
		removal := func(name string) Removal {
			c := newLooker().file(t.Context(), filepath.Join(dir, name))
			r := Removal{Path: Name(filepath.Clean(name)), Kind: c.Kind}
			r.Sum, r.Target = c.Content.wire()
			return r
		}
		for _, name := range append([]string{"link", "d/f", "d"}, oddNames...) {
			all = append(all, removal(name))
		}
		got := ask(Request{Remove: all, Backup: Name(keep), Suffix: ".old"})
		for _, r := range all {
			if c := got.Copies[string(r.Path)]; c != (Copy{}) {
				t.Errorf("busybox %v: %q: %+v", busybox, r.Path, c)
			}
			if _, err := os.Lstat(filepath.Join(dir, string(r.Path))); !os.IsNotExist(err) {
				t.Errorf("busybox %v: %q is still there (%v)", busybox, r.Path, err)
			}
			if info, err := os.Lstat(filepath.Join(keep, dir, string(r.Path)+".old")); (err == nil) == (r.Kind == Dir) {
				t.Errorf("busybox %v: %q is kept as %v (%v)", busybox, r.Path, info, err)
			}
		}

		wrong := []Removal{removal("full"), removal("full/f"), removal("up/f")}
		write(t, dir+"/full/f", "changed meanwhile")
		if err := os.Rename(dir+"/up", away+"/up"); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(away+"/up", dir+"/up"); err != nil {
			t.Fatal(err)
		}
		got = ask(Request{Remove: wrong})
		for name, want := range map[string]string{"full": "empty", "full/f": "changed since", "up/f": "a link now"} {
			if c := got.Copies[name]; !strings.Contains(strings.ToLower(c.Err), want) {
				t.Errorf("busybox %v: %s: %+v, want %q", busybox, name, c, want)
			}
			if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
				t.Errorf("busybox %v: %v", busybox, err)
			}
		}
	}
}
