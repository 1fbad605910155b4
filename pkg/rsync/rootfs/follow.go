package rootfs

import (
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Links says what happens to symbolic links that a Root follows.
type Links uint8

const (
	// LinksBeneath follows links that are relative and never climb above the top; others are ErrEscapes.
	LinksBeneath Links = iota
	// LinksAsRoot takes the top for the root of all names, as a chroot does: absolute links start there, and ".." stops there.
	LinksAsRoot
)

// following is what a Root that follows links has besides.
type following struct {
	top   *dir // what links may not lead out of
	base  string
	links Links
}

// Following opens the directory base as a Root for those options of rsync's that follow links. Names are below base; a symbolic
// link in the directory part of a name is followed as long as it leads to a place below this root, which the new one needs not
// as long as it lives. The last component is followed by Stat, ReadDir and its kin, by OpenRead if its flags say so, and by
// metadata of a directory; everywhere else it is itself the thing acted on.
func (r *Root) Following(base string, links Links) (*Root, error) {
	if err := CheckPath(base); err != nil {
		return nil, pathError("open", base, err)
	}
	top, err := r.cache.top()
	if err != nil {
		return nil, pathError("open", base, err)
	}
	if r.follow != nil {
		top.release()
		return nil, pathError("open", base, ErrBadPath) // one that follows is made from one that does not
	}
	fd, err := r.openFollow(top.fd, base, dirFlags, links)
	if err != nil {
		top.release()
		return nil, pathError("open", base, err)
	}
	f := newRoot(fd, filepath.Join(r.name, base), r.kernel)
	f.limit = r.limit
	f.follow = &following{top: top, base: base, links: links}
	return f, nil
}

// Stat looks at what path leads to. In a Root that does not follow links otherwise it is as for LinksBeneath.
func (r *Root) Stat(path string) (info Info, err error) {
	fd, err := r.openPath("stat", path, linkFlags)
	if err != nil {
		return info, err
	}
	defer closeFD(fd)
	return info, pathError("stat", path, r.kernel.stat(fd, "", &info))
}

// openPath opens what path leads to, following links in all of it.
func (r *Root) openPath(op, path string, flags int) (int, error) {
	if err := CheckPath(path); err != nil {
		return -1, pathError(op, path, err)
	}
	top, err := r.cache.top()
	if err != nil {
		return -1, pathError(op, path, err)
	}
	defer top.release()
	fd, links, name := top.fd, LinksBeneath, path
	if f := r.follow; f != nil {
		fd, links, name = f.top.fd, f.links, f.full(path)
	}
	fd, err = r.openFollow(fd, name, flags, links)
	return fd, pathError(op, path, err)
}

// full is a name below top.
func (f *following) full(path string) string {
	if path == "." {
		return f.base
	}
	return join(f.base, path)
}

// openFollow opens path below top, following links. flags are as for openat.
func (r *Root) openFollow(top int, path string, flags int, links Links) (int, error) {
	resolve := uint64(beneath)
	if links == LinksAsRoot {
		resolve = unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS
	}
	for range maxRaces {
		if r.kernel.noOpenat2.Load() {
			break
		}
		how := flags &^ unix.O_NOFOLLOW
		if flags&unix.O_PATH == 0 {
			how |= unix.O_LARGEFILE // which openat adds by itself
		}
		fd, err := openat2Flags(top, path, how, resolve)
		switch err {
		case unix.EAGAIN:
			continue
		case unix.EXDEV:
			err = because(ErrEscapes, err)
		}
		return fd, err
	}
	w := walk{top: top, links: links, rest: path}
	defer w.close()
	return w.open(flags)
}

// walk follows links one by one, for kernels without openat2. It keeps a handle for each directory on the way down, so that
// ".." in a link's text goes back to the directory we came through, not to wherever that has been moved meanwhile.
type walk struct {
	top   int
	links Links
	rest  string // of the path
	stack []int  // below top, in order
	seen  int    // links followed
}

func (w *walk) close() {
	for _, fd := range w.stack {
		closeFD(fd)
	}
	w.stack = nil
}

func (w *walk) at() int {
	if len(w.stack) == 0 {
		return w.top
	}
	return w.stack[len(w.stack)-1]
}

// open goes through the path and opens its end.
func (w *walk) open(flags int) (int, error) {
	for w.rest != "" {
		name, rest, _ := strings.Cut(w.rest, "/")
		w.rest = rest
		switch name {
		case "", ".":
			continue
		case "..":
			if err := w.up(); err != nil {
				return -1, err
			}
			continue
		}
		fd, target, err := openStep(w.at(), name)
		switch {
		case err == unix.ENOTDIR && rest == "":
			return openat(w.at(), name, flags|unix.O_NOFOLLOW, 0)
		case err != nil:
			return -1, err
		case target == "":
			w.stack = append(w.stack, fd)
			continue
		}
		if err := w.enter(target); err != nil {
			return -1, err
		}
	}
	return openat(w.at(), ".", flags|unix.O_NOFOLLOW, 0)
}

func (w *walk) up() error {
	switch {
	case len(w.stack) > 0:
		closeFD(w.at())
		w.stack = w.stack[:len(w.stack)-1]
	case w.links == LinksBeneath:
		return because(ErrEscapes, unix.EXDEV)
	}
	return nil
}

// enter goes on with a link's text.
func (w *walk) enter(target string) error {
	if w.seen++; w.seen > maxLinks || len(target)+len(w.rest) > maxPath {
		return unix.ELOOP
	}
	if target[0] == '/' {
		if w.links == LinksBeneath {
			return because(ErrEscapes, unix.EXDEV)
		}
		w.close()
	}
	if w.rest != "" {
		target += "/" + w.rest
	}
	w.rest = target
	return nil
}

// metaAt is at for metadata: where links are followed, those of a directory are its own, not those of a link that leads to it.
func (r *Root) metaAt(op, path string, isDir bool, f func(d *dir, base string) error) error {
	if r.follow == nil || !isDir {
		return r.at(op, path, false, f)
	}
	if err := CheckPath(path); err != nil {
		return pathError(op, path, err)
	}
	d, _, err := r.dir(path)
	if err != nil {
		return pathError(op, path, err)
	}
	defer d.release()
	return pathError(op, path, f(d, "."))
}

// close lets go of top.
func (f *following) close() {
	if f != nil {
		f.top.release()
	}
}
