package mounts

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// fakeKernel keeps a mount table and changes it as mount(2) does.
type fakeKernel struct {
	mounts   []Mount
	calls    []string
	refuse   error // answer to each remount
	busy     int   // remounts read-only that answer EBUSY
	writers  []string
	unlisted bool // /proc is not mounted
}

func (k *fakeKernel) Mountinfo() ([]byte, error) {
	if k.unlisted {
		return nil, errors.New("no /proc")
	}
	var b strings.Builder
	escape := strings.NewReplacer(" ", `\040`, `\`, `\134`)
	for _, m := range k.mounts {
		fmt.Fprintf(&b, "%d %d %s / %s %s - tmpfs x %s\n", m.ID, m.Parent, m.Device, escape.Replace(m.Point),
			strings.Join(m.Options, ","), strings.Join(m.SuperOptions, ","))
	}
	return []byte(b.String()), nil
}

func (k *fakeKernel) ReadOnly(path string) (bool, error) {
	m, ok := Holding(k.mounts, path)
	return ok && m.ReadOnly(), nil
}

func (k *fakeKernel) Remount(point string, flags uintptr) error {
	call := filepath.Base(point) + " rw"
	if flags&unix.MS_RDONLY != 0 {
		call = filepath.Base(point) + " ro"
	}
	if flags&unix.MS_BIND != 0 {
		call += " bind"
	}
	k.calls = append(k.calls, call)
	if k.refuse != nil {
		return k.refuse
	}
	if flags&unix.MS_RDONLY != 0 && k.busy > 0 {
		k.busy--
		return unix.EBUSY
	}
	i := slices.IndexFunc(k.mounts, func(m Mount) bool { return m.Point == point })
	word := "rw"
	if flags&unix.MS_RDONLY != 0 {
		word = "ro"
	}
	k.mounts[i].Options = append([]string{word}, k.mounts[i].Options[1:]...)
	for j := range k.mounts {
		if flags&unix.MS_BIND == 0 && k.mounts[j].Device == k.mounts[i].Device {
			k.mounts[j].SuperOptions = []string{word}
		}
	}
	return nil
}

func (k *fakeKernel) Sync(path string) error {
	k.calls = append(k.calls, filepath.Base(path)+" sync")
	return nil
}

func (k *fakeKernel) Writers(string) []string { return k.writers }

// state is mount/super of each mount, such as "a:ro/rw".
func (k *fakeKernel) state() string {
	var words []string
	for _, m := range k.mounts {
		words = append(words, filepath.Base(m.Point)+":"+m.Options[0]+"/"+m.SuperOptions[0])
	}
	return strings.Join(words, " ")
}

// newFake makes directories and a table in which they are mounts; each spec is
// "name device mount super".
func newFake(t *testing.T, specs ...string) (*fakeKernel, *Guard, string) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	k := &fakeKernel{}
	for i, spec := range specs {
		f := strings.Fields(spec)
		point := filepath.Join(dir, f[0])
		if err := os.MkdirAll(filepath.Join(point, "sub"), 0o755); err != nil {
			t.Fatal(err)
		}
		k.mounts = append(k.mounts, Mount{
			ID: i + 2, Parent: 1, Device: f[1], Point: point,
			Options: []string{f[2], "noatime"}, SuperOptions: []string{f[3]},
		})
	}
	g := NewGuard(k, nil)
	g.pause = func(time.Duration) { k.calls = append(k.calls, "pause") }
	return k, g, dir
}

func TestWritable(t *testing.T) {
	tests := []struct {
		name    string
		mount   string
		changed bool
		during  string
		calls   []string
	}{
		{"writable stays", "a 0:1 rw rw", false, "a:rw/rw", nil},
		{
			"an ordinary read-only mount", "a 0:1 ro ro", true, "a:rw/rw",
			[]string{"a rw", "a sync", "a ro bind", "a sync", "a ro"},
		},
		{
			"a read-only bind mount", "a 0:1 ro rw", true, "a:rw/rw",
			[]string{"a rw bind", "a sync", "a ro bind"},
		},
		{
			"a read-only file system", "a 0:1 rw ro", true, "a:rw/rw",
			[]string{"a rw", "a sync", "a ro", "a rw bind"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k, g, dir := newFake(t, tt.mount)
			before := k.state()
			restore, changed, err := g.Writable(dir + "/a/sub")
			if err != nil || changed != tt.changed {
				t.Fatalf("Writable: changed %v, %v", changed, err)
			}
			if k.state() != tt.during {
				t.Errorf("while held: %s, want %s", k.state(), tt.during)
			}
			for range 2 { // the second does nothing
				if err := restore(); err != nil {
					t.Errorf("restore: %v", err)
				}
			}
			if k.state() != before {
				t.Errorf("afterwards: %s, want %s", k.state(), before)
			}
			if diff := cmp.Diff(tt.calls, k.calls); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Whatever the order in which they end, the last one locks and none before it.
func TestWritableCounts(t *testing.T) {
	tests := []struct {
		name   string
		mounts []string
		paths  []string
	}{
		{"one mount twice", []string{"a 0:1 ro ro"}, []string{"a", "a/sub"}},
		{"two mounts of one file system", []string{"a 0:1 ro ro", "b 0:1 rw ro"}, []string{"a", "b"}},
		{"a bind mount and its file system", []string{"a 0:1 ro ro", "b 0:1 ro ro"}, []string{"b", "a", "b"}},
		{"two file systems", []string{"a 0:1 ro ro", "b 0:2 ro rw"}, []string{"a", "b", "a"}},
	}
	for _, tt := range tests {
		for _, backwards := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s backwards=%v", tt.name, backwards), func(t *testing.T) {
				k, g, dir := newFake(t, tt.mounts...)
				before := k.state()
				restores := make([]func() error, len(tt.paths))
				for i, p := range tt.paths {
					restore, changed, err := g.Writable(filepath.Join(dir, p))
					if err != nil || !changed {
						t.Fatalf("Writable(%s): changed %v, %v", p, changed, err)
					}
					restores[i] = restore
				}
				held := slices.Clone(tt.paths)
				for len(restores) > 0 {
					i := 0
					if backwards {
						i = len(restores) - 1
					}
					if err := restores[i](); err != nil {
						t.Fatal(err)
					}
					restores, held = slices.Delete(restores, i, i+1), slices.Delete(held, i, i+1)
					for _, p := range held {
						if ro, _ := k.ReadOnly(filepath.Join(dir, p)); ro {
							t.Errorf("%s is read-only while held: %s", p, k.state())
						}
					}
				}
				if k.state() != before {
					t.Errorf("afterwards: %s, want %s", k.state(), before)
				}
			})
		}
	}
}

// A writable mount beside a held one is not touched, not even if it is listed.
func TestWritableLeavesOthers(t *testing.T) {
	k, g, dir := newFake(t, "a 0:1 ro ro", "b 0:2 rw rw")
	first, _, err := g.Writable(dir + "/a")
	if err != nil {
		t.Fatal(err)
	}
	second, changed, err := g.Writable(dir + "/b")
	if err != nil || changed {
		t.Fatalf("changed %v, %v", changed, err)
	}
	if err := errors.Join(second(), first()); err != nil {
		t.Fatal(err)
	}
	if got := k.state(); got != "a:ro/ro b:rw/rw" {
		t.Error(got)
	}
}

func TestRestoreBusy(t *testing.T) {
	k, g, dir := newFake(t, "a 0:1 ro rw")
	restore, _, err := g.Writable(dir + "/a")
	if err != nil {
		t.Fatal(err)
	}
	k.busy = 3
	if err := restore(); err != nil {
		t.Errorf("busy for a moment: %v", err)
	}
	if got := strings.Count(strings.Join(k.calls, " "), "pause"); got != 3 {
		t.Errorf("%d pauses, want 3", got)
	}

	restore, _, err = g.Writable(dir + "/a")
	if err != nil {
		t.Fatal(err)
	}
	k.busy, k.writers = 1000, []string{"pid 7 (rsync): /drive0/rsyncd.log"}
	err = restore()
	if !errors.Is(err, unix.EBUSY) {
		t.Fatalf("restore = %v", err)
	}
	for _, want := range []string{dir + "/a", "busy", "pid 7 (rsync): /drive0/rsyncd.log", "remount,ro"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q lacks %q", err, want)
		}
	}
	if used := 1000 - k.busy; used != busyTries {
		t.Errorf("%d tries, want %d", used, busyTries)
	}
	// The mount stayed writable; a new user finds it so and leaves it so.
	if _, changed, err := g.Writable(dir + "/a"); err != nil || changed {
		t.Errorf("after a failed restore: changed %v, %v", changed, err)
	}
}

func TestWritableErrors(t *testing.T) {
	k, g, dir := newFake(t, "a 0:1 ro ro")
	k.refuse = unix.EPERM
	if _, _, err := g.Writable(dir + "/a"); !errors.Is(err, unix.EPERM) || !strings.Contains(err.Error(), "only root") {
		t.Errorf("refused: %v", err)
	}
	k.refuse = unix.EACCES
	if _, _, err := g.Writable(dir + "/a"); !errors.Is(err, unix.EACCES) || !strings.Contains(err.Error(), "fsck") {
		t.Errorf("write-protected: %v", err)
	}
	k.refuse = nil
	if len(g.held) != 0 {
		t.Errorf("a failed remount is counted: %v", g.held)
	}
	if _, _, err := g.Writable(dir + "/nowhere"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing path: %v", err)
	}
	k.unlisted = true
	if _, _, err := g.Writable(dir + "/a"); err == nil {
		t.Error("read-only without mountinfo: no error")
	}
	k.mounts[0].Options[0], k.mounts[0].SuperOptions[0] = "rw", "rw"
	if _, changed, err := g.Writable(dir + "/a"); err != nil || changed {
		t.Errorf("writable without mountinfo: changed %v, %v", changed, err)
	}
}

// A link is followed to the mount it leads to.
func TestWritableLink(t *testing.T) {
	k, g, dir := newFake(t, "a 0:1 ro ro", "b 0:2 rw rw")
	if err := os.Symlink("../a/sub", dir+"/b/link"); err != nil {
		t.Fatal(err)
	}
	restore, changed, err := g.Writable(dir + "/b/link")
	if err != nil || !changed || k.state() != "a:rw/rw b:rw/rw" {
		t.Fatalf("changed %v, %v, %s", changed, err, k.state())
	}
	if err := restore(); err != nil {
		t.Error(err)
	}
}
