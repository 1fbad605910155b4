package rootfs

import (
	"errors"
	"testing"
)

// TestLimit: every way to take up room asks first, also through a Sub, and
// leaves nothing behind if it may not.
func TestLimit(t *testing.T) {
	root, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	full := errors.New("full")
	var asked int64
	open := true
	root.Limit(func(n int64) error {
		asked += n
		if !open {
			return full
		}
		return nil
	})
	if err := root.Mkdir("d", 0o755); err != nil {
		t.Fatal(err)
	}
	sub, err := root.Sub("d")
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	f, _, err := sub.OpenWrite("f", 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for name, take := range map[string]func() error{
		"mkdir":        func() error { return sub.Mkdir("x", 0o755) },
		"mkdir above":  func() error { return sub.MkdirAll("x/y", 0o755) },
		"symlink":      func() error { return sub.Symlink("f", "x") },
		"new symlink":  func() error { return sub.ReplaceSymlink("f", "x") },
		"fifo":         func() error { return sub.Mknod("x", 0o010600, 0) },
		"new fifo":     func() error { return sub.ReplaceNode("x", 0o010600, 0) },
		"link":         func() error { return sub.Link("f", "x") },
		"new link":     func() error { return sub.ReplaceLink("f", "x") },
		"link across":  func() error { return sub.LinkFrom(root, "d/f", "x") },
		"new across":   func() error { return sub.ReplaceLinkFrom(root, "d/f", "x") },
		"temporary":    func() error { _, err := sub.CreateTemp("x"); return err },
		"open":         func() error { _, _, err := sub.OpenWrite("x", 0o644); return err },
		"write":        func() error { _, err := f.Write([]byte("text")); return err },
		"preallocated": func() error { return f.Preallocate(10) },
		"attribute":    func() error { return f.Attrs().Set("user.x", []byte("v")) },
	} {
		asked, open = 0, false
		if err := take(); !errors.Is(err, full) {
			t.Errorf("%s: %v", name, err)
		}
		if asked == 0 {
			t.Errorf("%s asks for nothing", name)
		}
	}
	if info, err := f.Stat(); err != nil || info.Size != 0 {
		t.Errorf("the file: %+v, %v", info, err)
	}
	if names, err := sub.ReadDir("."); err != nil || len(names) != 1 {
		t.Errorf("in the folder: %v, %v", names, err)
	}
	asked, open = 0, true
	if _, err := f.Write(make([]byte, 1000)); err != nil || asked != 1000 {
		t.Errorf("writing 1000 bytes: %v, charged %d", err, asked)
	}
}
