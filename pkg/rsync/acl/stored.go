package acl

import (
	"encoding/binary"
	"fmt"
)

// userBit marks a named user in the form for attributes (acls.c: NAME_IS_USER).
const userBit = 1 << 31

// ParseStored reads the form in which rsync keeps a list of a file that has none
// in earnest, with --fake-super: four permissions, then an id and its permissions
// for each name, all in four bytes. What stands for no permissions is filled up
// from mode (acls.c:get_rsync_acl).
func ParseStored(b []byte, mode uint32) (List, error) {
	l := OfMode(mode)
	bad := fmt.Errorf("an access control list of %d bytes is not in rsync's form", len(b))
	if len(b) < 16 || len(b)%8 != 0 || len(b)/8-2 > maxNames {
		return l, bad
	}
	for i, to := range []*uint8{&l.User, &l.Group, &l.Mask, &l.Other} {
		switch p := binary.LittleEndian.Uint32(b[4*i:]); {
		case p <= 7:
			*to = uint8(p)
		case p != None:
			return l, bad
		}
	}
	for b = b[16:]; len(b) > 0; b = b[8:] {
		perms := binary.LittleEndian.Uint32(b[4:])
		if perms&^userBit > 7 {
			return l, bad
		}
		l.Names = append(l.Names, Name{binary.LittleEndian.Uint32(b), uint8(perms & 7), perms&userBit != 0})
	}
	return l, nil
}

// AppendStored appends the form that [ParseStored] reads (acls.c:set_rsync_acl).
func (l List) AppendStored(b []byte) []byte {
	for _, p := range []uint8{l.User, l.Group, l.Mask, l.Other} {
		b = binary.LittleEndian.AppendUint32(b, uint32(p))
	}
	for _, n := range l.Names {
		perms := uint32(n.Perms)
		if n.IsUser {
			perms |= userBit
		}
		b = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(b, n.ID), perms)
	}
	return b
}
