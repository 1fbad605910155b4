package transfer

import (
	"errors"
	"io"
	"sync"
	"syscall"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

// committer puts finished files in their places. With --fsync it gathers some
// of them first, so that one sync of the file system makes all of their data
// durable before the first one gets its name: a power cut leaves the old file
// or the new one, at a small part of what a sync per file costs.
//
// The receiving goroutine adds files; the generating one may flush when it
// waits for them.
type committer struct {
	*receiver
	mu      sync.Mutex
	waiting []finished
	bytes   int64
}

// finished is a file with all of its data under another name: a temporary
// file, or one that was written into and is to be renamed.
type finished struct {
	temp  *rootfs.Temp // nil: held, which is at from
	held  *rootfs.File
	from  spot
	path  string
	meta  rootfs.Meta
	redo  bool
	done  func() // nil, or called when it is in place
	part  *part
	index int32
	entry *filelist.Entry

	away   bool // with --fsync: it is on another file system than the destination's
	placed bool // it has its name
}

// Limits of what may wait, which also bound the open files.
const (
	maxWaitingFiles = 64
	maxWaitingBytes = 16 << 20
)

// add sets a file's metadata and commits it, or lets it wait.
func (c *committer) add(f finished, size int64) error {
	if err := c.dress(f); err != nil {
		c.failFile("setting the attributes of %q failed: %v", f.path, reason(err))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = append(c.waiting, f)
	c.bytes += size
	if c.opt.Fsync && len(c.waiting) < maxWaitingFiles && c.bytes < maxWaitingBytes {
		return nil
	}
	return c.flushLocked()
}

// dress gives a file its metadata.
func (c *committer) dress(f finished) error {
	file := f.held
	if f.temp != nil {
		file = &f.temp.File
	}
	return c.dressFile(file, f.entry, f.path, f.meta, false)
}

// dressAgain gives what is in its place already what only an open file or a
// temporary one gets otherwise.
func (r *receiver) dressAgain(e *filelist.Entry, p string, m rootfs.Meta) {
	r.setACLs(e, p, m.Mode)
	r.setXattrs(e, p)
}

// flush commits everything that waits.
func (c *committer) flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.flushLocked()
}

func (c *committer) flushLocked() error {
	if len(c.waiting) == 0 {
		return nil
	}
	if err := c.beforeChange(); err != nil {
		return err
	}
	if c.opt.Fsync {
		if err := c.sync(); err != nil {
			return err
		}
	}
	for i := range c.waiting {
		f := &c.waiting[i]
		if err := c.replaced(f.path, f.redo); err != nil {
			return err
		}
		if err := c.put(*f, c.root); err != nil {
			c.failFile("rename to %q failed: %v", f.path, reason(err))
			continue
		}
		if err := c.named(*f); err != nil {
			return err
		}
		f.placed = true
		if f.done != nil {
			f.done()
		}
	}
	if err := c.settled(); err != nil {
		return err
	}
	for _, f := range c.waiting {
		if f.placed {
			c.confirm(f.index, f.path)
		}
		c.settle(f.part, f.entry, f.placed)
	}
	clear(c.waiting) // nothing of a finished part is to stay
	c.waiting = c.waiting[:0]
	c.bytes = 0
	return nil
}

// put gives a file its name below root, which may be on another file system
// than the one that it was made on (util1.c:robust_rename).
func (c *committer) put(f finished, root *rootfs.Root) error {
	if f.temp == nil {
		if err := f.held.Close(); err != nil {
			return err
		}
		err := root.RenameFrom(f.from.root, f.from.path, f.path)
		if err == nil && root == c.root {
			c.dressAgain(f.entry, f.path, f.meta)
		}
		return err
	}
	from, name := f.temp.Root(), f.temp.TempPath()
	err := f.temp.CommitTo(root, f.path)
	if !errors.Is(err, syscall.EXDEV) {
		return err
	}
	defer f.temp.Abort()
	data, _, err := from.OpenRead(name, 0)
	if err != nil {
		return err
	}
	defer data.Close()
	err = c.fill(root, f.path, data, func(t *rootfs.Temp) error { return t.SetMetadata(f.meta) })
	if err == nil && root == c.root {
		c.dressAgain(f.entry, f.path, f.meta)
	}
	return err
}

// fill makes a file of data, under a temporary name until all is there; dress
// gives it what else it is to have.
func (r *receiver) fill(root *rootfs.Root, p string, data io.Reader, dress func(*rootfs.Temp) error) error {
	t, err := root.CreateTemp(p)
	if err != nil {
		return err
	}
	defer t.Abort()
	if err := copyData(t, data); err != nil {
		return err
	}
	if err := dress(t); err != nil {
		return err
	}
	if r.opt.Fsync {
		if err := t.Sync(); err != nil {
			return err
		}
	}
	return t.Commit(p)
}

// replaced keeps what a file is about to replace, with --backup. A backup that
// cannot be made ends the run: the file would be lost. What replaces a partial
// file of this run (redo) has had its backup.
func (c *committer) replaced(p string, redo bool) error {
	if !c.opt.Backup || redo && c.opt.Partial && c.opt.KeepDir() == "" {
		return nil
	}
	if _, err := c.backups.keep(p, false); err != nil {
		return proto.Failf(proto.ExitFileIO, "make a backup of %q: %w", p, reason(err))
	}
	return nil
}

// abort removes everything that waits.
func (c *committer) abort() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.waiting {
		if f.temp != nil {
			f.temp.Abort()
		} else {
			f.held.Close() // it stays where it is
		}
	}
	c.waiting = nil
}
