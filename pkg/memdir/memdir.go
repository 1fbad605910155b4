// Package memdir has tests lay out their files in memory, where a tree costs a
// tenth of what it costs on a disk that others use, too.
package memdir

import (
	"os"
	"syscall"
	"testing"
)

const (
	memory = "/dev/shm"
	room   = 512 << 20 // bytes that must be free there
)

// Use makes testing.T.TempDir give folders in memory from here on, if there is
// room and extended attributes are kept there; else everything stays as it was.
// A TMPDIR that somebody has set counts.
func Use() error {
	var st syscall.Statfs_t
	if os.Getenv("TMPDIR") != "" || syscall.Statfs(memory, &st) != nil || int64(st.Bavail)*int64(st.Bsize) < room {
		return nil
	}
	dir, err := os.MkdirTemp(memory, "empegsync-test")
	if err != nil {
		return nil
	}
	keeps := syscall.Setxattr(dir, "user.empegsync", []byte("test"), 0) == nil
	if err := os.Remove(dir); err != nil || !keeps {
		return err
	}
	return os.Setenv("TMPDIR", memory)
}

// Main is a whole TestMain for a package whose tests want no more than [Use].
func Main(m *testing.M) {
	if err := Use(); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// Elsewhere makes a folder on another file system than t.TempDir's, which goes
// with the test.
func Elsewhere(t testing.TB) string {
	t.Helper()
	var here, there syscall.Stat_t
	if err := syscall.Stat(os.TempDir(), &here); err != nil {
		t.Fatal(err)
	}
	for _, base := range []string{memory, "/var/tmp", "/tmp"} {
		if syscall.Stat(base, &there) != nil || there.Dev == here.Dev {
			continue
		}
		dir, err := os.MkdirTemp(base, "empegsync-test")
		if err != nil {
			continue
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		return dir
	}
	t.Fatalf("the test needs a second file system besides that of %s: memory at %s will do", os.TempDir(), memory)
	return ""
}
