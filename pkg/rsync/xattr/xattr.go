// Package xattr is the form that extended attributes have on the wire: lists
// that follow file-list entries, each told once, with long values as sums, and
// the later exchange of the values that the receiving side needs.
//
// A [Table] keeps the lists of one connection on either side. It knows nothing
// of files.
package xattr

import (
	"crypto/md5"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// Limits.
const (
	// MaxFull is the longest value in bytes that travels with a list; of longer
	// ones the sum does (xattrs.c:MAX_FULL_DATUM).
	MaxFull = 32
	// SumLen is how long that sum is: MD5 in every version that has attributes.
	SumLen = md5.Size

	maxAttrs = 1 << 12   // of one file: Linux lists 64 KiB of names at most
	maxName  = 1 << 10   // bytes of a name with its end
	maxValue = 128 << 20 // bytes that a value may claim to have
	maxData  = 1 << 20   // bytes of a value that is really sent

	// maxTotal bounds what a table keeps, in bytes: 16 MiB on a 32-bit board.
	maxTotal = 16 << 20 << (4 * (^uint(0) >> 63))
	// overhead is what an attribute costs besides its bytes.
	overhead = 64
)

// State is how far an attribute's value has come.
type State uint8

// The states. Full is a value that is at hand; Short one that only its sum is
// known of; Wanted one that was asked for.
const (
	Full State = iota
	Short
	Wanted
)

// Attr is an attribute of a file.
type Attr struct {
	Name  string
	Value string
	Size  int64  // of the value in bytes, whether it is at hand or not
	Sum   string // of a value longer than MaxFull
	State State
	num   int32 // its place on the sending side, from 1
}

// New makes an attribute of a value. Of a long one the sum is kept, and the value left to be read again.
func New(name string, value []byte) Attr {
	a := Attr{Name: name, Size: int64(len(value))}
	if len(value) <= MaxFull {
		a.Value = string(value)
		return a
	}
	sum := md5.Sum(value)
	a.Sum, a.State = string(sum[:]), Short
	return a
}

// Same reports whether two attributes have the same name and value.
func (a Attr) Same(b Attr) bool {
	if a.Name != b.Name || a.Size != b.Size {
		return false
	}
	if a.Size > MaxFull {
		return a.Sum == b.Sum
	}
	return a.Value == b.Value
}

// List is the attributes of a file, ordered by name.
type List []Attr

// Sort puts a list into order and numbers it, as a sending side does.
func (l List) Sort() {
	slices.SortFunc(l, func(a, b Attr) int { return strings.Compare(a.Name, b.Name) })
	for i := range l {
		l[i].num = int32(i + 1)
	}
}

// Equal reports whether two ordered lists say the same.
func (l List) Equal(other List) bool { return slices.EqualFunc(l, other, Attr.Same) }

// find returns the attribute of a name.
func (l List) find(name string) (Attr, bool) {
	i, ok := slices.BinarySearchFunc(l, name, func(a Attr, n string) int { return strings.Compare(a.Name, n) })
	if !ok {
		return Attr{}, false
	}
	return l[i], true
}

// Table holds the lists of a connection. One goroutine reads or appends lists;
// the other methods may be called by any.
type Table struct {
	mu    sync.Mutex
	lists []List
	known map[string]int32 // sending side: literal form -> index
	total int
}

// At returns the list of an index that this table has given out.
func (t *Table) At(index int32) List {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.lists[index])
}

// Append appends the list of an entry: the index of an equal one, or all of it
// (xattrs.c:send_xattr). It returns the list's index. called, if not nil, says
// what the other side calls an attribute; each name must always get the same answer.
func (t *Table) Append(b []byte, l List, called func(name string) string) ([]byte, int32) {
	literal := wire.AppendVarInt(nil, int32(len(l)))
	var renamed []byte // two lists that only look alike over there are two
	for _, a := range l {
		name := a.Name
		if called != nil {
			if name = called(a.Name); name != a.Name {
				renamed = append(append(renamed, a.Name...), 0)
			}
		}
		literal = wire.AppendVarInt(literal, int32(len(name)+1))
		literal = wire.AppendVarInt(literal, int32(a.Size))
		literal = append(append(literal, name...), 0)
		if a.Size > MaxFull {
			literal = append(literal, a.Sum...)
		} else {
			literal = append(literal, a.Value...)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	key := string(literal) + string(renamed)
	if i, ok := t.known[key]; ok {
		return wire.AppendVarInt(b, i+1), i
	}
	if t.known == nil {
		t.known = make(map[string]int32)
	}
	i := int32(len(t.lists))
	t.known[key] = i
	t.lists = append(t.lists, l)
	return append(wire.AppendVarInt(b, 0), literal...), i
}

// Read reads the list of an entry and returns its index
// (xattrs.c:receive_xattr). here says what an attribute is called on this side,
// and whether it matters.
func (t *Table) Read(r *wire.Reader, here func(name string) (string, bool)) int32 {
	index := r.VarInt()
	if !r.Limit(int64(index), int64(len(t.lists)), "index of extended attributes") {
		return -1
	}
	if index != 0 {
		return index - 1
	}
	count := r.VarInt()
	if !r.Limit(int64(count), maxAttrs, "count of extended attributes") {
		return -1
	}
	var l List
	for num := int32(1); num <= count; num++ {
		a := t.readAttr(r)
		if r.Err() != nil {
			return -1
		}
		a.num = num
		ok := false
		if a.Name, ok = here(a.Name); ok {
			l = append(l, a)
		}
	}
	t.spend(r, overhead)
	slices.SortFunc(l, func(a, b Attr) int { return strings.Compare(a.Name, b.Name) })
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lists = append(t.lists, l)
	return int32(len(t.lists) - 1)
}

func (t *Table) readAttr(r *wire.Reader) (a Attr) {
	nameLen, size := r.VarInt(), r.VarInt()
	if !r.Limit(int64(size), maxValue, "size of an extended attribute") {
		return a
	}
	name := string(r.Bytes(int64(nameLen), maxName, "name of an extended attribute"))
	if r.Err() == nil && (len(name) < 2 || strings.IndexByte(name, 0) != len(name)-1) {
		r.Fail(fmt.Errorf("the name %q of an extended attribute has no end", name))
	}
	a = Attr{Name: strings.TrimSuffix(name, "\x00"), Size: int64(size)}
	if a.Size > MaxFull {
		a.Sum, a.State = string(r.Bytes(SumLen, SumLen, "sum of an extended attribute")), Short
	} else {
		a.Value = string(r.Bytes(a.Size, MaxFull, "extended attribute"))
	}
	t.spend(r, overhead+len(a.Name)+len(a.Value)+len(a.Sum))
	return a
}

// spend counts what is kept.
func (t *Table) spend(r *wire.Reader, n int) {
	if err := t.take(n); err != nil {
		r.Fail(err)
	}
}

func (t *Table) take(n int) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.total += n; t.total > maxTotal {
		return fmt.Errorf("extended attributes take more than %d bytes", maxTotal)
	}
	return nil
}

// AppendRequest appends the numbers of the long values that the receiving side
// lacks, have being what it has, and that have not been asked for
// (xattrs.c:xattr_diff, send_xattr_request).
func (t *Table) AppendRequest(b []byte, index int32, have List) []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	last := int32(0)
	l := t.lists[index]
	for i := range l {
		if l[i].State != Short {
			continue
		}
		if mine, ok := have.find(l[i].Name); ok && mine.Same(l[i]) {
			continue
		}
		l[i].State = Wanted
		b = wire.AppendVarInt(b, l[i].num-last)
		last = l[i].num
	}
	return append(b, 0)
}

// ReadRequest reads which values are asked for (xattrs.c:recv_xattr_request).
func (t *Table) ReadRequest(r *wire.Reader, index int32) {
	for num, ok := nextNumber(r, 0); ok; num, ok = nextNumber(r, num) {
		if err := t.update(index, num, Short, func(a *Attr) { a.State = Wanted }); err != nil {
			r.Fail(err)
			return
		}
	}
}

// AppendData appends the values that were asked for; value reads one again, and
// returns nothing where that fails, which it has told of.
func (t *Table) AppendData(b []byte, index int32, value func(name string) []byte) []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	last := int32(0)
	l := t.lists[index]
	for i := range l {
		if l[i].State != Wanted {
			continue
		}
		l[i].State = Full
		b = wire.AppendVarInt(b, l[i].num-last)
		last = l[i].num
		v := value(l[i].Name)
		b = wire.AppendVarInt(b, int32(len(v)))
		b = append(b, v...)
	}
	return append(b, 0)
}

// ReadData reads the values that were asked for. Nothing is locked while it
// waits for the peer.
func (t *Table) ReadData(r *wire.Reader, index int32) {
	last := int64(0)
	for {
		num, ok := nextNumber(r, last)
		if !ok {
			return
		}
		last = num
		size := r.VarInt()
		v := string(r.Bytes(int64(size), maxData, "extended attribute"))
		if r.Err() != nil {
			return
		}
		err := t.update(index, num, Wanted, func(a *Attr) {
			a.Value, a.Size, a.State = v, int64(len(v)), Full // it may have changed
		})
		if err == nil {
			err = t.take(len(v))
		}
		if err != nil {
			r.Fail(err)
			return
		}
	}
}

// nextNumber reads the difference to the next number; false at the end.
func nextNumber(r *wire.Reader, last int64) (int64, bool) {
	diff := r.VarInt()
	return last + int64(diff), r.Err() == nil && diff != 0
}

// update changes an attribute that must be in a state.
func (t *Table) update(index int32, num int64, in State, f func(*Attr)) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.lists[index]
	i := slices.IndexFunc(l, func(a Attr) bool { return int64(a.num) == num })
	switch {
	case i < 0:
		return fmt.Errorf("extended attribute %d is not one of %d", num, len(l))
	case l[i].State != in:
		return fmt.Errorf("extended attribute %q is asked for or sent out of turn", l[i].Name)
	}
	f(&l[i])
	return nil
}

// Keep remembers a value of which only the sum has come, having been found on
// this side, so that other files can have it.
func (t *Table) Keep(index int32, name string, value []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.lists[index]
	for i := range l {
		if l[i].Name == name && l[i].State == Short && t.total+len(value) <= maxTotal {
			l[i].Value, l[i].State = string(value), Full
			t.total += len(value)
		}
	}
}
