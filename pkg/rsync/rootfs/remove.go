package rootfs

import (
	"context"
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"
)

// Remove removes path: a file, a symbolic link (not what it leads to), a node, or an empty directory.
func (r *Root) Remove(path string) error {
	const op = "remove"
	wasDir := false
	err := r.entry(op, path, false, func(d *dir, base string) error {
		err := unlink(d.fd, base, 0)
		if isErrno(err, unix.EISDIR, unix.EPERM) { // Linux says EISDIR, some of its file systems EPERM as POSIX has it
			dirErr := unlink(d.fd, base, unix.AT_REMOVEDIR)
			if dirErr == unix.ENOTDIR {
				return err
			}
			wasDir, err = true, dirErr
		}
		return err
	})
	if err == nil && wasDir {
		r.cache.drop(path)
	}
	return err
}

func unlink(dirfd int, name string, flags int) error {
	return again(func() error { return unix.Unlinkat(dirfd, name, flags) })
}

// RemoveOptions guide RemoveAll; the zero value removes everything.
type RemoveOptions struct {
	// Visit, if set, is called before each removal, the entries of a directory before the directory itself. Returning false
	// keeps the entry, and with it, without error, the directories above.
	Visit func(path string, isDir bool) bool
	// OneFileSystem leaves alone directories on which another file system is mounted: each is an error of its own (EBUSY).
	OneFileSystem bool
}

// RemoveAll removes path and, if it is a directory, all below it; links are removed and never followed. What is not there is
// no error. What cannot be removed is left, the rest goes on; the first such error is returned. When ctx ends it stops between
// two entries with an error that wraps ctx.Err(). A directory without permissions that is ours is made accessible.
func (r *Root) RemoveAll(ctx context.Context, path string, opt RemoveOptions) error {
	if path == "." {
		return pathError("remove", path, ErrBadPath)
	}
	info, err := r.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	rm := remover{root: r, ctx: ctx, opt: opt, dev: info.Dev}
	rm.remove(path, info.IsDir(), nil)
	return rm.err
}

// remover is one RemoveAll under way.
type remover struct {
	root *Root
	ctx  context.Context
	opt  RemoveOptions
	dev  uint64
	err  error // the first
}

func (rm *remover) fail(err error) {
	if rm.err == nil {
		rm.err = err
	}
}

// remove removes path and reports whether it is gone. parent is the directory it is in, if that is being removed too.
func (rm *remover) remove(path string, isDir bool, parent *emptied) bool {
	if err := rm.ctx.Err(); err != nil {
		rm.fail(pathError("remove", path, err))
		return false
	}
	if isDir && !rm.empty(path) {
		return false
	}
	if rm.opt.Visit != nil && !rm.opt.Visit(path, isDir) {
		return false
	}
	err := rm.root.Remove(path)
	if errors.Is(err, unix.EACCES) && parent != nil && rm.unlock(parent) {
		err = rm.root.Remove(path)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		rm.fail(err)
		return false
	}
	return true
}

// emptied is a directory whose entries are being removed.
type emptied struct {
	path     string
	unlocked bool // its permissions have been widened, or that was tried
}

// unlock gives us all permissions on a directory, once; it reports whether there is a change that makes trying again worth it.
func (rm *remover) unlock(d *emptied) bool {
	if d.unlocked {
		return false
	}
	d.unlocked = true
	return rm.root.SetMetadata(d.path, Meta{Fields: FieldMode, Mode: 0o700}) == nil
}

// empty removes the entries of the directory path and reports whether all are gone. The names are read first and the
// directory closed, so that a deep tree does not use up descriptors.
func (rm *remover) empty(path string) bool {
	if err := rm.mounted(path); err != nil {
		rm.fail(err)
		return false
	}
	d := &emptied{path: path}
	entries, err := rm.root.ReadDir(path)
	if errors.Is(err, unix.EACCES) && rm.unlock(d) {
		entries, err = rm.root.ReadDir(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	if err != nil {
		rm.fail(err)
		return false
	}
	all := true
	for _, e := range entries {
		name := join(path, e.Name)
		isDir := e.Type == unix.S_IFDIR
		if e.Type == 0 {
			isDir = rm.root.isDir(name)
		}
		if !rm.remove(name, isDir, d) {
			all = false
		}
		if err := rm.ctx.Err(); err != nil {
			rm.fail(pathError("remove", name, err))
			return false
		}
	}
	return all
}

// mounted is the error for a directory that OneFileSystem protects.
func (rm *remover) mounted(path string) error {
	if !rm.opt.OneFileSystem {
		return nil
	}
	info, err := rm.root.Lstat(path)
	if err == nil && info.Dev != rm.dev {
		err = pathError("remove", path, because(errMounted, unix.EBUSY))
	}
	return err
}

// errMounted is why RemoveOptions.OneFileSystem leaves a directory.
var errMounted = errors.New("another file system is mounted here")
