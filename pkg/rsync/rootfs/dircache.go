package rootfs

import (
	"io/fs"
	"sync"
	"sync/atomic"
)

// dirCacheSize is how many directory handles a Root keeps: enough for the ancestors of a deep tree and a few goroutines,
// few against the usual limit of 1024 descriptors.
const dirCacheSize = 16

// dir is a handle (O_PATH) of a directory. It counts its users; the last to release it closes it.
type dir struct {
	fd   int
	path string
	refs atomic.Int32
}

// newDir takes over fd; the caller holds the one reference.
func newDir(fd int, path string) *dir {
	d := &dir{fd: fd, path: path}
	d.refs.Store(1)
	return d
}

// retain adds a user; the caller must be one already, or hold the lock of the cache that is.
func (d *dir) retain() *dir {
	d.refs.Add(1)
	return d
}

func (d *dir) release() {
	if d.refs.Add(-1) == 0 {
		closeFD(d.fd)
	}
}

// dirCache keeps the directories used last, most recent first. Its lock is held for look-ups only, never over a system call
// that may wait (closing a handle of a directory does not).
type dirCache struct {
	mu         sync.Mutex
	root       *dir // nil once closed
	dirs       [dirCacheSize]*dir
	n          int
	grafts     []*dir // directories that stand in the place of others
	generation uint64 // counts drops: a handle resolved before a drop must not be kept after it
}

// top returns the root's own handle, to be released by the caller.
func (c *dirCache) top() (*dir, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.root == nil {
		return nil, fs.ErrClosed
	}
	return c.root.retain(), nil
}

// get returns the handle kept for path, or else the nearest one above it (at worst the root), and the generation to give
// to put. The caller releases the handle.
func (c *dirCache) get(path string) (d *dir, generation uint64, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.root == nil {
		return nil, 0, fs.ErrClosed
	}
	best := -1
	for i, d := range c.dirs[:c.n] {
		if len(d.path) == len(path) && d.path == path {
			copy(c.dirs[1:i+1], c.dirs[:i])
			c.dirs[0] = d
			return d.retain(), c.generation, nil
		}
		if within(path, d.path) && (best < 0 || len(d.path) > len(c.dirs[best].path)) {
			best = i
		}
	}
	if best < 0 {
		return c.root.retain(), c.generation, nil
	}
	return c.dirs[best].retain(), c.generation, nil
}

// have returns the handle kept for path, to be released by the caller; nil if there is none.
func (c *dirCache) have(path string) *dir {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n > 0 && c.dirs[0].path == path { // as a rule
		return c.dirs[0].retain()
	}
	for i, d := range c.dirs[:c.n] {
		if d.path == path {
			copy(c.dirs[1:i+1], c.dirs[:i])
			c.dirs[0] = d
			return d.retain()
		}
	}
	return nil
}

// put keeps d, unless a drop happened since generation or the cache is closed.
func (c *dirCache) put(d *dir, generation uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.root == nil || c.generation != generation {
		return
	}
	for _, have := range c.dirs[:c.n] {
		if have.path == d.path {
			return // another goroutine was quicker
		}
	}
	if c.n == len(c.dirs) {
		c.n--
		c.dirs[c.n].release()
	}
	copy(c.dirs[1:c.n+1], c.dirs[:c.n])
	c.dirs[0] = d.retain()
	c.n++
}

// drop forgets path and all below it: it was removed, renamed or replaced.
func (c *dirCache) drop(path string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropLocked(path)
}

func (c *dirCache) dropLocked(path string) {
	c.generation++
	kept := 0
	for _, d := range c.dirs[:c.n] {
		if within(d.path, path) {
			d.release()
			continue
		}
		c.dirs[kept] = d
		kept++
	}
	clear(c.dirs[kept:])
	c.n = kept
}

// close drops everything and the root; it reports false when that was done before.
func (c *dirCache) close() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.root == nil {
		return false
	}
	c.dropLocked(".")
	for _, g := range c.grafts {
		g.release()
	}
	c.grafts = nil
	c.root.release()
	c.root = nil
	return true
}
