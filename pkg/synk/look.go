package synk

import (
	"context"
	"crypto/sha512"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"syscall"

	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

// looker tells what this machine has.
type looker struct {
	owners func(uid, gid uint32) (owner, group string)
	buf    []byte
}

func newLooker() *looker { return &looker{owners: newOwners().names, buf: make([]byte, 64<<10)} }

// file looks at a path of this machine.
func (l *looker) file(ctx context.Context, path string) Copy {
	dir, base := filepath.Split(filepath.Clean(path))
	if dir == "" {
		dir = "."
	}
	root, err := rootfs.Open(dir)
	if err != nil {
		return missing(err)
	}
	defer root.Close()
	if base == "" || base == "." || base == ".." {
		root.Close()
		if root, err = rootfs.Open(path); err != nil {
			return missing(err)
		}
		base = "."
	}
	return l.below(ctx, root, base)
}

// missing is a copy that is not there, or that cannot be looked at.
func missing(err error) Copy {
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return Copy{}
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return Copy{Err: err.Error()}
}

// below looks at a name below a root.
func (l *looker) below(ctx context.Context, root *rootfs.Root, name string) Copy {
	info, err := root.Lstat(name)
	if err != nil {
		return missing(err)
	}
	c := l.inode(info)
	switch {
	case info.IsDir():
		c.Kind = Dir
	case info.IsSymlink():
		c.Kind = Link
		if c.Target, err = root.Readlink(name); err != nil {
			return missing(err)
		}
	case info.IsRegular():
		return l.regular(ctx, root, name)
	default:
		c.Kind = Other
	}
	return c
}

func (l *looker) inode(i rootfs.Info) Copy {
	c := Copy{
		Mtime: Time{i.Mtime, int32(i.MtimeNsec)}, Ctime: Time{i.Ctime, int32(i.CtimeNsec)},
		Mode: i.Perm(), Size: i.Size,
	}
	c.Owner, c.Group = l.owners(i.UID, i.GID)
	return c
}

// attempts is how often a file is read that changes meanwhile.
const attempts = 3

// regular reads a file for its sum.
func (l *looker) regular(ctx context.Context, root *rootfs.Root, name string) Copy {
	for range attempts {
		c, steady, err := l.sum(ctx, root, name)
		switch {
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			if errors.Is(err, rootfs.ErrNotRegular) || errors.Is(err, rootfs.ErrSymlink) {
				continue // it has just become something else
			}
			return missing(err)
		case err != nil:
			return Copy{}
		case steady:
			return c
		}
	}
	return Copy{Err: "it changes while it is read"}
}

func (l *looker) sum(ctx context.Context, root *rootfs.Root, name string) (c Copy, steady bool, err error) {
	f, before, err := root.OpenRead(name, rootfs.NoAtime)
	if err != nil {
		return c, false, err
	}
	defer f.Close()
	h := sha512.New()
	if _, err := io.CopyBuffer(h, stopping{ctx, f}, l.buf); err != nil {
		return c, false, err
	}
	after, err := f.Stat()
	if err != nil {
		return c, false, err
	}
	c = l.inode(after)
	c.Kind = File
	h.Sum(c.Sum[:0])
	steady = before.Size == after.Size && before.Mtime == after.Mtime && before.MtimeNsec == after.MtimeNsec
	return c, steady, nil
}

// stopping is a reader that ends with its context.
type stopping struct {
	ctx context.Context
	r   io.Reader
}

func (s stopping) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.r.Read(p)
}

// tree looks at everything below a directory. A directory that cannot be read
// is told of with the reason, and nothing below it.
func (l *looker) tree(ctx context.Context, dir string) (top Copy, files map[string]Copy) {
	files = make(map[string]Copy)
	root, err := rootfs.Open(dir)
	if err != nil {
		return missing(err), files
	}
	defer root.Close()
	if err := l.walk(ctx, root, ".", files); err != nil {
		return Copy{Err: missing(err).Err}, files
	}
	return l.below(ctx, root, "."), files
}

// some looks at a few names below a directory; kept says why some of them could
// not be removed.
func (l *looker) some(ctx context.Context, dir string, names []Name, kept map[string]string, a *Answer) {
	root, err := rootfs.Open(dir)
	if err == nil {
		defer root.Close()
	}
	for _, n := range names {
		c := missing(err)
		if err == nil {
			c = l.below(ctx, root, string(n))
		}
		if why := kept[string(n)]; why != "" {
			c = Copy{Err: why}
		}
		a.Files = append(a.Files, report(string(n), c))
	}
}

// walk adds what is in a directory.
func (l *looker) walk(ctx context.Context, root *rootfs.Root, dir string, files map[string]Copy) error {
	entries, err := root.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		name := e.Name
		if dir != "." {
			name = dir + "/" + e.Name
		}
		if rootfs.IsTempName(e.Name) && e.Type&syscall.S_IFMT == syscall.S_IFREG {
			continue // left by a run that was killed
		}
		c := l.below(ctx, root, name)
		if c.Kind == Dir {
			if err := l.walk(ctx, root, name, files); err != nil {
				c = Copy{Content: Content{Kind: Dir}, Err: fmt.Sprintf("its files cannot be listed: %s", missing(err).Err)}
			}
		}
		if c.Err != "" || c.Present() {
			files[name] = c
		}
	}
	return nil
}
