package rootfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Reasons for which an [Operator] refuses a path.
var (
	// ErrUntrusted: the path leads through a symbolic link of somebody who is neither root nor the user who runs this.
	ErrUntrusted = errors.New(`refusing to follow a symlink owned by an untrusted user (where every folder on the way can be trusted: --insecure-links, or "insecure links = yes" in a daemon's module)`)
	// ErrConfined: the path comes out outside the folder that all of them must lie in.
	ErrConfined = errors.New("refusing a path that leads out of --confine-root")
)

// Operator opens what the one who runs this program has named, on a command line or in a configuration, rather than a peer: such
// a path may be absolute or relative to the working directory and lie anywhere. A symbolic link in it, the last component
// included, is followed only if root or the effective user owns it: who else can write in a folder on the way could plant one,
// and have this program read or write another file with its rights (CVE-2026-53802, CVE-2026-53803). Who owns the folders does
// not matter.
//
// The path is walked by descriptors, so that nobody can change a component between the look at its owner and its use. The zero
// value is the rule above; all methods are safe for concurrent use and need nothing newer than Linux 3.2.
type Operator struct {
	// Insecure has every link followed, whoever owns it.
	Insecure bool
	// Confine is the absolute folder in which what is opened must lie in the end, however it was named; "" and "/" mean any
	// place. With it, Insecure counts for nothing, and what is outside is ErrConfined whether it exists or not.
	Confine string

	slow bool // tests: do what kernels without openat2 need
}

// Open opens a file for reading.
func (o Operator) Open(path string) (*os.File, error) { return o.OpenFile(path, os.O_RDONLY, 0) }

// OpenFile opens a file; flag and perm are those of os.OpenFile, without os.O_EXCL. Errors are *fs.PathError with path and
// wrap ErrUntrusted, ErrConfined or what the kernel says.
func (o Operator) OpenFile(path string, flag int, perm fs.FileMode) (*os.File, error) {
	fd, err := o.open(unix.AT_FDCWD, path, flag|unix.O_LARGEFILE|unix.O_CLOEXEC, uint32(perm.Perm()))
	if err != nil {
		return nil, pathError("open", path, err)
	}
	var info Info
	if err := new(kernel).stat(fd, "", &info); err == nil && info.Mode&unix.S_IFMT == unix.S_IFIFO {
		_ = unix.SetNonblock(fd, true) // so that a Close ends a Read
	}
	return os.NewFile(uintptr(fd), path), nil
}

// Root opens the directory path as a Root, as [Open] does.
func (o Operator) Root(path string) (*Root, error) {
	fd, err := o.open(unix.AT_FDCWD, path, dirFlags, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open root", Path: path, Err: err}
	}
	k := new(kernel)
	k.probe(fd)
	return newRoot(fd, path, k), nil
}

// Within is Root for a path that starts in another root, which it may lead out of; "." is that root itself.
func (o Operator) Within(r *Root, path string) (*Root, error) {
	top, err := r.cache.top()
	if err != nil {
		return nil, pathError("open root", path, err)
	}
	defer top.release()
	fd, err := o.open(top.fd, path, dirFlags, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open root", Path: path, Err: err}
	}
	return newRoot(fd, r.name+"/"+path, r.kernel), nil
}

// ReadWithin reads a file below another root, to which links may lead from anywhere to anywhere; it is ReadSmall but for that.
func (o Operator) ReadWithin(r *Root, path string, limit int) ([]byte, error) {
	top, err := r.cache.top()
	if err != nil {
		return nil, pathError("read", path, err)
	}
	defer top.release()
	fd, err := o.open(top.fd, path, readFlags, 0)
	if isErrno(err, unix.ENOTDIR, unix.ENXIO, unix.ENODEV) {
		err = fs.ErrNotExist // a file for a directory, a socket, a device without a driver
	}
	if err != nil {
		return nil, pathError("read", path, err)
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, pathError("read", path, err)
	}
	text, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err == nil && len(text) > limit {
		err = pathError("read", path, fmt.Errorf("larger than %d bytes", limit))
	}
	return text, err
}

// Stat looks at what path leads to.
func (o Operator) Stat(path string) (info Info, err error) {
	fd, err := o.open(unix.AT_FDCWD, path, linkFlags, 0)
	if err != nil {
		return info, pathError("stat", path, err)
	}
	defer closeFD(fd)
	return info, pathError("stat", path, new(kernel).stat(fd, "", &info))
}

// open opens path, which starts at the directory from unless it is absolute.
func (o Operator) open(from int, path string, flags int, perm uint32) (int, error) {
	confined := o.Confine != "" && o.Confine != "/"
	switch {
	case path == "":
		return -1, unix.ENOENT
	case strings.IndexByte(path, 0) >= 0:
		return -1, unix.EINVAL
	case o.Insecure && !confined:
		return openat(from, path, flags&^unix.O_NOFOLLOW, perm)
	case !confined && !o.slow:
		// Mostly there is no link at all, which one system call can tell where there is openat2. Whatever it does not
		// like, the walk will find again.
		how := unix.OpenHow{Flags: uint64(flags &^ unix.O_NOFOLLOW), Resolve: unix.RESOLVE_NO_SYMLINKS}
		if flags&unix.O_CREAT != 0 {
			how.Mode = uint64(perm)
		}
		fd, err := unix.Openat2(from, path, &how)
		if err == nil || isErrno(err, unix.ENOENT, unix.ENOTDIR) {
			return fd, err
		}
	}
	w := ownerWalk{at: from, rest: path, flags: flags | unix.O_NOFOLLOW, perm: perm}
	defer func() { w.move(from, false) }()
	if confined {
		fd, err := Operator{slow: o.slow}.open(unix.AT_FDCWD, o.Confine, dirFlags, 0)
		if err != nil {
			return -1, because(ErrConfined, err)
		}
		defer closeFD(fd)
		w.confine = new(Info)
		if err := w.kernel.stat(fd, "", w.confine); err != nil {
			return -1, err
		}
	}
	return w.open()
}
