package rootfs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestMkdir(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		must(t, p.Mkdir("a", 0o700))
		if got := p.lstat("a").Mode; got != unix.S_IFDIR|0o700 {
			t.Errorf("mode %o", got)
		}
		wantErr(t, p.Mkdir("a", 0o700), fs.ErrExist)
		wantErr(t, p.Mkdir("b/c", 0o700), fs.ErrNotExist)
		must(t, p.MkdirAll("b/c/d", 0o755))
		must(t, p.MkdirAll("b/c/d", 0o755))
		must(t, p.MkdirAll("b/c/e", 0o755))
		must(t, p.MkdirAll(".", 0o755))
		p.put("file", "")
		wantErr(t, p.MkdirAll("file", 0o755), fs.ErrExist)
		wantErr(t, p.MkdirAll("file/x", 0o755), unix.ENOTDIR)
		p.link("b", "l")
		wantErr(t, p.MkdirAll("l/c", 0o755), ErrSymlink)
		wantErr(t, p.MkdirAll("l", 0o755), fs.ErrExist)
		if got := p.names("b/c"); got != "d e" {
			t.Errorf("b/c has %q", got)
		}
	})
}

func TestSymlink(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		must(t, os.Mkdir(p.dir+"/d", 0o755))
		must(t, p.Symlink("/any where/../at all", "d/l"))
		wantErr(t, p.Symlink("x", "d/l"), fs.ErrExist)
		if got, err := p.Readlink("d/l"); err != nil || got != "/any where/../at all" {
			t.Errorf("%q, %v", got, err)
		}
		must(t, p.ReplaceSymlink("second", "d/l"))
		p.put("d/f", "x")
		must(t, p.ReplaceSymlink("third", "d/f"))
		wantErr(t, p.ReplaceSymlink("x", "d"), unix.EISDIR)
		if got, _ := p.Readlink("d/l"); got != "second" {
			t.Errorf("replaced: %q", got)
		}
		if got := p.names("d"); got != "f l" {
			t.Errorf("left: %q", got)
		}
		long := strings.Repeat("x", 4095)
		if err := p.Symlink(long, "long"); err == nil { // not every file system takes it
			if got, err := p.Readlink("long"); err != nil || got != long {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		}
		_, err := p.Readlink("d")
		wantErr(t, err, unix.EINVAL)
		wantErr(t, p.Symlink("", "empty"), fs.ErrNotExist)
	})
}

func TestMknod(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		must(t, p.Mknod("fifo", unix.S_IFIFO|0o600, 99))
		must(t, p.Mknod("sock", unix.S_IFSOCK|0o600, 0))
		p.put("file", "x")
		must(t, p.ReplaceNode("file", unix.S_IFIFO|0o640, 0))
		for path, want := range map[string]uint32{"fifo": unix.S_IFIFO | 0o600, "sock": unix.S_IFSOCK | 0o600, "file": unix.S_IFIFO | 0o640} {
			if got := p.lstat(path).Mode; got != want {
				t.Errorf("%s: %o, want %o", path, got, want)
			}
		}
		wantErr(t, p.Mknod("fifo", unix.S_IFIFO|0o600, 0), fs.ErrExist)
		for _, mode := range []uint32{unix.S_IFREG, unix.S_IFDIR, unix.S_IFLNK, 0} {
			wantErr(t, p.Mknod("x", mode|0o600, 0), unix.EINVAL)
		}
		wantErr(t, p.Mknod("x", unix.S_IFCHR|0o600, MakeDev(4096, 0)), unix.EINVAL)
		wantErr(t, p.Mknod("x", unix.S_IFBLK|0o600, MakeDev(1, 1<<20)), unix.EINVAL)
		err := p.Mknod("null", unix.S_IFCHR|0o600, MakeDev(1, 3))
		if !isRoot() {
			wantErr(t, err, fs.ErrPermission)
			return
		}
		must(t, err)
		must(t, p.Mknod("high", unix.S_IFCHR|0o600, MakeDev(4095, 1<<19-1)))
		if i := p.lstat("null"); !i.IsDevice() || i.Major() != 1 || i.Minor() != 3 {
			t.Errorf("null: %+v", i)
		}
		if i, err := p.Lstat("high"); err != nil || i.Major() != 4095 || i.Minor() != 1<<19-1 {
			t.Errorf("high: %+v", i)
		}
	})
}

func TestLink(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		p.put("a/file", "x")
		p.put("b/other", "y")
		p.link("../outside/secret", "l")
		must(t, p.Link("a/file", "b/hard"))
		wantErr(t, p.Link("a/file", "b/hard"), fs.ErrExist)
		must(t, p.ReplaceLink("a/file", "b/hard")) // already the same file
		must(t, p.ReplaceLink("a/file", "b/other"))
		must(t, p.Link("l", "b/l")) // the link itself
		if got := p.lstat("a/file"); got.Nlink != 3 || got.Ino != p.lstat("b/other").Ino {
			t.Errorf("%+v", got)
		}
		if p.lstat("b/l").Ino != p.lstat("l").Ino {
			t.Error("b/l is not the link")
		}
		if got := p.names("b"); got != "hard l other" {
			t.Errorf("b has %q", got)
		}
		err := p.Link("a/none", "b/new")
		wantErr(t, err, fs.ErrNotExist)
		if want := "link a/none -> b/new: no such file or directory"; err.Error() != want {
			t.Errorf("error reads %q, want %q", err, want)
		}
	})
}

func TestRename(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		p.put("a/file", "x")
		p.put("b/file", "y")
		must(t, p.Rename("a/file", "b/file"))
		if got := p.get("b/file"); got != "x" {
			t.Errorf("got %q", got)
		}
		wantErr(t, p.Rename("a/file", "b/new"), fs.ErrNotExist)
		wantErr(t, p.Rename("a", "b"), unix.ENOTEMPTY)
		wantErr(t, p.Rename("b", "b/c"), unix.EINVAL)
		p.link("../outside", "l")
		must(t, p.Rename("l", "m"))
		if !p.lstat("m").IsSymlink() {
			t.Error("m is not the link")
		}
	})
}

func TestRemove(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		p.put("dir/file", "x")
		p.link("dir", "l")
		wantErr(t, p.Remove("dir"), unix.ENOTEMPTY)
		must(t, p.Remove("l"))
		must(t, p.Remove("dir/file"))
		must(t, p.Remove("dir"))
		wantErr(t, p.Remove("dir"), fs.ErrNotExist)
		if got := p.names("."); got != "" {
			t.Errorf("left %q", got)
		}
	})
}

func TestRemoveAll(t *testing.T) {
	ctx := context.Background()
	everywhere(t, func(t *testing.T, p *place) {
		fill := func() {
			p.put("d/a/one", "x")
			p.put("d/a/two", "x")
			p.put("d/b/three", "x")
			p.link(p.outside, "d/b/out")
		}
		fill()
		var seen []string
		must(t, p.RemoveAll(ctx, "d", RemoveOptions{OneFileSystem: true, Visit: func(path string, isDir bool) bool {
			if _, err := os.Lstat(p.dir + "/" + path); err != nil {
				t.Errorf("visited too late: %v", err)
			}
			if isDir {
				path += "/"
			}
			seen = append(seen, path)
			return true
		}}))
		last := map[string]string{"d/a/": "d/a/one", "d/b/": "d/b/out", "d/": "d/b/"}
		for dir, child := range last { // post-order
			if slices.Index(seen, child) > slices.Index(seen, dir) || slices.Index(seen, child) < 0 {
				t.Errorf("%s visited after %s in %q", child, dir, seen)
			}
		}
		if len(seen) != 7 {
			t.Errorf("visited %q", seen)
		}
		must(t, p.RemoveAll(ctx, "d", RemoveOptions{}))

		fill()
		must(t, p.RemoveAll(ctx, "d", RemoveOptions{Visit: func(path string, _ bool) bool { return path != "d/a/two" }}))
		if diff := cmp.Diff([]string{"d", "d/a", "d/a/two"}, tree(t, p.dir)); diff != "" {
			t.Errorf("kept (-want +got)\n%s", diff)
		}

		fill()
		ended, end := context.WithCancel(ctx)
		err := p.RemoveAll(ended, "d", RemoveOptions{Visit: func(string, bool) bool { end(); return true }})
		wantErr(t, err, context.Canceled)
		if left := tree(t, p.dir); len(left) != 6 {
			t.Errorf("after one removal %q are left", left)
		}

		p.link("d", "l")
		must(t, p.RemoveAll(ctx, "l", RemoveOptions{})) // the link, not d
		must(t, os.Chmod(p.dir+"/d/a", 0))
		must(t, os.Chmod(p.dir+"/d", 0o500))
		err = p.RemoveAll(ctx, "d", RemoveOptions{})
		if !isRoot() && p.kernel.noProc.Load() { // nothing is left to open it with
			wantErr(t, err, unix.EACCES)
			must(t, os.Chmod(p.dir+"/d/a", 0o700))
			err = p.RemoveAll(ctx, "d", RemoveOptions{})
		}
		must(t, err)
		if left := tree(t, p.dir); len(left) != 0 {
			t.Errorf("left %q", left)
		}
	})
}

// TestRemoveAllDeep: a deep tree takes no more descriptors than a flat one.
func TestRemoveAllDeep(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		deep := strings.TrimSuffix(strings.Repeat("d/", 400), "/")
		must(t, p.MkdirAll(deep, 0o755))
		must(t, p.save(deep+"/file", "x"))
		before := openFDs(t)
		must(t, p.RemoveAll(context.Background(), "d", RemoveOptions{Visit: func(string, bool) bool {
			if held := openFDs(t) - before; held > dirCacheSize {
				t.Errorf("%d descriptors held", held)
			}
			return true
		}}))
		if left := tree(t, p.dir); len(left) != 0 {
			t.Errorf("%d left", len(left))
		}
	})
}

// TestRemoveAllGoesOn: a mount point below the directory is kept and told, and the rest goes all the same. The mount is made
// in a namespace of its own, which needs no privileges, and reached through that process's root in /proc.
func TestRemoveAllGoesOn(t *testing.T) {
	dir := t.TempDir()
	must(t, os.MkdirAll(dir+"/d/mounted", 0o755))
	const script = `mount -t tmpfs none "$0/d/mounted" && touch "$0/d/mounted/file" && echo ready && exec cat`
	cmd := exec.Command("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, dir)
	cmd.Stderr = t.Output()
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	defer cmd.Wait()
	defer in.Close() // ends cat
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("no namespace to mount in: %q, %v", line, err)
	}
	inside := fmt.Sprintf("/proc/%d/root%s", cmd.Process.Pid, dir)
	for name, k := range kernels() {
		for _, sub := range []string{"a", "z"} {
			must(t, os.MkdirAll(inside+"/d/"+sub+"/deep", 0o755))
		}
		r, err := open(inside, k())
		must(t, err)
		err = r.RemoveAll(context.Background(), "d", RemoveOptions{OneFileSystem: true})
		var pe *fs.PathError
		if !errors.Is(err, unix.EBUSY) || !errors.As(err, &pe) || pe.Path != "d/mounted" {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff([]string{"d", "d/mounted", "d/mounted/file"}, tree(t, inside)); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
		must(t, r.Close())
	}
}

// tree lists all names below dir.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	list := []string{}
	must(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err == nil && path != dir {
			list = append(list, strings.TrimPrefix(path, dir+"/"))
		}
		return err
	}))
	return list
}
