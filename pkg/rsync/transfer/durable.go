package transfer

import (
	"path"

	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

// With --fsync, data is on the disk before it gets its name. Names are there when
// the run ends well; earlier where something depends on it: before the sending
// side removes a file because it is here, and before a file is written into
// because there is a copy of it.

// endDurably has the disk know all that the run has created, renamed and
// deleted, before this side says that it is done.
func (r *receiver) endDurably() error {
	if !r.opt.Fsync || r.opt.DryRun || !r.changed.Load() {
		return nil
	}
	if err := r.root.SyncFS(); err != nil {
		return proto.Failf(proto.ExitFileIO, "sync the destination: %w", reason(err))
	}
	return nil
}

// syncName has the disk know what is called p.
func (r *receiver) syncName(root *rootfs.Root, p string) error {
	if !r.opt.Fsync {
		return nil
	}
	return root.SyncDir(path.Dir(p))
}

// settled has the disk know all names so far if the sending side is going to
// remove what has them.
func (r *receiver) settled() error {
	if !r.opt.Fsync || r.opt.RemoveSource == options.RemoveNone {
		return nil
	}
	if err := r.root.SyncFS(); err != nil {
		return proto.Failf(proto.ExitFileIO, "sync before files are removed from the source: %w", reason(err))
	}
	return nil
}

// sync makes the data of the waiting files durable: of a single one by itself,
// of several with their file system.
func (c *committer) sync() error {
	alone := len(c.waiting) == 1 || c.temps != nil || c.partials != nil
	home, err := c.root.Lstat(".")
	last, away := "", false
	for i := range c.waiting {
		f := &c.waiting[i]
		// Below the destination, other file systems may be mounted.
		if dir := path.Dir(f.path); dir != last {
			at, err := c.root.Stat(dir)
			last, away = dir, err != nil || at.Dev != home.Dev
		}
		f.away = away
		if err == nil && (alone || away) {
			err = f.held.Sync()
		}
	}
	if err == nil && !alone {
		err = c.root.SyncFS()
	}
	if err != nil {
		return proto.Failf(proto.ExitFileIO, "sync before renaming %q: %w", c.waiting[0].path, reason(err))
	}
	return nil
}

// named makes a new name durable that no sync of the destination's file system
// would.
func (c *committer) named(f finished) error {
	if !f.away {
		return nil
	}
	if err := c.syncName(c.root, f.path); err != nil {
		return proto.Failf(proto.ExitFileIO, "sync the folder of %q: %w", f.path, reason(err))
	}
	return nil
}
