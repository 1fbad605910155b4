package boot

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// fakeSystem is a system that has just started.
type fakeSystem struct {
	lo       Loopback
	name     string
	address  netip.Addr
	appears  netip.Addr // found by WaitAddress
	refuse   error      // of Writable
	restores int
	held     int
	locked   error // of restore
}

func (s *fakeSystem) Loopback() (Loopback, error)   { return s.lo, nil }
func (s *fakeSystem) Hostname() (string, error)     { return s.name, nil }
func (s *fakeSystem) Address() (netip.Addr, error)  { return s.address, nil }
func (s *fakeSystem) SetHostname(name string) error { s.name = name; return nil }
func (s *fakeSystem) RaiseLoopback(RaiseLoopback) error {
	s.lo = Loopback{true, true, true, false}
	return nil
}

func (s *fakeSystem) WaitAddress(ctx context.Context) (netip.Addr, error) {
	if !s.appears.IsValid() {
		<-ctx.Done()
		return netip.Addr{}, ctx.Err()
	}
	s.address = s.appears
	return s.address, nil
}

func (s *fakeSystem) Writable(path string) (func() error, bool, error) {
	if s.refuse != nil {
		return nil, false, s.refuse
	}
	if _, err := os.Stat(path); err != nil {
		return nil, false, err
	}
	s.held++
	return func() error { s.held--; s.restores++; return s.locked }, true, nil
}

// playerRoot lays out what boot looks at, as on a player.
func playerRoot(t testing.TB) string {
	t.Helper()
	root := t.TempDir()
	for _, d := range []string{"etc", "empeg", "drive0/var"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	link(t, root, "../drive0/var", "empeg/var")
	put(t, root, "drive0/var/config.ini", "[Options]\r\nName=Car Stereo\r\n")
	put(t, root, "etc/fstab", "/dev/hda5 / ext2 ro 0 0\n")
	return root
}

func put(t testing.TB, root, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func link(t testing.TB, root, target, name string) {
	t.Helper()
	if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
		t.Fatal(err)
	}
}

// tree reads the regular files below root/etc with their modes.
func tree(t testing.TB, root string) map[string]string {
	t.Helper()
	files := map[string]string{}
	entries, err := os.ReadDir(filepath.Join(root, "etc"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(root, "etc", e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = fmt.Sprintf("%04o %s", info.Mode().Perm(), text)
	}
	return files
}

func run(t testing.TB, sys System, root string, o Options) ([]string, error) {
	t.Helper()
	var said []string
	o.Report = func(a Action) { said = append(said, a.String()) }
	err := Run(context.Background(), sys, root, Desired{}, o)
	return said, err
}

func TestRun(t *testing.T) {
	root := playerRoot(t)
	put(t, root, "etc/passwd", "daemon:x:1:1::/:") // no newline at its end
	if err := os.Chmod(filepath.Join(root, "etc/passwd"), 0o640); err != nil {
		t.Fatal(err)
	}
	put(t, root, "etc/.hosts.empegsync-deadbeef", "half")
	put(t, root, "etc/.hosts.empegsync-mine", "not ours")
	sys := &fakeSystem{name: "(none)", address: netip.MustParseAddr("10.1.2.3")}
	before := tree(t, root)

	planned, err := run(t, sys, root, Options{DryRun: true, System: true})
	if err != nil || len(planned) != 6 {
		t.Fatalf("planned %q, %v", planned, err)
	}
	if diff := cmp.Diff(before, tree(t, root)); diff != "" || sys.name != "(none)" || sys.restores != 0 {
		t.Errorf("a dry run has changed something: %s", diff)
	}
	done, err := run(t, sys, root, Options{System: true})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(planned, done); diff != "" {
		t.Error(diff)
	}
	want := map[string]string{
		"fstab":                 before["fstab"],
		".hosts.empegsync-mine": before[".hosts.empegsync-mine"],
		"hosts":                 "0644 127.0.0.1 localhost\n10.1.2.3 car-stereo # empegsync\n",
		"passwd":                "0640 daemon:x:1:1::/:\nroot::0:0:root:/:/bin/sh\nnobody:*:65534:65534:nobody:/:/bin/false\n",
		"group":                 "0644 root:x:0:\nnobody:x:65534:\n",
	}
	if diff := cmp.Diff(want, tree(t, root)); diff != "" {
		t.Error(diff)
	}
	if sys.name != "car-stereo" || !sys.lo.Up || sys.held != 0 || sys.restores != 1 {
		t.Errorf("system %+v", sys)
	}
	if again, err := run(t, sys, root, Options{System: true}); err != nil || again != nil {
		t.Errorf("a second time: %q, %v", again, err)
	}
}

// Under another root only the files are looked after.
func TestRunFilesOnly(t *testing.T) {
	root := playerRoot(t)
	sys := &fakeSystem{name: "workbench", address: netip.MustParseAddr("10.1.2.3")}
	if _, err := run(t, sys, root, Options{Wait: time.Minute}); err != nil {
		t.Fatal(err)
	}
	if sys.name != "workbench" || sys.lo.Up {
		t.Errorf("the running system was changed: %+v", sys)
	}
	if got := tree(t, root)["hosts"]; got != "0644 127.0.0.1 localhost\n" {
		t.Errorf("hosts %q", got)
	}
}

func TestRunWait(t *testing.T) {
	root := playerRoot(t)
	sys := &fakeSystem{name: "(none)", appears: netip.MustParseAddr("10.1.2.3")}
	said, err := run(t, sys, root, Options{System: true, Wait: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if last := said[len(said)-1]; last != "add 10.1.2.3 car-stereo to /etc/hosts" {
		t.Errorf("last action %q", last)
	}
	sys = &fakeSystem{name: "(none)"}
	_, err = run(t, sys, playerRoot(t), Options{System: true, Wait: time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), "no interface has got an address within 1ms") {
		t.Errorf("nothing came: %v", err)
	}
	if sys.name != "car-stereo" {
		t.Error("the rest was not done")
	}
}

// What needs no disk is done even if the disk cannot be written, and the message
// says which files are missing.
func TestRunReadOnly(t *testing.T) {
	root := playerRoot(t)
	sys := &fakeSystem{name: "(none)", refuse: unix.EROFS}
	_, err := run(t, sys, root, Options{System: true})
	for _, name := range []string{hostsFile, passwdFile, groupFile} {
		if err == nil || !strings.Contains(err.Error(), name+" could not be written") {
			t.Errorf("%v does not name %s", err, name)
		}
	}
	if sys.name != "car-stereo" || !sys.lo.Up {
		t.Errorf("the rest was not done: %+v", sys)
	}
	sys = &fakeSystem{locked: unix.EBUSY}
	if _, err := run(t, sys, root, Options{}); !errors.Is(err, unix.EBUSY) {
		t.Errorf("restore failed: %v", err)
	}
}

// One file that cannot be had does not keep the others from being written.
func TestRunBadFiles(t *testing.T) {
	outside := t.TempDir()
	put(t, outside, "hosts", "outside\n")
	tests := []struct {
		name    string
		prepare func(root string)
		want    string // in the error, "" for none
		written map[string]string
	}{
		{"a directory", func(root string) {
			if err := os.Mkdir(filepath.Join(root, "etc/hosts"), 0o755); err != nil {
				t.Fatal(err)
			}
		}, "not a regular file", nil},
		{"a pipe", func(root string) {
			if err := unix.Mkfifo(filepath.Join(root, "etc/hosts"), 0o644); err != nil {
				t.Fatal(err)
			}
		}, "not a regular file", nil},
		{"too long", func(root string) { put(t, root, "etc/hosts", strings.Repeat("#\n", fileLimit)) }, "longer than", nil},
		{"a link to nowhere", func(root string) { link(t, root, "/var/lib/hosts", "etc/hosts") }, "leads nowhere", nil},
		{"a link to a drive", func(root string) { link(t, root, "/drive0/hosts", "etc/hosts") }, "",
			map[string]string{"drive0/hosts": "127.0.0.1 localhost\n"}},
		{"a link to the outside", func(root string) {
			if err := os.MkdirAll(filepath.Join(root, outside), 0o755); err != nil {
				t.Fatal(err)
			}
			link(t, root, filepath.Join(outside, "hosts"), "etc/hosts")
		}, "", map[string]string{filepath.Join(outside, "hosts"): "127.0.0.1 localhost\n"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := playerRoot(t)
			tt.prepare(root)
			sys := &fakeSystem{}
			_, err := run(t, sys, root, Options{})
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			for name, want := range tt.written {
				if got, err := os.ReadFile(filepath.Join(root, name)); err != nil || string(got) != want {
					t.Errorf("%s: %q, %v", name, got, err)
				}
			}
			if _, err := os.Stat(filepath.Join(root, "etc/group")); err != nil || sys.held != 0 {
				t.Errorf("group: %v; %d held", err, sys.held)
			}
		})
	}
	if got, err := os.ReadFile(filepath.Join(outside, "hosts")); err != nil || string(got) != "outside\n" {
		t.Errorf("outside the root: %q, %v", got, err)
	}
}

func TestRunNoRoot(t *testing.T) {
	if _, err := run(t, &fakeSystem{}, t.TempDir(), Options{}); err == nil || !strings.Contains(err.Error(), "is it a player's root?") {
		t.Errorf("no etc: %v", err)
	}
	if _, err := run(t, &fakeSystem{}, filepath.Join(t.TempDir(), "none"), Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no root: %v", err)
	}
}

// A file that somebody else changes between plan and apply is left as it is.
func TestApplyChanged(t *testing.T) {
	root := playerRoot(t)
	o, err := Observe(nil, root)
	if err != nil {
		t.Fatal(err)
	}
	actions, err := Plan(o, Desired{})
	if err != nil {
		t.Fatal(err)
	}
	put(t, root, "etc/hosts", "127.0.0.1 other\n")
	err = Apply(context.Background(), &fakeSystem{}, root, actions)
	if err == nil || !strings.Contains(err.Error(), "has changed") {
		t.Errorf("Apply = %v", err)
	}
	got := tree(t, root)
	if got["hosts"] != "0644 127.0.0.1 other\n" || got["group"] == "" || len(got) != 4 {
		t.Errorf("files %q", got)
	}
}

// A leftover that is a link is removed; what it leads to is not.
func TestApplyLeftoverLink(t *testing.T) {
	root := playerRoot(t)
	link(t, root, "fstab", "etc/.group.empegsync-00000000")
	if _, err := run(t, &fakeSystem{}, root, Options{}); err != nil {
		t.Fatal(err)
	}
	got := tree(t, root)
	if _, ok := got[".group.empegsync-00000000"]; ok || got["fstab"] == "" {
		t.Errorf("files %q", got)
	}
}

func TestApplyCancelled(t *testing.T) {
	root := playerRoot(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	sys := &fakeSystem{}
	if err := Run(ctx, sys, root, Desired{}, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v", err)
	}
	if len(tree(t, root)) != 1 || sys.held != 0 {
		t.Errorf("files %q, %d held", tree(t, root), sys.held)
	}
}

// Two boots do not write at the same time; the second waits and then gives up.
func TestApplyLocked(t *testing.T) {
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	other, err := os.Open(dir.Name())
	if err != nil {
		t.Fatal(err)
	}
	if err := lock(context.Background(), other, 0); err != nil {
		t.Fatal(err)
	}
	if err := lock(context.Background(), dir, time.Millisecond); err == nil || !strings.Contains(err.Error(), "another boot") {
		t.Errorf("lock = %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := lock(ctx, dir, time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("lock, cancelled = %v", err)
	}
	other.Close()
	if err := lock(context.Background(), dir, 0); err != nil {
		t.Errorf("lock, free again = %v", err)
	}
}

// A write that fails leaves no temporary file and the old content.
func TestReplaceFails(t *testing.T) {
	root := playerRoot(t)
	tree1, err := os.OpenRoot(filepath.Join(root, "etc"))
	if err != nil {
		t.Fatal(err)
	}
	defer tree1.Close()
	handle, err := tree1.Open(".")
	if err != nil {
		t.Fatal(err)
	}
	defer handle.Close()
	d := &writableDir{root: tree1, handle: handle}
	long := strings.Repeat("x", 250) // with the temporary suffix it is too long
	if err := d.replace(long, File{Name: long}, []byte("new")); !errors.Is(err, unix.ENAMETOOLONG) {
		t.Errorf("replace = %v", err)
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	small := limit
	small.Cur = 4
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &small); err != nil {
		t.Fatal(err)
	}
	err = d.replace("hosts", File{Name: hostsFile}, []byte("more than four bytes"))
	if restoreErr := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); restoreErr != nil {
		t.Fatal(restoreErr)
	}
	if !errors.Is(err, unix.EFBIG) {
		t.Errorf("replace = %v", err)
	}
	if got := tree(t, root); len(got) != 1 {
		t.Errorf("left behind: %q", got)
	}
}
