package filelist

import (
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// names returns the names that travel with this entry, and flags them
// (uidlist.c:add_uid).
func (e *Encoder) names(f *Entry, x *proto.EntryFlags) (user, group string) {
	if !e.caps.IncRecurse || !e.fields.Names {
		return "", ""
	}
	if *x&proto.FlagSameUID == 0 {
		if user = nameOf(f.UID, e.users, e.UserName); user != "" {
			*x |= proto.FlagUserName
		}
	}
	if *x&proto.FlagSameGID == 0 {
		if group = nameOf(f.GID, e.groups, e.GroupName); group != "" {
			*x |= proto.FlagGroupName
		}
	}
	return user, group
}

// nameOf returns the name of an id that has not been sent yet.
func nameOf(id uint32, sent map[uint32]struct{}, lookup func(uint32) string) string {
	if _, ok := sent[id]; ok || lookup == nil {
		return ""
	}
	sent[id] = struct{}{}
	name := lookup(id)
	return name[:min(len(name), 255)]
}

// AppendEnd appends what ends a list or a part of one: the mark, the names of
// the ids unless they travel with entries, and the I/O errors where the version
// has a place for them. A version that has none
// (CompatFlags without SafeList) needs a message of its own, proto.TagIOError
// (flist.c:send_file_list).
func (e *Encoder) AppendEnd(b []byte, ioError int32, users, groups []IDName) []byte {
	switch {
	case e.caps.VarintFlags:
		b = wire.AppendVarInt(append(b, 0), ioError)
	case ioError != 0 && e.caps.SafeList:
		b = wire.AppendUint16(b, uint16(proto.FlagExtended|proto.FlagErrorEndList))
		b = wire.AppendVarInt(b, ioError)
	default:
		b = append(b, 0)
	}
	if e.fields.Names && !e.caps.IncRecurse {
		if e.fields.UID || e.fields.ACLs {
			b = e.appendIDs(b, users)
		}
		if e.fields.GID || e.fields.ACLs {
			b = e.appendIDs(b, groups)
		}
	}
	if e.caps.IOErrorAfterList {
		b = wire.AppendInt32(b, ioError)
	}
	return b
}

// IDName is the name of a user or group id.
type IDName struct {
	ID   uint32
	Name string
}

// appendIDs appends names up to 255 bytes; id 0 ends the list, with its name
// if both sides know of that (uidlist.c:send_id_lists).
func (e *Encoder) appendIDs(b []byte, ids []IDName) []byte {
	zero := ""
	for _, id := range ids {
		switch {
		case id.ID == 0:
			zero = id.Name
		case id.Name != "" && len(id.Name) <= 255:
			b = e.appendVarInt30(b, int32(id.ID))
			b = append(b, byte(len(id.Name)))
			b = append(b, id.Name...)
		}
	}
	b = e.appendVarInt30(b, 0)
	if e.caps.ID0Names {
		zero = zero[:min(len(zero), 255)]
		b = append(b, byte(len(zero)))
		b = append(b, zero...)
	}
	return b
}

// readIDName reads the name of an id that travels with an entry; there have
// been n of its kind.
func (d *Decoder) readIDName(r *wire.Reader, names *map[uint32]string, id uint32, n int) {
	name := r.Bytes(int64(r.Byte()), 255, "id name")
	if !r.Limit(int64(n), maxIDs, "count of id names") || len(name) == 0 {
		return
	}
	if *names == nil {
		*names = make(map[uint32]string)
	}
	(*names)[id] = string(name)
}

// readEnd reads what follows the end mark.
func (d *Decoder) readEnd(r *wire.Reader, l *List) {
	switch {
	case d.caps.IncRecurse:
		l.Users, l.Groups = d.newUsers, d.newGroups
	case d.fields.Names:
		if d.fields.UID || d.fields.ACLs {
			l.Users = d.readIDs(r)
		}
		if d.fields.GID || d.fields.ACLs {
			l.Groups = d.readIDs(r)
		}
	}
	if d.caps.IOErrorAfterList {
		l.IOError |= r.Int32()
	}
}

// maxIDs bounds how many names of users or groups a peer may send.
const maxIDs = 1 << 16

func (d *Decoder) readIDs(r *wire.Reader) map[uint32]string {
	names := make(map[uint32]string)
	for {
		id := uint32(d.readVarInt30(r))
		if r.Err() != nil {
			return nil
		}
		if id == 0 && !d.caps.ID0Names {
			return names
		}
		n := r.Byte()
		if name := r.Bytes(int64(n), 255, "id name"); len(name) > 0 {
			names[id] = string(name)
		}
		if !r.Limit(int64(len(names)), maxIDs, "count of id names") {
			return nil
		}
		if id == 0 {
			return names
		}
	}
}
