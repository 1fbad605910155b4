package rootfs

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestGraft: names below a grafted folder lead there and no further, with and
// without openat2.
func TestGraft(t *testing.T) {
	for _, old := range []bool{false, true} {
		top, far := t.TempDir(), t.TempDir()
		for _, err := range []error{
			os.MkdirAll(filepath.Join(far, "x/y"), 0o755), os.WriteFile(filepath.Join(far, "x/y/f"), []byte("far"), 0o644),
			os.Symlink("/etc", filepath.Join(far, "x/out")), os.Mkdir(filepath.Join(top, "a"), 0o755),
			os.Symlink(far, filepath.Join(top, "a/link")),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		r, err := Open(top)
		if err != nil {
			t.Fatal(err)
		}
		r.kernel.noOpenat2.Store(old)
		if _, err := r.Lstat("a/link/x"); !errors.Is(err, ErrSymlink) {
			t.Errorf("before: %v", err)
		}
		sub, err := Open(far)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Graft("a/link", sub); err != nil {
			t.Fatal(err)
		}
		sub.Close()
		for range 2 { // from the disk, then from the cache
			if text, err := r.ReadSmall("a/link/x/y/f", 10); string(text) != "far" {
				t.Errorf("reads %q, %v", text, err)
			}
			if list, err := r.ReadDir("a/link/x"); len(list) != 2 || err != nil {
				t.Errorf("lists %v, %v", list, err)
			}
			if list, err := r.ReadDir("a/link"); len(list) != 1 || err != nil {
				t.Errorf("lists %v, %v", list, err)
			}
			if _, err := r.Lstat("a/link/x/out/passwd"); !errors.Is(err, ErrSymlink) {
				t.Errorf("a link in the graft: %v", err)
			}
			r.Forget()
		}
		for range maxGrafts {
			_ = r.Graft("g"+string(rune('0'+len(r.cache.grafts))), r)
		}
		if err := r.Graft("one more", r); err == nil {
			t.Error("any number of grafts is taken")
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}
