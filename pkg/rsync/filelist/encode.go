package filelist

import (
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// Fields says which parts of an entry travel. Both sides must agree on it; it
// follows from the options that both have seen.
type Fields struct {
	UID, GID bool // owner and group (-o, -g)
	Links    bool // targets of symbolic links (-l)
	Devices  bool // device numbers (-D's devices)
	Specials bool // fifos and sockets (-D's specials)
	Inodes   bool // which names are of one file (-H)
	SumLen   int  // bytes of checksum with each regular file (-c), 0: none
	Names    bool // names of owners and groups (not --numeric-ids)
	ACLs     bool // ids in access control lists, whose names then travel, too
	Atimes   bool // access times of what is not a folder (-U)
}

// state is what both sides remember of the previous entry.
type state struct {
	name      []byte
	mode      uint32
	mtime     int64
	uid, gid  uint32
	rdev      uint32 // before version 28
	rdevMajor uint32
	dev       uint64 // of the last hard-linked entry, before version 30
	atime     int64  // of the last entry that has one
}

// Encoder encodes entries one after the other (flist.c:send_file_entry), all
// parts of a list with one encoder. The caller gathers the ids whose names it
// wants to send with the end of a list that comes whole.
type Encoder struct {
	// UserName and GroupName give the names of ids that travel with the
	// first entry that has them, as they do in parts of a list; "" for none.
	// They are called once for each id; nil sends no names.
	UserName, GroupName func(id uint32) string

	caps   proto.Caps
	fields Fields
	state
	path   []byte
	start  int32           // index of the list's first entry
	index  int32           // of the next entry
	first  map[inode]int32 // index of the first name of a file, from version 30
	users  map[uint32]struct{}
	groups map[uint32]struct{}
}

// NewEncoder returns an encoder for one list.
func NewEncoder(caps proto.Caps, fields Fields) *Encoder {
	return &Encoder{caps: caps, fields: fields, users: map[uint32]struct{}{}, groups: map[uint32]struct{}{}}
}

// Begin begins a list, or a part of one, whose first entry has this index;
// the first begins by itself at 0. What the encoder remembers stays.
func (e *Encoder) Begin(start int32) { e.start, e.index = start, start }

// Append appends an entry.
func (e *Encoder) Append(b []byte, f *Entry) []byte {
	e.path = appendPath(e.path[:0], f)
	index := e.index
	e.index++
	same := 0
	for same < len(e.name) && same < len(e.path) && same < 255 && e.name[same] == e.path[same] {
		same++
	}
	rest := len(e.path) - same
	flags := e.flags(f, same, rest)
	linkFlags, first := e.linkFlags(f, index)
	user, group := e.names(f, &flags)
	flags = e.settle(flags|linkFlags, f)
	b = e.appendFlags(b, flags)
	if flags&proto.FlagSameName != 0 {
		b = append(b, byte(same))
	}
	if flags&proto.FlagLongName != 0 {
		b = e.appendVarInt30(b, int32(rest))
	} else {
		b = append(b, byte(rest))
	}
	b = append(b, e.path[same:]...)
	if first >= 0 {
		b = wire.AppendVarInt(b, first)
	}
	if first < e.start { // else everything is said by the first name
		b = e.appendAttributes(b, f, flags, user, group)
	}
	e.name = append(e.name[:0], e.path...)
	e.mode, e.mtime, e.uid, e.gid = f.Mode, f.Mtime, f.UID, f.GID
	return b
}

func appendPath(b []byte, f *Entry) []byte {
	if f.Dir != "" {
		b = append(b, f.Dir...)
		b = append(b, '/')
	}
	return append(b, f.Base...)
}

// flags works out the entry's flags from the previous entry.
func (e *Encoder) flags(f *Entry, same, rest int) proto.EntryFlags {
	var x proto.EntryFlags
	first := len(e.name) == 0
	if f.IsDir() {
		if f.Mark&MarkTopDir != 0 && (e.caps.NoContentDirs || f.Mark&MarkNoContent == 0) {
			x |= proto.FlagTopDir
		}
		if f.Mark&MarkNoContent != 0 && e.caps.NoContentDirs {
			x |= proto.FlagNoContentDir
		}
	}
	if f.Mode == e.mode {
		x |= proto.FlagSameMode
	}
	if !e.fields.UID || f.UID == e.uid && !first {
		x |= proto.FlagSameUID
	}
	if !e.fields.GID || f.GID == e.gid && !first {
		x |= proto.FlagSameGID
	}
	if f.Mtime == e.mtime {
		x |= proto.FlagSameTime
	}
	if e.caps.NsecTimes && f.Nsec != 0 {
		x |= proto.FlagNsec
	}
	if e.caps.WideFlags && e.sendsAtime(f) && f.Atime() == e.atime {
		x |= proto.FlagSameAtime
	}
	x |= e.deviceFlags(f)
	if same > 0 {
		x |= proto.FlagSameName
	}
	if rest > 255 {
		x |= proto.FlagLongName
	}
	return x
}

func (e *Encoder) sendsAtime(f *Entry) bool { return e.fields.Atimes && !f.IsDir() }

// settle adds a harmless flag where all-zero flags would end the list: a top
// folder's for what is not a folder, the long form of the name's length for
// one that is.
func (e *Encoder) settle(x proto.EntryFlags, f *Entry) proto.EntryFlags {
	switch {
	case e.caps.VarintFlags:
		if x == 0 {
			x = proto.FlagExtended
		}
	case e.caps.WideFlags:
		if x == 0 && !f.IsDir() {
			x = proto.FlagTopDir
		}
		if x&0xff00 != 0 || x == 0 {
			x |= proto.FlagExtended
		}
	case x&0xff == 0 && f.IsDir():
		x = proto.FlagLongName
	case x&0xff == 0:
		x = proto.FlagTopDir
	}
	return x
}

func (e *Encoder) appendFlags(b []byte, x proto.EntryFlags) []byte {
	switch {
	case e.caps.VarintFlags:
		return wire.AppendVarInt(b, int32(x))
	case e.caps.WideFlags && x&proto.FlagExtended != 0:
		return wire.AppendUint16(b, uint16(x))
	default:
		return append(b, byte(x))
	}
}

func (e *Encoder) appendVarInt30(b []byte, v int32) []byte {
	if e.caps.VarInts {
		return wire.AppendVarInt(b, v)
	}
	return wire.AppendInt32(b, v)
}

func (e *Encoder) appendAttributes(b []byte, f *Entry, x proto.EntryFlags, user, group string) []byte {
	if e.caps.VarInts {
		b = wire.AppendVarLong(b, f.Size, 3)
	} else {
		b = wire.AppendLongInt(b, f.Size)
	}
	if x&proto.FlagSameTime == 0 {
		if e.caps.VarInts {
			b = wire.AppendVarLong(b, f.Mtime, 4)
		} else {
			b = wire.AppendInt32(b, int32(f.Mtime))
		}
	}
	if x&proto.FlagNsec != 0 {
		b = wire.AppendVarInt(b, int32(f.Nsec))
	}
	if x&proto.FlagSameMode == 0 {
		b = wire.AppendInt32(b, int32(f.Mode))
	}
	if e.sendsAtime(f) {
		if x&proto.FlagSameAtime == 0 {
			b = wire.AppendVarLong(b, f.Atime(), 4)
		}
		e.atime = f.Atime()
	}
	if x&proto.FlagSameUID == 0 {
		b = e.appendVarInt30(b, int32(f.UID))
		if x&proto.FlagUserName != 0 && e.caps.IDNames {
			b = append(append(b, byte(len(user))), user...)
		}
	}
	if x&proto.FlagSameGID == 0 {
		b = e.appendVarInt30(b, int32(f.GID))
		if x&proto.FlagGroupName != 0 && e.caps.IDNames {
			b = append(append(b, byte(len(group))), group...)
		}
	}
	if sendsRdev(e.caps, e.fields, f) {
		b = e.appendDevice(b, f, x)
	}
	if e.fields.Links && f.IsLink() {
		b = e.appendVarInt30(b, int32(len(f.Target())))
		b = append(b, f.Target()...)
	}
	b = e.appendInode(b, f, x)
	return e.appendSum(b, f)
}

// appendSum appends the checksum; without WideFlags every entry has one, of
// zeros where it makes no sense.
func (e *Encoder) appendSum(b []byte, f *Entry) []byte {
	if e.fields.SumLen == 0 || !f.IsRegular() && e.caps.WideFlags {
		return b
	}
	at := len(b)
	b = append(b, make([]byte, e.fields.SumLen)...)
	if f.IsRegular() {
		copy(b[at:], f.Sum())
	}
	return b
}
