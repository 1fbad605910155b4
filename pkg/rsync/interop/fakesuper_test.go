package interop

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/acl"
	"golang.org/x/sys/unix"
)

// TestFakeSuper compares --fake-super with rsync: what is written down, and
// what is made of it again.
func TestFakeSuper(t *testing.T) {
	source := func(s *sandbox, dir string) {
		plainTree(s, dir)
		s.must(unix.Mkfifo(dir+"/fifo", 0o640))
		if os.Geteuid() == 0 {
			s.must(syscall.Mknod(dir+"/null", syscall.S_IFCHR|0o666, 1<<8|3))
			s.must(touch(dir+"/null", then))
		}
		s.must(touch(dir+"/fifo", then))
		s.settle(dir, ".")
	}
	written := func(s *sandbox, dir string) {
		for name, stat := range map[string]string{"link": "120777 0,0 5:6", "disk": "60640 8,1 0:6", "file": "104755 0,0 77:88", "folder/pipe": "10600 0,0 1:2", "folder": "41777 0,0 9:9"} {
			text := ""
			if name == "link" {
				text = "somewhere"
			}
			if name == "folder" {
				s.must(os.MkdirAll(dir+"/folder", 0o755))
			} else {
				s.write(dir+"/"+name, []byte(text), then)
			}
			s.attributes(dir+"/"+name, "user.rsync.%stat", stat)
		}
		s.settle(dir, "folder", ".")
	}
	for _, flags := range []string{"-ai --fake-super", "-aiH --fake-super --delete"} {
		t.Run("write "+flags, func(t *testing.T) {
			oracle{flags: strings.Fields(flags), source: source, dest: olderTree, roles: []string{"our client pulls"}}.run(t)
		})
		t.Run("again "+flags, func(t *testing.T) {
			oracle{flags: strings.Fields(flags), source: source, dest: written, roles: []string{"our client pulls"}}.run(t)
		})
	}
	t.Run("read", func(t *testing.T) {
		oracle{flags: []string{"-ai", "--fake-super"}, source: written, dest: olderTree, roles: []string{"our client pushes", "we copy"}}.run(t)
	})
	t.Run("far", func(t *testing.T) {
		oracle{flags: []string{"-ai", "-M--fake-super"}, source: source, dest: olderTree, roles: []string{"our server receives", "we copy"}}.run(t)
		oracle{flags: []string{"-ai", "-M--fake-super"}, source: written, roles: []string{"our server sends"}}.run(t)
	})
}

// TestFakeOverReal receives with --fake-super over what is real: links become
// files that stand for them; to a device or fifo nothing can be written down.
func TestFakeOverReal(t *testing.T) {
	source := func(s *sandbox, dir string) {
		plainTree(s, dir)
		s.must(os.Symlink("file", dir+"/same"))
		s.must(os.Symlink("file", dir+"/other"))
		s.must(unix.Mkfifo(dir+"/fifo", 0o644))
		s.must(unix.Mkfifo(dir+"/shut", 0o644))
		for i, name := range []string{"fifo", "shut", "same", "other"} {
			if os.Geteuid() == 0 {
				s.must(os.Lchown(dir+"/"+name, 5*(i&1), 6*(i&1)))
			}
			s.must(touch(dir+"/"+name, then))
		}
		s.settle(dir, ".")
	}
	dest := func(s *sandbox, dir string) {
		for name, target := range map[string]string{"same": "file", "other": "somewhere", "script": "nowhere", "sub": "nowhere"} {
			s.must(os.Symlink(target, dir+"/"+name))
			s.must(touch(dir+"/"+name, then+7))
		}
		s.must(unix.Mkfifo(dir+"/fifo", 0o600))
		s.must(unix.Mkfifo(dir+"/shut", 0o600))
		s.must(touch(dir+"/fifo", then))
		s.must(touch(dir+"/shut", then))
	}
	for _, flags := range []string{"-ai", "-aiX --delete"} {
		oracle{flags: append(strings.Fields(flags), "-M--fake-super"), source: source, dest: dest, roles: []string{"our server receives", "we copy"}}.run(t)
	}
}

// privateTree has attributes and access control lists on everything that can
// have them.
func privateTree(s *sandbox, dir string) {
	attributedTree(s, dir)
	listedTree(s, dir+"/listed")
	named := []acl.Name{{ID: 7, Perms: 6, IsUser: true}}
	s.list(dir+"/sub/bin/tool", acl.Access, acl.List{User: 7, Group: 1, Mask: 1, Other: 1, Names: named})
	// What rsync 3.5.0 makes of an attribute without a name space cannot be set again.
	s.must(unix.Lremovexattr(dir+"/sub/secret", "user.rsync.x"))
	s.must(touch(dir+"/fifo", then))
	s.settle(dir, "sub/bin", "sub", "listed", ".")
}

// written has rsync write a tree down with --fake-super.
func (s *sandbox) written(tree func(s *sandbox, dir string), dir string) {
	s.t.Helper()
	from := filepath.Join(s.dir, "real")
	tree(s, from)
	if out, code := s.rsync("-aAXH", "-M--fake-super", from+"/", dir+"/"); code != 0 {
		s.t.Fatalf("rsync ends with %d: %s", code, out)
	}
	s.must(os.RemoveAll(from))
}

// TestFakeAttributes compares -A and -X with --fake-super with rsync: what is
// written down, and what is made of it again.
func TestFakeAttributes(t *testing.T) {
	asWritten := func(s *sandbox, dir string) { s.written(privateTree, dir) }
	for _, c := range []struct {
		flags  string
		source func(s *sandbox, dir string)
		roles  []string
	}{
		{"-aiAX --fake-super", privateTree, []string{"our client pulls"}},
		{"-aAXi --no-i-r -M--fake-super", privateTree, []string{"our server receives", "we copy"}},
		{"-aXi --filter=-x_trusted.l* -M--fake-super", privateTree, []string{"our server receives"}},
		{"-aiAX --fake-super", asWritten, []string{"we copy", "our client pushes"}},
		{"-aAXH --protocol=30 --numeric-ids -M--fake-super", asWritten, []string{"our server sends"}},
		{"-aX --filter=-x_user.rsync.security* -M--fake-super", asWritten, []string{"our server sends"}},
	} {
		t.Run(c.flags, func(t *testing.T) {
			oracle{flags: strings.Fields(c.flags), source: c.source, roles: c.roles}.run(t)
		})
	}
}

// TestFakeAgain brings what is written down up to date: then it is what rsync
// writes down at once, and a further run has nothing to say. (rsync 3.5.0
// itself loses an access control list when an attribute changes, until the run
// after that.)
func TestFakeAgain(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	privateTree(s, s.src)
	want, got := s.dir+"/want", s.dir+"/got"
	s.written(privateTree, want)
	s.written(func(s *sandbox, dir string) {
		privateTree(s, dir)
		s.attributes(dir+"/file", "trusted.gone", "x", "trusted.long", "short", "user.long", "short")
		s.attributes(dir+"/listed/file", "user.new", "x")
		s.list(dir+"/listed/script", acl.Access, acl.List{User: 7, Group: 5, Mask: 5, Other: 0, Names: []acl.Name{{ID: 3, Perms: 7}}})
		s.list(dir+"/sub/bin", acl.Default, acl.List{User: 7, Group: 5, Mask: acl.None, Other: 5})
		s.must(unix.Lremovexattr(dir+"/listed/sub/secret", acl.Access))
		s.settle(dir, "sub/bin", "sub", "listed", ".")
	}, got)
	o := oracle{flags: strings.Fields("-aAXHi -M--fake-super")}
	first := o.copies(s, s.src+"/", got+"/")
	for _, line := range []string{".f........x file", ".f........x listed/file", ".f.......a. listed/script", ".d.......a. sub/bin/"} {
		if !strings.Contains(first.out, line+"\n") {
			t.Errorf("%q is missing in:\n%s", line, first.out)
		}
	}
	if w, g := o.snapshot(t, want), o.snapshot(t, got); w != g {
		t.Errorf("the tree:%s", difference(w, g))
	}
	if again := o.copies(s, s.src+"/", got+"/"); again.out != "" || again.code != 0 || first.code != 0 {
		t.Errorf("codes %d and %d; the second run says:\n%s", first.code, again.code, again.out)
	}
}

// TestFakeDaemon pushes to and pulls from our daemon and rsync's with "fake super".
func TestFakeDaemon(t *testing.T) {
	t.Parallel()
	trees := map[string]string{}
	for _, server := range []func(s *sandbox, p string, extra ...string){(*sandbox).debian, (*sandbox).ours} {
		s := newSandbox(t)
		privateTree(s, s.src)
		server(s, s.dst, "fake super = yes")
		for _, args := range [][]string{{"-aAXH", s.src + "/", s.url("/")}, {"-aAXH", s.url("/"), s.dir + "/back/"}} {
			if out, code := s.rsync(args...); code != 0 {
				t.Fatalf("rsync ends with %d: %s", code, out)
			}
		}
		for _, dir := range []string{s.dst, s.dir + "/back"} {
			name, tree := filepath.Base(dir), oracle{}.snapshot(t, dir)
			if was, ok := trees[name]; ok && was != tree {
				t.Errorf("%s:%s", name, difference(was, tree))
			}
			trees[name] = tree
		}
	}
}
