package memdir

import (
	"os"
	"syscall"
	"testing"
)

func TestUse(t *testing.T) {
	t.Setenv("TMPDIR", "/tmp")
	if err := Use(); err != nil || os.Getenv("TMPDIR") != "/tmp" {
		t.Errorf("a TMPDIR that was set became %q: %v", os.Getenv("TMPDIR"), err)
	}
	t.Setenv("TMPDIR", "")
	if err := Use(); err != nil {
		t.Error(err)
	}
	if dir := os.Getenv("TMPDIR"); dir != "" && dir != memory {
		t.Errorf("TMPDIR became %q", dir)
	}
}

func TestElsewhere(t *testing.T) {
	var a, b syscall.Stat_t
	if err := syscall.Stat(t.TempDir(), &a); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Stat(Elsewhere(t), &b); err != nil {
		t.Fatal(err)
	}
	if a.Dev == b.Dev {
		t.Error("the folder is on the same file system")
	}
}
