package rootfs

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"
)

// Mkdir makes the directory path with perm less the umask. Whatever exists there already is fs.ErrExist.
func (r *Root) Mkdir(path string, perm uint32) error {
	return r.fresh("mkdir", path, func(d *dir, base string) error {
		return again(func() error { return unix.Mkdirat(d.fd, base, perm&0o7777) })
	})
}

// MkdirAll makes the directory path and those above it that are missing, with perm less the umask. Directories that exist are
// left as they are; anything else in the way is an error.
func (r *Root) MkdirAll(path string, perm uint32) error {
	if path == "." {
		return nil
	}
	err := r.Mkdir(path, perm)
	if errors.Is(err, fs.ErrNotExist) {
		parent, _ := split(path)
		if err = r.MkdirAll(parent, perm); err == nil {
			err = r.Mkdir(path, perm)
		}
	}
	if errors.Is(err, fs.ErrExist) && r.isDir(path) {
		return nil
	}
	return err
}

// isDir reports whether path is a directory, a link to one not counting.
func (r *Root) isDir(path string) bool {
	info, err := r.Lstat(path)
	return err == nil && info.IsDir()
}

// Symlink makes the symbolic link path with the text target, which is not looked at. path must not exist.
func (r *Root) Symlink(target, path string) error {
	return r.fresh("symlink", path, func(d *dir, base string) error { return symlink(target, d.fd, base) })
}

// ReplaceSymlink is Symlink that replaces, in one step, whatever is at path but a directory.
func (r *Root) ReplaceSymlink(target, path string) error {
	return r.fresh("symlink", path, func(d *dir, base string) error {
		return replace(d.fd, base, func(name string) error { return symlink(target, d.fd, name) })
	})
}

func symlink(target string, dirfd int, name string) error {
	return again(func() error { return unix.Symlinkat(target, dirfd, name) })
}

// Readlink returns the text of the symbolic link path, at most 4095 bytes.
func (r *Root) Readlink(path string) (target string, err error) {
	err = r.entry("readlink", path, false, func(d *dir, base string) error {
		target, err = readlinkat(d.fd, base)
		return err
	})
	return target, err
}

// Mknod makes a fifo, socket or device: mode holds its type (S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK) and its permissions, less
// the umask; rdev is a device's number as in Info.Rdev, else ignored. Devices need privileges. path must not exist.
func (r *Root) Mknod(path string, mode uint32, rdev uint64) error {
	return r.fresh("mknod", path, func(d *dir, base string) error { return mknod(d.fd, base, mode, rdev) })
}

// ReplaceNode is Mknod that replaces, in one step, whatever is at path but a directory.
func (r *Root) ReplaceNode(path string, mode uint32, rdev uint64) error {
	return r.fresh("mknod", path, func(d *dir, base string) error {
		return replace(d.fd, base, func(name string) error { return mknod(d.fd, name, mode, rdev) })
	})
}

func mknod(dirfd int, name string, mode uint32, rdev uint64) error {
	dev := uint32(0)
	switch mode & unix.S_IFMT {
	case unix.S_IFIFO, unix.S_IFSOCK:
	case unix.S_IFCHR, unix.S_IFBLK:
		major, minor := unix.Major(rdev), unix.Minor(rdev)
		if major >= 1<<12 || minor >= 1<<20 { // the kernel would cut them and make another device
			return unix.EINVAL
		}
		dev = uint32(unix.Mkdev(major, minor))
	default:
		return unix.EINVAL
	}
	return again(func() error { return unix.Mknodat(dirfd, name, mode&(unix.S_IFMT|0o7777), int(dev)) })
}

// Link makes newPath a hard link to oldPath. A symbolic link at oldPath is itself linked, not what it leads to. newPath must
// not exist.
func (r *Root) Link(oldPath, newPath string) error {
	if err := r.charge(EntryRoom); err != nil {
		return pathError("link", newPath, err)
	}
	return r.pair("link", oldPath, newPath, func(from *dir, oldBase string, d *dir, base string) error {
		return link(from.fd, oldBase, d.fd, base)
	})
}

// ReplaceLink is Link that replaces, in one step, whatever is at newPath but a directory.
func (r *Root) ReplaceLink(oldPath, newPath string) error {
	if err := r.charge(EntryRoom); err != nil {
		return pathError("link", newPath, err)
	}
	return r.pair("link", oldPath, newPath, func(from *dir, oldBase string, d *dir, base string) error {
		return replace(d.fd, base, func(name string) error { return link(from.fd, oldBase, d.fd, name) })
	})
}

func link(oldDir int, oldName string, newDir int, newName string) error {
	return again(func() error { return unix.Linkat(oldDir, oldName, newDir, newName, 0) })
}

// replace calls make to create a temporary name beside base, and renames that to base.
func replace(dirfd int, base string, make func(name string) error) error {
	temp, err := withTempName(base, make)
	if err != nil {
		return err
	}
	err = again(func() error { return unix.Renameat(dirfd, temp, dirfd, base) })
	// The name can still be there after success too: renaming a hard link to another of the same file does nothing.
	if gone := unlink(dirfd, temp, 0); err == nil && gone != unix.ENOENT {
		err = gone
	}
	return err
}

// Rename moves oldPath to newPath, replacing what is there if the kernel allows: a non-directory, or an empty directory by a
// directory. A symbolic link is moved itself.
func (r *Root) Rename(oldPath, newPath string) error {
	if oldPath == "." {
		return pathError("rename", oldPath, ErrBadPath)
	}
	err := r.pair("rename", oldPath, newPath, func(from *dir, oldBase string, d *dir, base string) error {
		return again(func() error { return unix.Renameat(from.fd, oldBase, d.fd, base) })
	})
	if err == nil {
		r.cache.drop(oldPath)
		r.cache.drop(newPath)
	}
	return err
}

// pair is entry for operations on two names. What f itself reports is about both.
func (r *Root) pair(op, oldPath, newPath string, f func(from *dir, oldBase string, d *dir, base string) error) error {
	var both error
	err := r.at(op, oldPath, false, func(from *dir, oldBase string) error {
		return r.entry(op, newPath, true, func(d *dir, base string) error {
			both = f(from, oldBase, d, base)
			return both
		})
	})
	if both != nil && err != nil {
		return pathError(op, oldPath+" -> "+newPath, both)
	}
	return err
}
