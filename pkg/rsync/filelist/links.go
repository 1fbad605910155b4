package filelist

import (
	"fmt"

	"github.com/empegsync/empegsync/pkg/rsync/charset"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// inode tells files apart.
type inode struct{ dev, ino uint64 }

// linkFlags marks a hard-linked entry. From version 30 on a later name of a
// file has the first one's index, which is then not -1 but first, and if that
// is of the same list nothing more.
func (e *Encoder) linkFlags(f *Entry, index int32) (x proto.EntryFlags, first int32) {
	dev, ino, linked := f.Inode()
	if !e.fields.Inodes || !linked || !e.caps.HardLinkBit {
		return 0, -1
	}
	x = proto.FlagHardLinked
	if !e.caps.LinkIndex {
		if dev == e.dev {
			x |= proto.FlagSameDev
		}
		return x, -1
	}
	if e.first == nil {
		e.first = make(map[inode]int32)
	}
	first, known := e.first[inode{dev, ino}]
	if !known {
		e.first[inode{dev, ino}] = index
		return x | proto.FlagLinkFirst, -1
	}
	if f.IsDevice() {
		e.rdevMajor = ^uint32(0) // what the peer remembers now depends on its release
	}
	return x, first
}

// appendInode appends device and inode as versions before 30 have them. The
// device is sent plus one, so that it is never zero.
func (e *Encoder) appendInode(b []byte, f *Entry, x proto.EntryFlags) []byte {
	dev, ino, linked := f.Inode()
	if !e.caps.HardLinkBit {
		linked = f.IsRegular() // each of them, whatever the entry says of itself
	}
	if !e.fields.Inodes || !linked || e.caps.LinkIndex {
		return b
	}
	if !e.caps.LongDevInode {
		b = wire.AppendInt32(b, int32(uint32(dev)+1))
		return wire.AppendInt32(b, int32(uint32(ino)))
	}
	if x&proto.FlagSameDev == 0 || !e.caps.HardLinkBit {
		b = wire.AppendLongInt(b, int64(dev+1))
	}
	e.dev = dev
	return wire.AppendLongInt(b, int64(ino))
}

// NeedsInode reports whether an entry must say which file it is: before
// version 28 every regular file does, later only what has several names.
func NeedsInode(caps proto.Caps, regular bool, links uint64) bool {
	if !caps.HardLinkBit {
		return regular
	}
	return links > 1
}

// readLater reads a later name of a file whose first one is in the same list,
// and stands for all attributes.
func (d *Decoder) readLater(r *wire.Reader, e *Entry, before *List, i int32) {
	if r.Err() != nil {
		return
	}
	first := before.At(i)
	_, ino, linked := first.Inode()
	if !linked || ino != uint64(i) {
		r.Fail(fmt.Errorf("%q is a hard link to entry %d, which is no first name", clip(d.name), i))
		return
	}
	dir, base, unnamed := e.Dir, e.Base, e.Mark
	*e = *first // shares ext, which nobody changes any more
	e.Dir, e.Base, e.Mark = dir, base, first.Mark&^unnamedMarks|unnamed
	if first.Mark&MarkUnnamed != 0 && e.IsLink() && unnamed == 0 {
		d.unnamed(UnnamedTarget, e.Path(), charset.ErrInvalid, e) // the target may be what has failed
	}
	d.checkType(r, e)
	d.mode, d.mtime, d.uid, d.gid = e.Mode, e.Mtime, e.UID, e.GID
	if e.IsDevice() {
		d.rdevMajor, _ = e.Device()
	}
}

// readInode reads device and inode as versions before 30 have them.
func (d *Decoder) readInode(r *wire.Reader, flags proto.EntryFlags, e *Entry) {
	if !d.caps.HardLinkBit && !e.IsRegular() || d.caps.HardLinkBit && flags&proto.FlagHardLinked == 0 {
		return
	}
	if !d.caps.LongDevInode {
		d.dev = uint64(uint32(r.Int32()))
		e.SetInode(d.dev, uint64(uint32(r.Int32())))
		return
	}
	if flags&proto.FlagSameDev == 0 || !d.caps.HardLinkBit {
		d.dev = uint64(r.LongInt())
	}
	e.SetInode(d.dev, uint64(r.LongInt()))
}
