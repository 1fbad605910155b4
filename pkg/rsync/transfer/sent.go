package transfer

import (
	"encoding/binary"
	"errors"
	"io/fs"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// A receiving side tells which files are at the destination, so that the
// sending one can remove them (--remove-source-files). It says so only when the
// file has its name, and with --fsync when the disk has it.

// sameFile is how many bytes a message between two sides in one process has: an
// index, and the device and inode of the file at the destination.
const sameFile = 4 + 8 + 8

// success tells the sender that an entry has got its place.
func (r *receiver) success(index int32, p string) {
	if r.opt.RemoveSource == options.RemoveNone || r.opt.DryRun {
		return
	}
	if err := r.syncName(r.root, p); err != nil {
		r.failFile("sync the folder of %q failed: %v", p, reason(err))
		return
	}
	r.confirm(index, p)
}

// confirm tells the sender that an entry is in its place for good (util1.c:
// send_msg_success). What cannot be told stays at the source.
func (r *receiver) confirm(index int32, p string) {
	if r.opt.RemoveSource == options.RemoveNone || r.opt.DryRun {
		return
	}
	b := wire.AppendInt32(nil, r.sent(index))
	if r.Local {
		info, err := r.root.Lstat(p)
		if err != nil {
			return
		}
		b = binary.LittleEndian.AppendUint64(b, info.Dev)
		b = binary.LittleEndian.AppendUint64(b, info.Ino)
	}
	r.W.Message(proto.TagSuccess, b)
	r.wake()
}

// stays is success for what was there. If a killed run has put it there, the disk
// may not know it yet.
func (g *generator) stays(index int32, e *filelist.Entry, p string) {
	if g.opt.RemoveSource != options.RemoveSource || g.opt.DryRun || e.IsDir() {
		return
	}
	g.past.Do(func() {
		if g.pastErr = g.settled(); g.pastErr != nil {
			g.failFile("%v", g.pastErr)
		}
	})
	if g.pastErr == nil {
		g.confirm(index, p)
	}
}

// upToDate is success for what needed no data from the sender.
func (g *generator) upToDate(index int32, e *filelist.Entry, p string) {
	if g.opt.RemoveSource == options.RemoveSource && !e.IsDir() {
		g.success(index, p)
	}
}

// removeSent removes a file that has arrived, if it is still what was listed
// (sender.c:successful_send).
func (s *sender) removeSent(payload []byte) {
	if len(payload) != 4 && len(payload) != sameFile {
		return
	}
	_, e := s.parts.find(s.place(int32(binary.LittleEndian.Uint32(payload))))
	if e == nil || e.IsDir() {
		return
	}
	root, p := s.sources[e.From].Root, e.Path()
	info, err := s.listedAs(root, e)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.report(proto.TagInfo, "sender file already removed: %s", p)
		return
	case err != nil:
		s.report(proto.TagErrorXfer, "sender failed to re-lstat %q: %v", p, reason(err))
		return
	case s.Local && len(payload) == sameFile && info.Dev == binary.LittleEndian.Uint64(payload[4:]) &&
		info.Ino == binary.LittleEndian.Uint64(payload[12:]):
		s.report(proto.TagErrorXfer, "ERROR: Skipping sender remove of destination file: %s", p)
		return
	case !s.isAsListed(root, e, info):
		s.report(proto.TagErrorXfer, "ERROR: Skipping sender remove for changed file: %s", p)
		return
	}
	switch err := root.Remove(p); {
	case errors.Is(err, fs.ErrNotExist):
		s.report(proto.TagInfo, "sender file already removed: %s", p)
	case err != nil:
		s.report(proto.TagErrorXfer, "sender failed to remove %q: %v", p, reason(err))
	case s.opt.Info(options.InfoRemove) > 0:
		s.report(proto.TagInfo, "sender removed %s", p)
	}
}

// listedAs looks at an entry in the way in which it was listed: as what a link
// leads to, if that is what was sent.
func (s *sender) listedAs(root *rootfs.Root, e *filelist.Entry) (rootfs.Info, error) {
	info, err := root.Lstat(e.Path())
	switch {
	case err != nil:
		return info, err
	case info.IsSymlink() && !e.IsLink() && s.follows():
		return root.Stat(e.Path())
	}
	return s.unfake(root, e.Path(), info)
}

// isAsListed reports whether an entry has not changed since it was listed.
func (s *sender) isAsListed(root *rootfs.Root, e *filelist.Entry, now rootfs.Info) bool {
	if (now.Mode^e.Mode)&filelist.ModeType != 0 || now.Mtime != e.Mtime || now.MtimeNsec != e.Nsec {
		return false
	}
	switch {
	case e.IsLink():
		target, err := s.readlink(root, e.Path())
		return err == nil && s.unmunge(target) == e.Target()
	case e.IsRegular():
		return now.Size == e.Size
	}
	return true
}
