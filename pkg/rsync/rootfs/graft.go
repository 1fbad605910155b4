package rootfs

import (
	"io/fs"

	"golang.org/x/sys/unix"
)

// maxGrafts bounds how many directories are grafted into one Root: each keeps a descriptor open.
const maxGrafts = 256

// Graft makes the directory of sub stand at path in r, whatever is there, until r is closed: names below path are looked up in
// it, as strictly as anywhere. It is for a path that the user has named through a symbolic link, whose target has been opened
// with [Root.Sub] or [Open] before. sub may be closed afterwards.
func (r *Root) Graft(path string, sub *Root) error {
	if err := CheckPath(path); err != nil || path == "." {
		return pathError("graft", path, ErrBadPath)
	}
	top, err := sub.cache.top()
	if err != nil {
		return pathError("graft", path, err)
	}
	defer top.release()
	fd, err := openat(top.fd, ".", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return pathError("graft", path, err)
	}
	d := newDir(fd, path)
	if err := r.cache.graft(d); err != nil {
		d.release()
		return pathError("graft", path, err)
	}
	return nil
}

// graft takes d over.
func (c *dirCache) graft(d *dir) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.root == nil:
		return fs.ErrClosed
	case len(c.grafts) >= maxGrafts:
		return unix.EMFILE
	}
	c.dropLocked(d.path)
	for i, g := range c.grafts {
		if g.path == d.path {
			g.release()
			c.grafts[i] = d
			return nil
		}
	}
	c.grafts = append(c.grafts, d)
	return nil
}

// grafted returns the innermost graft that path is at or below, nil if there is none. The caller releases it.
func (c *dirCache) grafted(path string) *dir {
	c.mu.Lock()
	defer c.mu.Unlock()
	var best *dir
	for _, g := range c.grafts {
		if within(path, g.path) && (best == nil || len(g.path) > len(best.path)) {
			best = g
		}
	}
	if best == nil {
		return nil
	}
	return best.retain()
}

// dirInGraft is dir for a path at or below a graft, of which it takes the caller's reference.
func (r *Root) dirInGraft(g *dir, path string) (*dir, error) {
	if path == g.path {
		return g, nil
	}
	defer g.release()
	rest := path[len(g.path)+1:]
	var fd int
	var err error
	if r.kernel.noOpenat2.Load() {
		fd, err = walkDir(g.fd, rest)
	} else if fd, err = openat2(g.fd, rest, beneath|unix.RESOLVE_NO_SYMLINKS); err == unix.ELOOP {
		err = because(ErrSymlink, err)
	}
	if err != nil {
		return nil, err
	}
	return newDir(fd, path), nil
}
