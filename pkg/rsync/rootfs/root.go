package rootfs

import (
	"io/fs"
	"path/filepath"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Root is a directory tree that its methods cannot leave. It is safe for concurrent use, Close included: operations under
// way end normally, later ones fail with fs.ErrClosed.
type Root struct {
	name    string
	kernel  *kernel
	cache   dirCache
	follow  *following // nil: links are not followed
	limit   *limit     // nil: none
	buffers sync.Pool  // *[]byte for getdents
}

// kernel remembers what the running kernel cannot do, learned once and shared by a Root and its Subs.
type kernel struct {
	noOpenat2   atomic.Bool // before Linux 5.6, or kept out by a system call filter
	noFchmodat2 atomic.Bool // before Linux 6.6
	noStatx     atomic.Bool // before Linux 4.11; used on 32-bit machines only
	noProc      atomic.Bool // no /proc to be trusted, as in a chroot
}

// Open makes path the root. Symbolic links in it are followed, whoever owns them; see [Operator] for a path that strangers could
// plant links in. The directory needs
// search permission only; listing or syncing it needs read permission as well.
func Open(path string) (*Root, error) {
	return open(path, new(kernel))
}

func open(path string, k *kernel) (*Root, error) {
	fd, err := openat(unix.AT_FDCWD, path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open root", Path: path, Err: err}
	}
	k.probe(fd)
	return newRoot(fd, path, k), nil
}

// probe finds out whether there is openat2, on a directory.
func (k *kernel) probe(dir int) {
	if k.noOpenat2.Load() {
		return
	}
	fd, err := openat2(dir, ".", beneath|unix.RESOLVE_NO_SYMLINKS)
	if err != nil {
		k.noOpenat2.Store(true)
		return
	}
	closeFD(fd)
}

// newRoot takes over fd.
func newRoot(fd int, name string, k *kernel) *Root {
	r := &Root{name: name, kernel: k}
	r.buffers.New = func() any { b := make([]byte, direntBuffer); return &b }
	r.cache.root = newDir(fd, ".")
	return r
}

// Sub opens the directory path as a Root of its own. Unlike everywhere else symbolic links are followed, the last component
// included, as long as they lead to a place inside this root; one that is absolute or climbs out is ErrEscapes. The new Root is
// confined to the directory reached, and lives on when this one is closed.
func (r *Root) Sub(path string) (*Root, error) {
	if err := CheckPath(path); err != nil {
		return nil, pathError("open", path, err)
	}
	top, err := r.cache.top()
	if err != nil {
		return nil, pathError("open", path, err)
	}
	defer top.release()
	in, name, links := top.fd, path, LinksBeneath
	if f := r.follow; f != nil {
		in, name, links = f.top.fd, f.full(path), f.links
	} else if g := r.cache.grafted(path); g != nil {
		defer g.release()
		if in, name = g.fd, "."; path != g.path {
			name = path[len(g.path)+1:]
		}
	}
	fd, err := r.openFollow(in, name, dirFlags, links)
	if err != nil {
		return nil, pathError("open", path, err)
	}
	sub := newRoot(fd, filepath.Join(r.name, path), r.kernel)
	sub.limit = r.limit
	return sub, nil
}

// Name returns the path given to Open (for a Sub, joined with the path given there), for messages only.
func (r *Root) Name() string { return r.name }

// Forget closes the cached directory handles that no operation is using, for instance so that a file system below the root
// can be unmounted. The Root stays usable.
func (r *Root) Forget() { r.cache.drop(".") }

// Close gives the root's handles back. Files and Temps that are open stay usable.
func (r *Root) Close() error {
	if !r.cache.close() {
		return &fs.PathError{Op: "close root", Path: r.name, Err: fs.ErrClosed}
	}
	r.follow.close()
	return nil
}

// at checks path and calls f with a handle of its directory and its last component. With insist set, f is called again with a
// fresh handle if it finds nothing (ENOENT) in a cached directory: somebody else may have replaced that directory.
func (r *Root) at(op, path string, insist bool, f func(d *dir, base string) error) error {
	if err := CheckPath(path); err != nil {
		return pathError(op, path, err)
	}
	parent, base := split(path)
	d, cached, err := r.dir(parent)
	if err != nil {
		return pathError(op, path, err)
	}
	err = f(d, base)
	d.release()
	if err != unix.ENOENT || !insist || !cached {
		return pathError(op, path, err)
	}
	r.cache.drop(parent)
	if d, _, err = r.dir(parent); err != nil {
		return pathError(op, path, err)
	}
	defer d.release()
	return pathError(op, path, f(d, base))
}

// entry is at for operations that need a name below the root: "." is refused.
func (r *Root) entry(op, path string, insist bool, f func(d *dir, base string) error) error {
	if path == "." {
		return pathError(op, path, ErrBadPath)
	}
	return r.at(op, path, insist, f)
}
