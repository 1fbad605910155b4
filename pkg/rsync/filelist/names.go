package filelist

import (
	"fmt"
	"unsafe"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// arena keeps many short strings in few allocations.
type arena struct{ chunk []byte }

const arenaChunk = 16 * 1024

func (a *arena) keep(p []byte) string {
	if len(p) == 0 {
		return ""
	}
	if len(p) > arenaChunk/8 {
		return string(p)
	}
	if cap(a.chunk)-len(a.chunk) < len(p) {
		a.chunk = make([]byte, 0, arenaChunk)
	}
	at := len(a.chunk)
	a.chunk = append(a.chunk, p...)
	// The bytes behind a string are never written again.
	return unsafe.String(&a.chunk[at], len(p))
}

// clip shortens a name for a message.
func clip(name []byte) []byte { return name[:min(len(name), 200)] }

// readName puts the name together from the previous one and checks it.
func (d *Decoder) readName(r *wire.Reader, flags proto.EntryFlags, e *Entry) bool {
	same := 0
	if flags&proto.FlagSameName != 0 {
		same = int(r.Byte())
	}
	var rest int64
	if flags&proto.FlagLongName != 0 {
		rest = int64(d.readVarInt30(r))
	} else {
		rest = int64(r.Byte())
	}
	if same > len(d.name) {
		r.Fail(fmt.Errorf("name shares %d bytes with one of %d", same, len(d.name)))
	}
	if !r.Limit(rest, int64(proto.MaxPath-1-same), "length of a name") {
		return false
	}
	d.name = append(d.name[:same], make([]byte, rest)...)
	if !r.Full(d.name[same:]) {
		return false
	}
	name, err := d.unroot(d.name)
	if err == nil {
		err = CheckName(name)
	}
	if err == nil && d.Names != nil {
		name, err = d.convertName(name, e)
	}
	if err != nil {
		r.Fail(err)
		return false
	}
	d.split(name, e)
	return true
}

// slashes says whether names begin with a slash.
type slashes uint8

const (
	slashUnknown slashes = iota
	slashNo
	slashYes
)

// unroot drops a slash that a name may begin with. The sender has sorted its list
// with it (flist.c:flist_sort_and_clean, strip_root); where only some names have
// one the order would be another here, and indexes stand for other files.
func (d *Decoder) unroot(name []byte) ([]byte, error) {
	if !d.Rooted || len(name) == 1 && name[0] == '.' {
		return name, nil
	}
	has := slashNo
	rest := name
	if len(name) > 1 && name[0] == '/' {
		has, rest = slashYes, name[1:]
	}
	if d.rooted == slashUnknown {
		d.rooted = has
	}
	if d.rooted != has {
		return nil, fmt.Errorf("%q: absolute and relative names in one list; ask for them in two runs", clip(name))
	}
	return rest, nil
}

// split stores the name, sharing the folder's string with the last entry.
func (d *Decoder) split(name []byte, e *Entry) {
	slash := -1
	for i := len(name) - 1; i >= 0; i-- {
		if name[i] == '/' {
			slash = i
			break
		}
	}
	if slash < 0 {
		e.Base = d.arena.keep(name)
		return
	}
	if string(name[:slash]) != d.lastDir {
		d.lastDir = d.arena.keep(name[:slash])
	}
	e.Dir = d.lastDir
	e.Base = d.arena.keep(name[slash+1:])
}

// CheckName reports whether a name from a peer is a clean relative path: no
// empty component, no "." but for the root itself, no "..", no NUL.
func CheckName(name []byte) error {
	if len(name) == 1 && name[0] == '.' {
		return nil
	}
	start := 0
	for i := 0; i <= len(name); i++ {
		if i < len(name) && name[i] == 0 {
			return fmt.Errorf("unsafe name %q from the sender: it has a NUL byte", clip(name))
		}
		if i < len(name) && name[i] != '/' {
			continue
		}
		switch string(name[start:i]) {
		case "", ".", "..":
			return fmt.Errorf("unsafe name %q from the sender: it is not a clean path below the transfer's root", clip(name))
		}
		start = i + 1
	}
	return nil
}
