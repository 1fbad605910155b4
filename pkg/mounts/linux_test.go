package mounts

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/empegsync/empegsync/pkg/ownspace"
)

func TestLinuxRemount(t *testing.T) {
	if !ownspace.Enter(t, 0) {
		return
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	point := filepath.Join(dir, "drive 0")
	bind := filepath.Join(dir, "bind")
	for _, d := range []string{point, bind} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	mountAt(t, "none", point, "tmpfs", unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NOATIME)
	mountAt(t, point, bind, "", unix.MS_BIND)
	g := NewGuard(Linux{}, nil)
	g.pause = func(time.Duration) {}
	before := describe(t, g, point)

	first, changed, err := g.Writable(point)
	if err != nil || !changed {
		t.Fatalf("Writable: changed %v, %v", changed, err)
	}
	second, changed, err := g.Writable(bind)
	if err != nil || !changed {
		t.Fatalf("Writable through the bind mount: changed %v, %v", changed, err)
	}
	write(t, point, true)
	if m := describe(t, g, point); !strings.Contains(m, "nosuid") || !strings.Contains(m, "noatime") {
		t.Errorf("flags lost: %s", m)
	}
	if err := first(); err != nil {
		t.Fatal(err)
	}
	write(t, bind, true)
	if err := second(); err != nil {
		t.Fatal(err)
	}
	write(t, point, false)
	write(t, bind, false)
	if after := describe(t, g, point); after != before {
		t.Errorf("afterwards %s, before %s", after, before)
	}
	busyRestore(t, g, point)
}

// busyRestore holds a file open, as a daemon with its log on the drive does.
func busyRestore(t *testing.T, g *Guard, point string) {
	restore, _, err := g.Writable(point)
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(point, "rsyncd.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	err = restore()
	want := fmt.Sprintf("pid %d ", os.Getpid())
	if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), log.Name()) {
		t.Errorf("busy: %v; want %q and %q", err, want, log.Name())
	}
}

func mountAt(t *testing.T, source, point, fstype string, flags uintptr) {
	t.Helper()
	if err := unix.Mount(source, point, fstype, flags, ""); err != nil {
		t.Fatalf("mount %s: %v", point, err)
	}
	t.Cleanup(func() { unix.Unmount(point, unix.MNT_DETACH) })
}

func describe(t *testing.T, g *Guard, point string) string {
	t.Helper()
	m, err := g.find(point)
	if err != nil || m.Point != point {
		t.Fatalf("find %s: %+v, %v", point, m, err)
	}
	slices.Sort(m.Options)
	return fmt.Sprint(m.Options, m.SuperReadOnly())
}

func write(t *testing.T, dir string, want bool) {
	t.Helper()
	err := os.WriteFile(filepath.Join(dir, "file"), []byte("x"), 0o644)
	if (err == nil) != want {
		t.Errorf("write to %s: %v, want success %v", dir, err, want)
	}
}
