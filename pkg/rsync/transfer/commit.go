package transfer

import (
	"sync"

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

// finished is a file with all of its data under a temporary name.
type finished struct {
	temp  *rootfs.Temp
	path  string
	part  *part
	entry *filelist.Entry
}

// Limits of what may wait, which also bound the open files.
const (
	maxWaitingFiles = 64
	maxWaitingBytes = 16 << 20
)

// add sets a file's metadata and commits it, or lets it wait.
func (c *committer) add(it item, e *filelist.Entry, t *rootfs.Temp, path string, m rootfs.Meta, size int64) error {
	if err := c.dressTemp(t, e, path, m); err != nil {
		c.failFile("setting the attributes of %q failed: %v", path, reason(err))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = append(c.waiting, finished{t, path, it.part, e})
	c.bytes += size
	if c.opt.Fsync && len(c.waiting) < maxWaitingFiles && c.bytes < maxWaitingBytes {
		return nil
	}
	return c.flushLocked()
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
	for _, f := range c.waiting {
		if err := c.replaced(f.path); err != nil {
			return err
		}
		err := f.temp.Commit(f.path)
		if err != nil {
			c.failFile("rename to %q failed: %v", f.path, reason(err))
		}
		c.settle(f.part, f.entry, err == nil)
	}
	clear(c.waiting) // nothing of a finished part is to stay
	c.waiting = c.waiting[:0]
	c.bytes = 0
	return nil
}

// replaced keeps what a file is about to replace, with --backup. A backup that
// cannot be made ends the run: the file would be lost.
func (c *committer) replaced(p string) error {
	if !c.opt.Backup {
		return nil
	}
	if _, err := c.backups.keep(p, false); err != nil {
		return proto.Failf(proto.ExitFileIO, "make a backup of %q: %w", p, reason(err))
	}
	return nil
}

// sync makes the waiting files durable: a single one by itself, several with
// their file system.
func (c *committer) sync() error {
	var err error
	if len(c.waiting) == 1 {
		err = c.waiting[0].temp.Sync()
	} else {
		err = c.root.SyncFS()
	}
	if err != nil {
		return proto.Failf(proto.ExitFileIO, "sync before renaming %q: %w", c.waiting[0].path, reason(err))
	}
	return nil
}

// abort removes everything that waits.
func (c *committer) abort() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.waiting {
		f.temp.Abort()
	}
	c.waiting = nil
}
