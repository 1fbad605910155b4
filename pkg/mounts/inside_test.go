package mounts

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func openRoot(t testing.TB) (*os.Root, string) {
	t.Helper()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root, dir
}

func TestInside(t *testing.T) {
	root, dir := openRoot(t)
	for _, d := range []string{"empeg", "drive0/var", "etc"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "drive0/var/config.ini"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{
		"empeg/var":   "../drive0/var",
		"etc/hosts":   "/drive0/var/hosts",
		"etc/passwd":  "../../../../../drive0/var/config.ini",
		"etc/group":   "/etc/passwd",
		"etc/loop":    "loop",
		"etc/nowhere": "/missing/there",
		"etc/self":    "/",
	} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name, want string
		err        error
	}{
		{"/", ".", nil},
		{"", ".", nil},
		{"../../etc/./", "etc", nil},
		{"/empeg/var/config.ini", "drive0/var/config.ini", nil},
		{"/empeg/var/database", "drive0/var/database", nil}, // may be missing
		{"etc/hosts", "drive0/var/hosts", nil},
		{"/etc/passwd", "drive0/var/config.ini", nil},
		{"/etc/group", "drive0/var/config.ini", nil},
		{"/etc/self/etc/self/drive0", "drive0", nil},
		{"/etc/loop", "", unix.ELOOP},
		{"/etc/nowhere", "", os.ErrNotExist},
		{"/etc/none/x", "", os.ErrNotExist},
		{"/etc/passwd/x", "", unix.ENOTDIR},
		{"/etc/\x00", "", unix.EINVAL},
	}
	for _, tt := range tests {
		got, err := Inside(root, tt.name)
		if got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("Inside(%q) = %q, %v; want %q, %v", tt.name, got, err, tt.want, tt.err)
		}
	}
}

// Whatever a link says, the result is a place inside.
func FuzzInside(f *testing.F) {
	f.Add("../drive0/var", "/link/config.ini")
	f.Add("/etc/../../..", "link/../x")
	f.Add("link", "link")
	f.Fuzz(func(t *testing.T, target, name string) {
		root, dir := openRoot(t)
		if os.Mkdir(filepath.Join(dir, "d"), 0o755) != nil || os.Symlink(target, filepath.Join(dir, "link")) != nil {
			return // not a target that a link can have
		}
		got, err := Inside(root, name)
		if err != nil {
			return
		}
		if !filepath.IsLocal(got) || filepath.Clean(got) != got {
			t.Errorf("Inside(%q) with link to %q = %q", name, target, got)
		}
		if info, err := root.Lstat(got); err == nil && info.Mode()&os.ModeSymlink != 0 {
			t.Errorf("Inside(%q) with link to %q = %q, a link", name, target, got)
		}
	})
}
