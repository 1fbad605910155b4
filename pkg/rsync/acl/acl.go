// Package acl knows POSIX access control lists in two forms: that in which
// Linux keeps them in extended attributes, and that in which rsync sends them.
// It looks at no file, and ids are what the bytes say.
package acl

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"

	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// The extended attributes that hold the lists.
const (
	Access  = "system.posix_acl_access"
	Default = "system.posix_acl_default"
)

// None stands for an entry that a list does not have.
const None = 0x80

// Limits.
const (
	maxNames = 1 << 13 // Linux has room for 8191 entries in an attribute
	// maxTotal bounds the named entries that a table keeps: a million on a
	// 32-bit board.
	maxTotal = 1 << 20 << (4 * (^uint(0) >> 63))
)

// List is an access control list. Permissions are rwx bits, or None.
type List struct {
	User, Group, Mask, Other uint8
	Names                    []Name
}

// Name is what one user or group may do.
type Name struct {
	ID     uint32
	Perms  uint8
	IsUser bool
}

// Empty is a list without entries.
func Empty() List { return List{User: None, Group: None, Mask: None, Other: None} }

// OfMode is the list that permission bits stand for.
func OfMode(mode uint32) List {
	return List{User: uint8(mode >> 6 & 7), Group: uint8(mode >> 3 & 7), Mask: None, Other: uint8(mode & 7)}
}

// Perms is the permission bits that a whole list stands for: those of a group are
// the mask's if there is one (acls.c:rsync_acl_get_perms).
func (l List) Perms() uint32 {
	group := l.Group
	if l.Mask != None {
		group = l.Mask
	}
	return uint32(l.User&7)<<6 | uint32(group&7)<<3 | uint32(l.Other&7)
}

// Equal reports whether two lists are the same.
func (l List) Equal(o List) bool {
	return l.User == o.User && l.Group == o.Group && l.Mask == o.Mask && l.Other == o.Other && slices.Equal(l.Names, o.Names)
}

// EqualEnough reports whether a file's own list says what a condensed one does
// beyond the permission bits of mode (acls.c:rsync_acl_equal_enough).
func (l List) EqualEnough(condensed List, mode uint32) bool {
	if (l.Mask^condensed.Mask)&None != 0 {
		return false
	}
	if l.Mask != None {
		group := condensed.Group
		if group == None {
			group = uint8(mode >> 3 & 7)
		}
		if l.Group != group {
			return false
		}
	}
	return slices.Equal(l.Names, condensed.Names)
}

// Condensed leaves out what the permission bits say (acls.c:rsync_acl_strip_perms).
func (l List) Condensed(mode uint32) List {
	c := List{User: None, Group: None, Mask: None, Other: None, Names: l.Names}
	if l.Mask == None {
		return c
	}
	perms := uint8(mode >> 3 & 7)
	if l.Group != perms {
		c.Group = l.Group
	}
	if len(l.Names) == 0 || l.Mask != perms {
		c.Mask = l.Mask
	}
	return c
}

// WithMode fills a condensed list up from permission bits
// (acls.c:change_sacl_perms).
func (l List) WithMode(mode uint32) List {
	full := OfMode(mode)
	full.Names = l.Names
	if l.Group != None {
		full.Group = l.Group
	}
	if l.Mask != None {
		full.Mask = uint8(mode >> 3 & 7)
	}
	return full
}

// Tags of Linux's form. // linux/posix_acl_xattr.h
const (
	tagUserObj  = 0x01
	tagUser     = 0x02
	tagGroupObj = 0x04
	tagGroup    = 0x08
	tagMask     = 0x10
	tagOther    = 0x20

	version   = 2
	entrySize = 8
	noID      = ^uint32(0)
)

// Parse reads Linux's form.
func Parse(b []byte) (List, error) {
	l := Empty()
	if len(b) < 4 || (len(b)-4)%entrySize != 0 || binary.LittleEndian.Uint32(b) != version {
		return l, fmt.Errorf("an access control list of %d bytes is not one of version %d", len(b), version)
	}
	for b = b[4:]; len(b) > 0; b = b[entrySize:] {
		perms, id := uint8(b[2]&7), binary.LittleEndian.Uint32(b[4:])
		switch tag := binary.LittleEndian.Uint16(b); tag {
		case tagUserObj:
			l.User = perms
		case tagUser:
			l.Names = append(l.Names, Name{id, perms, true})
		case tagGroupObj:
			l.Group = perms
		case tagGroup:
			l.Names = append(l.Names, Name{id, perms, false})
		case tagMask:
			l.Mask = perms
		case tagOther:
			l.Other = perms
		default:
			return l, fmt.Errorf("an access control list has an unknown entry %#x", tag)
		}
	}
	return l, nil
}

// Append appends Linux's form, in the order that it asks for; entries that
// every list must have and this one has not allow nothing.
func (l List) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, version)
	entry := func(tag uint16, perms uint8, id uint32) {
		b = binary.LittleEndian.AppendUint16(b, tag)
		b = binary.LittleEndian.AppendUint16(b, uint16(perms&7))
		b = binary.LittleEndian.AppendUint32(b, id)
	}
	named := func(tag uint16, users bool) {
		var names []Name
		for _, n := range l.Names {
			if n.IsUser == users {
				names = append(names, n)
			}
		}
		slices.SortStableFunc(names, func(a, b Name) int { return cmp.Compare(a.ID, b.ID) })
		for _, n := range names {
			entry(tag, n.Perms, n.ID)
		}
	}
	entry(tagUserObj, l.User, noID)
	named(tagUser, true)
	entry(tagGroupObj, l.Group, noID)
	named(tagGroup, false)
	if l.Mask != None {
		entry(tagMask, l.Mask, noID)
	}
	entry(tagOther, l.Other, noID)
	return b
}

// Flags of rsync's form (acls.c: XMIT_*, XFLAG_*).
const (
	hasUser  = 1 << 0
	hasGroup = 1 << 1
	hasMask  = 1 << 2
	hasOther = 1 << 3
	hasNames = 1 << 4

	nameFollows = 1 << 0
	nameIsUser  = 1 << 1
)

// Table keeps the lists of one kind, access or default, that a connection has
// told of, each once. One goroutine reads or appends lists, any may call At.
type Table struct {
	mu    sync.Mutex
	lists []List
	known map[string]int32
	total int
}

// At returns the list of an index.
func (t *Table) At(index int32) List {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.lists[index]
}

// Append appends the index of a list or all of it (acls.c:send_rsync_acl).
// named, if not nil, gives names that travel with ids.
func (t *Table) Append(b []byte, l List, named func(Name) string) []byte {
	key := string(l.Append([]byte{l.User, l.Group, l.Other}))
	if i, ok := t.known[key]; ok {
		return wire.AppendVarInt(b, i+1)
	}
	if t.known == nil {
		t.known = make(map[string]int32)
	}
	t.known[key] = int32(len(t.known))
	b = wire.AppendVarInt(b, 0)
	flags := byte(0)
	perms := []uint8{l.User, l.Group, l.Mask, l.Other}
	for i, p := range perms {
		if p != None {
			flags |= 1 << i
		}
	}
	if len(l.Names) > 0 {
		flags |= hasNames
	}
	b = append(b, flags)
	for _, p := range perms {
		if p != None {
			b = wire.AppendVarInt(b, int32(p))
		}
	}
	if len(l.Names) > 0 {
		b = appendNames(b, l.Names, named)
	}
	return b
}

func appendNames(b []byte, names []Name, named func(Name) string) []byte {
	b = wire.AppendVarInt(b, int32(len(names)))
	for _, n := range names {
		b = wire.AppendVarInt(b, int32(n.ID))
		bits := int32(n.Perms) << 2
		if n.IsUser {
			bits |= nameIsUser
		}
		name := ""
		if named != nil {
			name = named(n)
		}
		if name == "" || len(name) > 255 {
			b = wire.AppendVarInt(b, bits)
			continue
		}
		b = wire.AppendVarInt(b, bits|nameFollows)
		b = append(append(b, byte(len(name))), name...)
	}
	return b
}

// Read reads a list's index or all of it, and returns the index
// (acls.c:recv_rsync_acl). A list of names that comes without a mask gets mask,
// which the permissions of the file say, or with None what the names may do
// together. named is told the names that come with ids.
func (t *Table) Read(r *wire.Reader, mask uint8, named func(n Name, name string)) int32 {
	index := r.VarInt()
	if !r.Limit(int64(index), int64(len(t.lists)), "index of an access control list") {
		return -1
	}
	if index != 0 {
		return index - 1
	}
	if t.total++; !r.Limit(int64(t.total), maxTotal, "count of all access control lists") {
		return -1
	}
	l := Empty()
	flags := r.Byte()
	for _, e := range []struct {
		flag byte
		to   *uint8
	}{{hasUser, &l.User}, {hasGroup, &l.Group}, {hasMask, &l.Mask}, {hasOther, &l.Other}} {
		if flags&e.flag != 0 {
			p := r.VarInt()
			r.Limit(int64(p), 7, "permissions of an access control list")
			*e.to = uint8(p)
		}
	}
	allowed := uint8(0)
	if flags&hasNames != 0 {
		l.Names, allowed = t.readNames(r, named)
	}
	switch {
	case r.Err() != nil:
		return -1
	case len(l.Names) > 0 && l.Mask == None:
		if l.Mask = mask; mask == None {
			l.Mask = (allowed | l.Group) &^ None
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lists = append(t.lists, l)
	return int32(len(t.lists) - 1)
}

func (t *Table) readNames(r *wire.Reader, named func(Name, string)) (names []Name, allowed uint8) {
	count := r.VarInt()
	t.total += int(max(count, 0))
	if !r.Limit(int64(count), maxNames, "count of an access control list") ||
		!r.Limit(int64(t.total), maxTotal, "count of all access control lists") {
		return nil, 0
	}
	for range count {
		n := Name{ID: uint32(r.VarInt())}
		bits := r.VarInt()
		if !r.Limit(int64(bits), 7<<2|nameIsUser|nameFollows, "permissions of an access control list") {
			return nil, 0
		}
		n.Perms, n.IsUser = uint8(bits>>2), bits&nameIsUser != 0
		if bits&nameFollows != 0 {
			name := r.Bytes(int64(r.Byte()), 255, "name in an access control list")
			if len(name) > 0 && named != nil {
				named(n, string(name))
			}
		}
		names = append(names, n)
		allowed |= n.Perms
	}
	return names, allowed
}
