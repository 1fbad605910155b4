package rootfs

import (
	"bytes"
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAttrs(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		p.put("dir/file", "hello")
		p.link("dir/file", "link")
		p.link("../outside/secret", "out")
		must(t, unix.Mkfifo(p.dir+"/fifo", 0o600))
		long := bytes.Repeat([]byte("long "), 500)
		for _, path := range []string{".", "dir", "dir/file"} {
			a, err := p.OpenAttrs(path, 0)
			must(t, err)
			if err := a.Set("user.long", long); err != nil {
				t.Fatalf("the tests need a file system with extended attributes for temporary files: %v", err)
			}
			must(t, a.Set("user.empty", nil))
			must(t, a.Set("user.gone", []byte("x")))
			must(t, a.Remove("user.gone"))
			names, err := a.Names()
			slices.Sort(names)
			if err != nil || !slices.Equal(names, []string{"user.empty", "user.long"}) {
				t.Errorf("%s: %q, %v", path, names, err)
			}
			got, err := a.Get("user.long")
			if err != nil || !bytes.Equal(got, long) {
				t.Errorf("%s: %d bytes, %v", path, len(got), err)
			}
			_, err = a.Get("user.gone")
			wantErr(t, err, unix.ENODATA)
			must(t, a.Close())
		}
		// What is not a file or a folder has no "user" attributes, and a link is
		// not followed to something that may have them.
		for _, path := range []string{"link", "out", "fifo"} {
			a, err := p.OpenAttrs(path, 0)
			if p.kernel.noProc.Load() {
				wantErr(t, err, unix.ENOTSUP)
				continue
			}
			must(t, err)
			if err := a.Set("user.x", []byte("y")); err == nil {
				t.Errorf("%s: an attribute was set", path)
			}
			if os.Geteuid() == 0 {
				must(t, a.Set("trusted.x", []byte("of "+path)))
				got, err := a.Get("trusted.x")
				if err != nil || string(got) != "of "+path {
					t.Errorf("%s: %q, %v", path, got, err)
				}
			}
			must(t, a.Close())
		}
		if n, _ := unix.Getxattr(p.dir+"/dir/file", "trusted.x", nil); n > 0 {
			t.Error("the link's attribute is the file's")
		}
		tmp, err := p.CreateTemp("new")
		must(t, err)
		must(t, tmp.Attrs().Set("user.a", []byte("b")))
		must(t, tmp.Commit("new"))
		for _, path := range []string{"out/x", "../outside/secret", "none"} {
			if _, err := p.OpenAttrs(path, 0); err == nil {
				t.Errorf("%s was opened", path)
			}
		}
	})
}
