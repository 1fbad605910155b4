package rootfs

import (
	"io/fs"

	"golang.org/x/sys/unix"
)

// Between two roots: names are resolved below each one's own root as strictly as anywhere else.

// LinkFrom makes newPath a hard link to oldPath below from. newPath must not exist; see Link.
func (r *Root) LinkFrom(from *Root, oldPath, newPath string) error {
	if err := r.charge(EntryRoom); err != nil {
		return pathError("link", newPath, err)
	}
	return r.across("link", from, oldPath, newPath, func(fd *dir, oldBase string, d *dir, base string) error {
		return link(fd.fd, oldBase, d.fd, base)
	})
}

// ReplaceLinkFrom is LinkFrom that replaces, in one step, whatever is at newPath but a directory.
func (r *Root) ReplaceLinkFrom(from *Root, oldPath, newPath string) error {
	if err := r.charge(EntryRoom); err != nil {
		return pathError("link", newPath, err)
	}
	return r.across("link", from, oldPath, newPath, func(fd *dir, oldBase string, d *dir, base string) error {
		return replace(d.fd, base, func(name string) error { return link(fd.fd, oldBase, d.fd, name) })
	})
}

// RenameFrom moves oldPath below from to newPath, replacing what is there as Rename does. Across file systems it fails with
// EXDEV.
func (r *Root) RenameFrom(from *Root, oldPath, newPath string) error {
	if oldPath == "." {
		return pathError("rename", oldPath, ErrBadPath)
	}
	err := r.across("rename", from, oldPath, newPath, func(fd *dir, oldBase string, d *dir, base string) error {
		return again(func() error { return unix.Renameat(fd.fd, oldBase, d.fd, base) })
	})
	if err == nil {
		from.cache.drop(oldPath)
		r.cache.drop(newPath)
	}
	return err
}

func (r *Root) across(op string, from *Root, oldPath, newPath string, f func(from *dir, oldBase string, d *dir, base string) error) error {
	var both error
	err := from.at(op, oldPath, false, func(fd *dir, oldBase string) error {
		return r.entry(op, newPath, true, func(d *dir, base string) error {
			both = f(fd, oldBase, d, base)
			return both
		})
	})
	if both != nil && err != nil {
		return pathError(op, oldPath+" -> "+newPath, both)
	}
	return err
}

// Root returns the root that the temporary file was created below.
func (t *Temp) Root() *Root { return t.root }

// CommitTo is Commit to a path below another root on the same file system; elsewhere it fails with EXDEV and, unlike after
// other errors, the temporary file stays for another try.
func (t *Temp) CommitTo(r *Root, path string) error {
	if r == t.root {
		return t.Commit(path)
	}
	return t.commit(path, func(op, path string) error {
		return r.entry(op, path, true, func(d *dir, base string) error {
			return again(func() error { return unix.Renameat(t.dir.fd, t.base, d.fd, base) })
		})
	}, func(err error) bool { return isErrno(unwrapErrno(err), unix.EXDEV) })
}

// unwrapErrno strips a path error.
func unwrapErrno(err error) error {
	if pe, ok := err.(*fs.PathError); ok {
		return pe.Err
	}
	return err
}
