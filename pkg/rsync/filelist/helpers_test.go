package filelist

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unsafe"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// dialect is a way to write a list: a version with its compatibility flags.
type dialect struct {
	name string
	caps proto.Caps
}

// dialects returns each version, from 30 on with and without flags.
func dialects(t testing.TB) []dialect {
	t.Helper()
	var out []dialect
	for v := proto.MinVersion; v <= proto.MaxVersion; v++ {
		c, err := proto.New(v)
		if err != nil {
			t.Fatal(err)
		}
		if !c.CompatFlags {
			out = append(out, dialect{fmt.Sprint(v), c})
			continue
		}
		out = append(out,
			dialect{fmt.Sprint(v, " bare"), c.WithCompat(0)},
			dialect{fmt.Sprint(v, " safe"), c.WithCompat(proto.CompatSafeList)},
			dialect{fmt.Sprint(v, " varint"), c.WithCompat(proto.CompatFor(proto.ClientLetters()) &^ proto.CompatIncRecurse)})
	}
	return out
}

// all is every field that an entry can have.
var all = Fields{UID: true, GID: true, Links: true, Devices: true, Specials: true, SumLen: 16, Names: true}

// entry makes an entry and lets fs change it.
func entry(path string, mode uint32, fs ...func(*Entry)) Entry {
	e := Entry{Mode: mode, Mtime: 1_000_000_000, UID: 1000, GID: 100}
	e.SetPath(path)
	for _, f := range fs {
		f(&e)
	}
	return e
}

func target(t string) func(*Entry)            { return func(e *Entry) { e.SetTarget(t) } }
func device(major, minor uint32) func(*Entry) { return func(e *Entry) { e.SetDevice(major, minor) } }
func at(sec int64, ns uint32) func(*Entry)    { return func(e *Entry) { e.Mtime, e.Nsec = sec, ns } }
func size(n int64) func(*Entry)               { return func(e *Entry) { e.Size = n } }
func owner(uid, gid uint32) func(*Entry)      { return func(e *Entry) { e.UID, e.GID = uid, gid } }
func mark(m Mark) func(*Entry)                { return func(e *Entry) { e.Mark = m } }
func sum(b byte) func(*Entry) {
	return func(e *Entry) { e.SetSum(bytes.Repeat([]byte{b}, 16)) }
}

// zoo is one of every kind of entry, and every kind of neighbour.
func zoo() []Entry {
	long := strings.Repeat("n", 255)
	deep := strings.Repeat("d", 200) + "/" + strings.Repeat("e", 200)
	return []Entry{
		entry(".", ModeDir|0o755, mark(MarkTopDir)),
		entry("fids", ModeDir|0o755),
		entry("fids/120", ModeFile|0o644, size(4_000_000), sum(1)),
		entry("fids/121", ModeFile|0o644, size(180), sum(2)),                          // all as before
		entry("other", ModeFile|0o600, owner(0, 0), at(5, 0), sum(3)),                 // all different, nothing shared
		entry("z", ModeDir|0o700, owner(1, 1), at(6, 0)),                              // the same for a folder
		entry("z", ModeFile|0o700, owner(1, 2), at(6, 999_999_999), size(0), sum(4)),  // the same name again
		entry("z-nsec", ModeFile|0o700, owner(1, 2), at(6, 1), size(1<<31-1), sum(5)), // only nanoseconds differ
		entry("big", ModeFile|0o644, size(1<<31), sum(6)),                             //
		entry("bigger", ModeFile|0o644, size(1<<32+5), sum(7)),                        //
		entry("biggest", ModeFile|0o644, size(1<<63-1), sum(8)),                       //
		entry("2038", ModeFile|0o644, at(1<<31, 0), sum(9)),                           // beyond an int32
		entry("2107", ModeFile|0o644, at(1<<32+7, 0), sum(10)),                        // beyond a uint32
		entry("1969", ModeFile|0o644, at(-1, 500), sum(11)),                           // before 1970
		entry("1601", ModeFile|0o644, at(-11_644_473_600, 0), sum(12)),                //
		entry("1970", ModeFile|0o644, at(0, 0), sum(13)),                              //
		entry("ids", ModeFile|0o6755, owner(1<<32-1, 1<<31), sum(14)),                 // nobody's ids, set-id bits
		entry("sticky", ModeDir|0o1777, mark(MarkTopDir|MarkNoContent)),               //
		entry("shut", ModeDir, mark(MarkNoContent)),                                   //
		entry(long, ModeFile|0o644, sum(15)),                                          // 255 bytes: a short length
		entry("x"+long, ModeFile|0o644, sum(16)),                                      // 256 bytes: a long one
		entry("x"+long+"y", ModeFile|0o644, sum(17)),                                  // shares more than a byte can say
		entry(deep, ModeDir|0o755),                                                    //
		entry(deep+"/f", ModeFile|0o644, sum(18)),                                     //
		entry("latin1-\xe4\n\x7f", ModeFile|0o644, sum(19)),                           // bytes, not text
		entry("link", ModeLink|0o777, target("a")),                                    //
		entry("link2", ModeLink|0o777, target("../"+strings.Repeat("t", 4000))),       //
		entry("null", ModeChar|0o666, device(1, 3)),                                   //
		entry("zero", ModeChar|0o666, device(1, 5)),                                   // the major shared
		entry("zero2", ModeChar|0o666, device(1, 5)),                                  // both shared
		entry("hda1", ModeBlock|0o660, device(3, 1)),                                  //
		entry("fifo", ModeFifo|0o640),                                                 // between devices
		entry("hdb", ModeBlock|0o660, device(3, 300)),                                 // a minor beyond a byte
		entry("dm", ModeBlock|0o660, device(4095, 1<<20-1)),                           // the largest of an old kernel's
		entry("socket", ModeSocket|0o755),                                             //
		entry("end", ModeFile|0o644, size(7), sum(20)),                                //
	}
}

// encode writes a list.
func encode(caps proto.Caps, fields Fields, entries []Entry, ioError int32, users, groups []IDName) []byte {
	enc := NewEncoder(caps, fields)
	var b []byte
	for i := range entries {
		b = enc.Append(b, &entries[i])
	}
	return enc.AppendEnd(b, ioError, users, groups)
}

func decode(caps proto.Caps, fields Fields, p []byte) (*List, *wire.Reader, error) {
	r := wire.NewReader(bytes.NewReader(p), 0)
	l, err := NewDecoder(caps, fields).Read(r, nil)
	return l, r, err
}

// describe writes down all of an entry that travels.
func describe(e *Entry) string {
	major, minor := e.Device()
	return fmt.Sprintf("%q %o size %d time %d.%09d owner %d:%d mark %d -> %q dev %d,%d sum %x",
		e.Path(), e.Mode, e.Size, e.Mtime, e.Nsec, e.UID, e.GID, e.Mark, e.Target(), major, minor, e.Sum())
}

func describeAll(entries []Entry) []string {
	out := make([]string, len(entries))
	for i := range entries {
		out[i] = describe(&entries[i])
	}
	return out
}

// arrives is what is left of an entry at the other end.
func arrives(e Entry, caps proto.Caps, fields Fields) Entry {
	got := Entry{Dir: e.Dir, Base: e.Base, Size: e.Size, Mtime: e.Mtime, Mode: e.Mode, Mark: e.Mark}
	if !caps.VarInts {
		got.Mtime = int64(uint32(e.Mtime))
	}
	if caps.NsecTimes {
		got.Nsec = e.Nsec
	}
	if !caps.NoContentDirs && got.Mark&MarkNoContent != 0 {
		got.Mark &^= MarkNoContent | MarkTopDir
	}
	if fields.UID {
		got.UID = e.UID
	}
	if fields.GID {
		got.GID = e.GID
	}
	if fields.Links && e.IsLink() {
		got.SetTarget(e.Target())
	}
	if fields.Devices && e.IsDevice() {
		got.SetDevice(e.Device())
	}
	if fields.SumLen > 0 && e.IsRegular() {
		got.SetSum([]byte(e.Sum())[:fields.SumLen])
	}
	return got
}

// sameString reports whether two strings are one in memory.
func sameString(a, b string) bool { return unsafe.StringData(a) == unsafe.StringData(b) }

// listOf makes a list of entries.
func listOf(entries []Entry) *List {
	l := &List{}
	for _, e := range entries {
		l.Add(e)
	}
	return l
}

// flat returns a list's entries in one slice.
func flat(l *List) []Entry {
	entries := make([]Entry, 0, l.Len())
	for _, e := range l.All() {
		entries = append(entries, *e)
	}
	return entries
}
