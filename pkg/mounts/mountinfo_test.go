package mounts

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// playerMounts is a player's mount table, with a hidden mount and odd names.
const playerMounts = `1 1 0:1 / / rw - rootfs rootfs rw
20 1 3:5 / / ro,noatime - ext2 /dev/hda5 ro,errors=continue
21 20 0:3 / /proc rw,nosuid,nodev,noexec,relatime shared:5 - proc proc rw
22 20 3:4 / /drive0 ro,relatime - ext2 /dev/hda4 ro,sync
23 20 22:4 / /drive1 rw - ext2 /dev/hdc4 rw
24 22 3:4 /fids /drive0/a\040b\134 ro,relatime - ext2 /dev/hda4 rw
25 20 0:9 / /mnt/deep rw,relatime - tmpfs  rw
26 20 0:10 / /mnt rw,relatime - tmpfs tmpfs rw
27 22 0:11 / /drive0 ro,nosuid,nodev,noexec,nodiratime,relatime master:1 propagate_from:2 - tmpfs none rw,lazytime
`

func TestParse(t *testing.T) {
	got, err := Parse([]byte(playerMounts))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 9 {
		t.Fatalf("got %d mounts, want 9", len(got))
	}
	want := Mount{
		ID: 24, Parent: 22, Device: "3:4", Root: "/fids", Point: `/drive0/a b\`,
		Options: []string{"ro", "relatime"}, FSType: "ext2", Source: "/dev/hda4", SuperOptions: []string{"rw"},
	}
	if diff := cmp.Diff(want, got[5]); diff != "" {
		t.Error(diff)
	}
	if got[6].Source != "" || got[6].FSType != "tmpfs" {
		t.Errorf("mount without a source: %+v", got[6])
	}
	if m := got[5]; !m.MountReadOnly() || m.SuperReadOnly() || !m.ReadOnly() {
		t.Errorf("bind mount: mount ro %v, super ro %v", m.MountReadOnly(), m.SuperReadOnly())
	}
	if m := got[4]; m.ReadOnly() {
		t.Errorf("%s is taken for read-only", m.Point)
	}
}

func TestParseErrors(t *testing.T) {
	for _, text := range []string{
		"1 2 3:4 / / rw", "1 2 3:4 / - ext2 /dev/x rw", "x 1 3:4 / / rw - ext2 a rw",
		"1 y 3:4 / / rw - ext2 a rw", "1 2 3:4 / / rw - ext2 a", "1 2",
	} {
		if _, err := Parse([]byte("1 1 0:1 / / rw - a b rw\n" + text + "\n")); err == nil {
			t.Errorf("Parse(%q): no error", text)
		} else if !strings.Contains(err.Error(), "line 2") {
			t.Errorf("Parse(%q): %v does not name the line", text, err)
		}
	}
}

func TestParseOwnMountinfo(t *testing.T) {
	text, err := Linux{}.Mountinfo()
	if err != nil {
		t.Fatal(err)
	}
	all, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	// The kernel's own answer: the device of the mount is that of the directory.
	var st unix.Stat_t
	if err := unix.Stat("/proc", &st); err != nil {
		t.Fatal(err)
	}
	m, ok := Holding(all, "/proc")
	if !ok || m.Point != "/proc" || m.FSType != "proc" {
		t.Errorf("Holding(/proc) = %+v, %v", m, ok)
	}
}

func TestFlags(t *testing.T) {
	all, err := Parse([]byte(playerMounts))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		i            int
		mount, super uintptr
	}{
		{1, unix.MS_NOATIME, 0},
		{3, unix.MS_RELATIME, unix.MS_SYNCHRONOUS},
		{4, unix.MS_STRICTATIME, 0},
		{8, unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_NODIRATIME | unix.MS_RELATIME, unix.MS_LAZYTIME},
	}
	for _, tt := range tests {
		if got := all[tt.i].mountFlags(); got != tt.mount {
			t.Errorf("mount %d: flags %#x, want %#x", all[tt.i].ID, got, tt.mount)
		}
		if got := all[tt.i].superFlags(); got != tt.super {
			t.Errorf("mount %d: super flags %#x, want %#x", all[tt.i].ID, got, tt.super)
		}
	}
}

func TestHolding(t *testing.T) {
	all, err := Parse([]byte(playerMounts))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		path string
		want int
	}{
		{"/", 20}, // above the kernel's own rootfs
		{"/etc/hosts", 20},
		{"/drive0", 27}, // mounted over 22
		{"/drive0/fids/120", 27},
		{"/drive00", 20}, // not a component boundary
		{"/drive1/fids", 23},
		{"/mnt/deep/x", 26}, // 25 lies hidden below the later 26
		{`/drive0/a b\/c`, 27},
		{"/proc/self", 21},
	}
	for _, tt := range tests {
		got, ok := Holding(all, tt.path)
		if !ok || got.ID != tt.want {
			t.Errorf("Holding(%s) = %d %s, want %d", tt.path, got.ID, got.Point, tt.want)
		}
	}
	if m, ok := Holding(nil, "/"); ok {
		t.Errorf("Holding without mounts = %+v", m)
	}
	// In a chroot the mount of / is not listed, and others hang in the air.
	chroot, err := Parse([]byte("31 30 0:5 / /dev rw - tmpfs t rw\n32 31 0:6 / /dev/pts rw - devpts d rw\n"))
	if err != nil {
		t.Fatal(err)
	}
	if m, ok := Holding(chroot, "/dev/pts/0"); !ok || m.ID != 32 {
		t.Errorf("Holding in a chroot = %+v, %v", m, ok)
	}
	if m, ok := Holding(chroot, "/etc"); ok {
		t.Errorf("Holding of an unlisted mount = %+v", m)
	}
	// A cycle cannot come from the kernel; it must not hang either.
	cycle := []Mount{{ID: 1, Parent: 1, Point: "/"}, {ID: 2, Parent: 3, Point: "/"}, {ID: 3, Parent: 2, Point: "/"}, {ID: 2, Parent: 1, Point: "/"}}
	Holding(cycle, "/x")
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(playerMounts), "/drive0/fids")
	if own, err := os.ReadFile("/proc/self/mountinfo"); err == nil {
		f.Add(own, "/")
	}
	f.Add([]byte(`1 1 0:1 \ \04 \777\101 - a b rw`), "/")
	f.Fuzz(func(t *testing.T, text []byte, path string) {
		all, err := Parse(text)
		if err != nil {
			return
		}
		if m, ok := Holding(all, path); ok && !within(path, m.Point) {
			t.Errorf("Holding(%q) = %q", path, m.Point)
		}
		for _, m := range all {
			if (m.mountFlags()|m.superFlags())&unix.MS_RDONLY != 0 {
				t.Errorf("flags of %+v contain read-only", m)
			}
		}
	})
}
