package filelist

import (
	"errors"
	"fmt"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/charset"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// MaxEntries is how many entries a list may have: on a 32-bit board a million,
// elsewhere what indexes can count in practice.
const MaxEntries = 1 << 20 << (6 * (^uint(0) >> 63))

// ErrMemory is that of a list that takes more memory than it may.
var ErrMemory = errors.New("the file list takes more memory than --max-alloc allows")

// Decoder decodes the entries of one list (flist.c:recv_file_entry), all parts
// of it with one decoder.
type Decoder struct {
	caps   proto.Caps
	fields Fields
	state
	arena   arena
	lastDir string

	// LinkPrefix stands before all targets of symbolic links on this side.
	LinkPrefix string
	// After, if not nil, reads what follows an entry: its ACL and its extended
	// attributes.
	After func(r *wire.Reader, e *Entry)

	// Names, if not nil, converts names, and with [proto.Caps.SymlinkIconv] links'
	// targets, which come in UTF-8. An entry for which that fails is told of and
	// stays in its place as [MarkUnnamed], and the list has an error.
	Names *charset.Conversion
	// Unnamed, if not nil, is told what could not be converted, as it came.
	Unnamed func(what Unnamed, name string, err error)

	// Room is about how many bytes of memory the entries of the list that is read
	// next may take; 0 is no bound. Beyond it the error is ErrMemory.
	Room int64

	// Rooted lets names begin with a slash, which is dropped: those of sources
	// with absolute paths do with --relative. Either all do or none.
	Rooted bool
	rooted slashes // of the names so far

	newUsers, newGroups   map[uint32]string // names that came with the list being read
	userCount, groupCount int               // of all lists
}

// NewDecoder returns a decoder for one list.
func NewDecoder(caps proto.Caps, fields Fields) *Decoder {
	return &Decoder{caps: caps, fields: fields}
}

// Read reads a whole list, with its end, unsorted. progress, if not nil, is
// called now and then with the count so far.
func (d *Decoder) Read(r *wire.Reader, progress func(n int)) (*List, error) {
	return d.ReadPart(r, &List{}, MaxEntries, progress)
}

// ReadPart is Read for a list whose Start and Parent are set: it must have at
// most limit entries and, with a Parent, only what is in that folder.
func (d *Decoder) ReadPart(r *wire.Reader, l *List, limit int, progress func(n int)) (*List, error) {
	dir := ""
	if l.Parent != nil {
		dir = l.Parent.Path()
	}
	d.newUsers, d.newGroups = nil, nil
	for {
		var e Entry
		more, ioError := d.next(r, &e, l)
		if more && d.After != nil {
			d.After(r, &e)
		}
		if more && e.Mark&MarkUnnamed != 0 {
			l.IOError |= proto.IOErrGeneral // what is missing here must not be deleted
		}
		if more && l.Parent != nil && !belongs(&e, l.Parent, dir) {
			r.Fail(fmt.Errorf("%q is not in the folder %q, whose list this is", clip(d.name), clip([]byte(dir))))
		}
		if r.Err() != nil {
			return nil, fmt.Errorf("read file list, entry %d: %w", l.Len(), r.Err())
		}
		if !more {
			l.IOError |= ioError
			break
		}
		if l.Len() >= limit {
			return nil, fmt.Errorf("read file list: more than %d entries", limit)
		}
		l.Add(e)
		if d.Room > 0 && l.Bytes() > d.Room {
			return nil, fmt.Errorf("read file list, entry %d: %w", l.Len(), ErrMemory)
		}
		if progress != nil && l.Len()%1000 == 0 {
			progress(l.Len())
		}
	}
	d.readEnd(r, l)
	if r.Err() != nil {
		return nil, fmt.Errorf("read the end of the file list: %w", r.Err())
	}
	return l, nil
}

// next reads an entry; false means the end of the list. before are those that
// have come already.
func (d *Decoder) next(r *wire.Reader, e *Entry, before *List) (more bool, ioError int32) {
	flags, ioError, ok := d.readFlags(r)
	if !ok {
		return false, ioError
	}
	if !d.readName(r, flags, e) {
		return false, 0
	}
	d.checkFlags(r, flags)
	first := before.End() // the group of names that this one belongs to
	later := d.caps.LinkIndex && flags&(proto.FlagHardLinked|proto.FlagLinkFirst) == proto.FlagHardLinked
	if later {
		first = r.VarInt()
		r.Limit(int64(first), int64(before.End())-1, "index of a hard link's first name")
	}
	if later && first >= before.Start {
		d.readLater(r, e, before, first)
		return r.Err() == nil, 0
	}
	d.readAttributes(r, flags, e)
	if d.caps.LinkIndex && flags&proto.FlagHardLinked != 0 && r.Err() == nil {
		e.SetInode(0, uint64(first))
	}
	return r.Err() == nil, 0
}

func (d *Decoder) readFlags(r *wire.Reader) (flags proto.EntryFlags, ioError int32, ok bool) {
	if d.caps.VarintFlags {
		flags = proto.EntryFlags(r.VarInt())
		if flags == 0 {
			return 0, r.VarInt(), false
		}
		return flags, 0, true
	}
	flags = proto.EntryFlags(r.Byte())
	if flags == 0 {
		return 0, 0, false
	}
	if d.caps.WideFlags && flags&proto.FlagExtended != 0 {
		flags |= proto.EntryFlags(r.Byte()) << 8
		if flags == proto.FlagExtended|proto.FlagErrorEndList {
			if !d.caps.SafeList {
				r.Fail(fmt.Errorf("flags 0x%x make no sense in this version", flags))
			}
			return 0, r.VarInt(), false
		}
	}
	return flags, 0, true
}

// checkFlags refuses a flag that would bring fields that nobody has asked for
// and that this decoder does not know.
func (d *Decoder) checkFlags(r *wire.Reader, flags proto.EntryFlags) {
	if !d.fields.Inodes && d.caps.HardLinkBit && flags&proto.FlagHardLinked != 0 {
		r.Fail(fmt.Errorf("%q is marked as a hard link, but none were asked for", clip(d.name)))
	}
}

func (d *Decoder) readVarInt30(r *wire.Reader) int32 {
	if d.caps.VarInts {
		return r.VarInt()
	}
	return r.Int32()
}

func (d *Decoder) readAttributes(r *wire.Reader, flags proto.EntryFlags, e *Entry) {
	if d.caps.VarInts {
		e.Size = r.VarLong(3)
	} else {
		e.Size = r.LongInt()
	}
	if e.Size < 0 {
		r.Fail(fmt.Errorf("%q has a negative size", clip(d.name)))
	}
	if flags&proto.FlagSameTime == 0 {
		if d.caps.VarInts {
			d.mtime = r.VarLong(4)
		} else {
			d.mtime = int64(uint32(r.Int32()))
		}
	}
	if flags&proto.FlagNsec != 0 && d.caps.NsecTimes {
		n := r.VarInt()
		r.Limit(int64(n), 999_999_999, "nanoseconds")
		e.Nsec = uint32(n)
	}
	if flags&proto.FlagSameMode == 0 {
		d.mode = uint32(r.Int32())
	}
	if d.fields.Atimes && d.mode&ModeType != ModeDir {
		if flags&proto.FlagSameAtime == 0 {
			d.atime = r.VarLong(4)
		}
		e.SetAtime(d.atime)
	}
	d.readOwners(r, flags)
	e.Mtime, e.Mode, e.UID, e.GID = d.mtime, d.mode, d.uid, d.gid
	d.checkType(r, e)
	if sendsRdev(d.caps, d.fields, e) {
		d.readDevice(r, flags, e)
	} else {
		d.rdev = 0 // as the old versions do (flist.c:recv_file_entry)
	}
	if d.fields.Links && e.IsLink() {
		d.readTarget(r, e)
	}
	if e.IsDir() {
		if flags&proto.FlagTopDir != 0 {
			e.Mark |= MarkTopDir
		}
		if flags&proto.FlagNoContentDir != 0 && d.caps.NoContentDirs {
			e.Mark |= MarkNoContent
		}
	}
	if d.fields.Inodes && !d.caps.LinkIndex {
		d.readInode(r, flags, e)
	}
	if d.fields.SumLen > 0 && (e.IsRegular() || !d.caps.WideFlags) {
		sum := r.Bytes(int64(d.fields.SumLen), proto.MaxSum, "checksum")
		if e.IsRegular() {
			e.SetSum(sum)
		}
	}
}

// checkType refuses modes that no file has, and a root that is not a folder.
func (d *Decoder) checkType(r *wire.Reader, e *Entry) {
	switch {
	case e.Mode == 0 && e.Base != ".": // what the user has named and is not there
	case e.Mode&^(ModeType|ModePerm) != 0,
		!e.IsDir() && !e.IsRegular() && !e.IsLink() && !e.IsDevice() && !e.IsSpecial():
		r.Fail(fmt.Errorf("%q has an unknown file type (mode %o)", clip(d.name), e.Mode))
	case e.Dir == "" && e.Base == "." && !e.IsDir():
		r.Fail(fmt.Errorf("the transfer's root \".\" is not a folder (mode %o)", e.Mode))
	}
}

func (d *Decoder) readOwners(r *wire.Reader, flags proto.EntryFlags) {
	if d.fields.UID && flags&proto.FlagSameUID == 0 {
		d.uid = uint32(d.readVarInt30(r))
		if flags&proto.FlagUserName != 0 && d.caps.IDNames {
			d.userCount++
			d.readIDName(r, &d.newUsers, d.uid, d.userCount)
		}
	}
	if d.fields.GID && flags&proto.FlagSameGID == 0 {
		d.gid = uint32(d.readVarInt30(r))
		if flags&proto.FlagGroupName != 0 && d.caps.IDNames {
			d.groupCount++
			d.readIDName(r, &d.newGroups, d.gid, d.groupCount)
		}
	}
}

func (d *Decoder) readTarget(r *wire.Reader, e *Entry) {
	n := d.readVarInt30(r)
	t := r.Bytes(int64(n), proto.MaxPath-1, "length of a link target")
	if r.Err() != nil {
		return
	}
	target := string(t)
	if d.Names != nil && d.caps.SymlinkIconv {
		target = d.convertTarget(target, e)
	}
	if target == "" || strings.IndexByte(target, 0) >= 0 {
		r.Fail(fmt.Errorf("link %q has an empty target or one with a NUL byte", clip(d.name)))
		return
	}
	e.SetTarget(d.LinkPrefix + target)
}
