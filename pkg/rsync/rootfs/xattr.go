package rootfs

import (
	"bytes"
	"io/fs"
	"strconv"

	"golang.org/x/sys/unix"
)

// MaxXattr is the longest value of an extended attribute that Linux takes, in bytes (XATTR_SIZE_MAX).
const MaxXattr = 64 << 10

// maxXattrNames bounds the list of names, as Linux does (XATTR_LIST_MAX).
const maxXattrNames = 64 << 10

// Attrs is an open file as the owner of extended attributes: of a file, a folder, or a symbolic link itself. The kernel has
// calls for that below a directory's handle only since 6.13, so regular files and folders are opened, and everything else is
// reached through its handle's entry in /proc. Errors are *fs.PathError; a file system without extended attributes is
// syscall.ENOTSUP, an attribute that is not there syscall.ENODATA.
type Attrs struct {
	limit *limit
	path  string
	fd    int
	owned bool
	proc  string // the handle's name in /proc; "": fd itself will do
}

// OpenAttrs opens path for its extended attributes, never following a link, unless the Root follows links: then to folders, and
// with the flag Follow to everything.
func (r *Root) OpenAttrs(path string, flags OpenFlags) (*Attrs, error) {
	a := &Attrs{path: path, fd: -1, owned: true, limit: r.limit}
	if r.follow != nil && flags&Follow != 0 {
		if err := a.openFollowing(r); err != nil {
			return nil, err
		}
		return a, nil
	}
	isDir := false
	if r.follow != nil {
		info, err := r.Stat(path)
		isDir = err == nil && info.IsDir()
	}
	err := r.metaAt("open attributes", path, isDir, func(d *dir, base string) error {
		var info Info
		if err := r.kernel.stat(d.fd, base, &info); err != nil {
			return err
		}
		return a.open(r.kernel, d.fd, base, info)
	})
	if err != nil {
		return nil, err
	}
	return a, nil
}

// openFollowing opens what a name leads to: nothing is read, so a device does not matter.
func (a *Attrs) openFollowing(r *Root) error {
	info, err := r.Stat(a.path)
	if err != nil {
		return err
	}
	if !info.IsRegular() && !info.IsDir() {
		plain, err := r.OpenAttrs(a.path, 0)
		if err == nil {
			*a = *plain
		}
		return err
	}
	a.fd, err = r.openPath("open attributes", a.path, readFlags)
	return err
}

func (a *Attrs) open(k *kernel, dirfd int, name string, info Info) (err error) {
	if info.IsRegular() || info.IsDir() {
		flags := readFlags
		if info.IsDir() {
			flags = listFlags
		}
		if a.fd, err = openat(dirfd, name, flags, 0); err == nil {
			return nil
		}
		if err != unix.EACCES {
			return err
		}
	}
	if a.fd, err = openat(dirfd, name, linkFlags, 0); err != nil {
		return err
	}
	proc, err := k.openProc()
	if err != nil {
		closeFD(a.fd)
		return unix.ENOTSUP // in a chroot without /proc
	}
	closeFD(proc)
	a.proc = "/proc/self/fd/" + strconv.Itoa(a.fd)
	return nil
}

// Attrs gives access to the open file's extended attributes. It is good as long as the file is open and need not be closed.
func (f *File) Attrs() *Attrs { return &Attrs{path: f.path, fd: f.fd, limit: f.root.limit} }

// Close gives the handle back.
func (a *Attrs) Close() error {
	if !a.owned {
		return nil
	}
	a.owned = false
	return pathError("close", a.path, closeFD(a.fd))
}

// Names lists the names of all attributes that this process may see, in the order that the file system keeps.
func (a *Attrs) Names() ([]string, error) {
	size := 1 << 10
	for {
		buf := make([]byte, size)
		n, err := a.call(func() (int, error) { return unix.Flistxattr(a.fd, buf) }, func() (int, error) { return unix.Listxattr(a.proc, buf) })
		if err == unix.ERANGE && size < maxXattrNames {
			size = maxXattrNames
			continue
		}
		if err != nil {
			return nil, a.error("list attributes", err)
		}
		var names []string
		for part := range bytes.SplitSeq(buf[:n], []byte{0}) {
			if len(part) > 0 {
				names = append(names, string(part))
			}
		}
		return names, nil
	}
}

// Get returns an attribute's value, at most MaxXattr bytes.
func (a *Attrs) Get(name string) ([]byte, error) {
	size := 256
	for {
		buf := make([]byte, size)
		n, err := a.call(func() (int, error) { return unix.Fgetxattr(a.fd, name, buf) }, func() (int, error) { return unix.Getxattr(a.proc, name, buf) })
		if err == unix.ERANGE && size < MaxXattr {
			size = MaxXattr
			continue
		}
		if err != nil {
			return nil, a.error("read attribute "+name, err)
		}
		return bytes.Clone(buf[:n]), nil
	}
}

// Set creates or replaces an attribute.
func (a *Attrs) Set(name string, value []byte) error {
	if err := a.limit.ask(int64(len(name) + len(value))); err != nil {
		return a.error("set attribute "+name, err)
	}
	_, err := a.call(func() (int, error) { return 0, unix.Fsetxattr(a.fd, name, value, 0) },
		func() (int, error) { return 0, unix.Setxattr(a.proc, name, value, 0) })
	return a.error("set attribute "+name, err)
}

// Remove removes an attribute.
func (a *Attrs) Remove(name string) error {
	_, err := a.call(func() (int, error) { return 0, unix.Fremovexattr(a.fd, name) },
		func() (int, error) { return 0, unix.Removexattr(a.proc, name) })
	return a.error("remove attribute "+name, err)
}

// call does what suits the handle, until no signal interrupts it.
func (a *Attrs) call(byFD, byName func() (int, error)) (int, error) {
	do := byFD
	if a.proc != "" {
		do = byName
	}
	for {
		if a.fd < 0 {
			return 0, fs.ErrClosed
		}
		if n, err := do(); err != unix.EINTR {
			return n, err
		}
	}
}

func (a *Attrs) error(op string, err error) error { return pathError(op, a.path, err) }
