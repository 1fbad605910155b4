package filelist

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

func TestCheckName(t *testing.T) {
	for _, good := range []string{".", "a", "a/b", ".a", "..a", "a..", "a/.b/..c", "...", "a b", "a\n", "\xff", strings.Repeat("x/", 2000) + "x"} {
		if err := CheckName([]byte(good)); err != nil {
			t.Errorf("%.20q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "/", "/a", "a/", "a//b", "..", "../a", "a/..", "a/../b", "./a", "a/.", "a/./b", "a\x00", "\x00", "a\x00/b", "//"} {
		if err := CheckName([]byte(bad)); err == nil {
			t.Errorf("%q is let through", bad)
		}
	}
	if err := CheckName([]byte(strings.Repeat("\x01", 4000) + "/..")); len(err.Error()) > 1000 {
		t.Errorf("a message of %d bytes", len(err.Error()))
	}
}

// raw puts an entry together by hand, for version 29: the flags, then the name
// with its lengths, then size, time and mode.
func raw(flags byte, name string, rest ...string) string {
	return string([]byte{flags}) + name + strings.Join(rest, "")
}

func int32s(vs ...int32) string {
	var b []byte
	for _, v := range vs {
		b = wire.AppendInt32(b, v)
	}
	return string(b)
}

func TestHostileEntries(t *testing.T) {
	caps := map[int]proto.Caps{}
	for _, d := range dialects(t) {
		caps[d.caps.Version] = d.caps // the last of a version has all flags
	}
	plain := raw(1, "\x01a", int32s(0, 0, ModeFile))
	links := Fields{Links: true}
	for _, tt := range []struct {
		name    string
		version int
		fields  Fields
		input   string
		want    string
	}{
		{"shares more than there was", 29, Fields{}, plain + raw(0x21, "\x02\x01b"), "entry 1: name shares 2 bytes with one of 1"},
		{"first name shares", 29, Fields{}, raw(0x21, "\x01\x01b"), "name shares 1 bytes with one of 0"},
		{"negative length", 29, Fields{}, raw(0x41, int32s(-1)), "length of a name: -1 is not within 0 to 4095"},
		{"length beyond a path", 29, Fields{}, raw(0x41, int32s(4096)), "length of a name: 4096 is not within 0 to 4095"},
		{"length of 2 GiB", 29, Fields{}, raw(0x41, int32s(1<<31-1)), "is not within 0 to 4095"},
		{"empty name", 29, Fields{}, raw(1, "\x00"), "unsafe name"},
		{"parent", 29, Fields{}, raw(1, "\x05a/../"), "unsafe name"},
		{"absolute", 29, Fields{}, raw(1, "\x04/etc"), "unsafe name"},
		{"parent by sharing", 29, Fields{}, raw(1, "\x03a/.", int32s(0, 0, ModeDir)), "unsafe name"},
		{"NUL", 29, Fields{}, raw(1, "\x03a\x00b"), "it has a NUL byte"},
		{"negative size", 29, Fields{}, raw(1, "\x01a", int32s(-2)), `"a" has a negative size`},
		{"negative long size", 29, Fields{}, raw(1, "\x01a", int32s(-1, -1, -1)), `"a" has a negative size`},
		{"no type", 29, Fields{}, raw(1, "\x01a", int32s(0, 0, 0o644)), "unknown file type (mode 644)"},
		{"unknown type", 29, Fields{}, raw(1, "\x01a", int32s(0, 0, 0o150644)), "unknown file type (mode 150644)"},
		{"mode of 32 bits", 29, Fields{}, raw(1, "\x01a", int32s(0, 0, 1<<20|ModeFile)), "unknown file type"},
		{"root that is a link", 29, links, raw(1, "\x01.", int32s(0, 0, ModeLink, 1), "x"), "is not a folder"},
		{"root that is a file", 29, Fields{}, raw(1, "\x01.", int32s(0, 0, ModeFile)), "is not a folder"},
		{"hard link", 29, Fields{}, "\x04\x02\x01a" + int32s(0, 0, ModeFile), "marked as a hard link"},
		{"negative target", 29, links, raw(1, "\x01l", int32s(0, 0, ModeLink, -1)), "length of a link target: -1"},
		{"long target", 29, links, raw(1, "\x01l", int32s(0, 0, ModeLink, 4096)), "length of a link target: 4096"},
		{"empty target", 29, links, raw(1, "\x01l", int32s(0, 0, ModeLink, 0)), "empty target"},
		{"target with NUL", 29, links, raw(1, "\x01l", int32s(0, 0, ModeLink, 2), "a\x00"), "or one with a NUL byte"},
		{"nanoseconds", 31, Fields{}, string(wire.AppendVarInt(nil, int32(proto.FlagNsec))) + "\x01a" + "\x00\x00\x00" + "\x00\x00\x00\x00" + string(wire.AppendVarInt(nil, 1_000_000_000)), "nanoseconds: 1000000000"},
		{"negative varlong size", 30, Fields{}, "\x01\x01a" + string(wire.AppendVarLong(nil, -1, 3)), "negative size"},
		{"cut", 29, Fields{}, plain, "entry 1: unexpected EOF"},
		{"nothing", 29, Fields{}, "", "entry 0: unexpected EOF"},
		{"no I/O errors", 29, Fields{}, plain + "\x00", "the end of the file list: unexpected EOF"},
		{"no id names", 29, Fields{UID: true, Names: true}, "\x00", "the end of the file list: unexpected EOF"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, _, err := decode(caps[tt.version], tt.fields, []byte(tt.input))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, %v; want an error about %q", l, err, tt.want)
			}
		})
	}
}

// Before lists were safe, a list that ends with errors is none.
func TestErrorEndNeedsSafeList(t *testing.T) {
	input := wire.AppendVarInt(wire.AppendUint16(nil, uint16(proto.FlagExtended|proto.FlagErrorEndList)), 1)
	for _, d := range dialects(t) {
		if d.caps.VarintFlags || !d.caps.WideFlags {
			continue
		}
		l, _, err := decode(d.caps, Fields{}, append(bytes.Clone(input), 0, 0, 0, 0))
		if d.caps.SafeList && (err != nil || l.IOError != 1) || !d.caps.SafeList && err == nil {
			t.Errorf("%s: %v, %v", d.name, l, err)
		}
	}
}

func TestTooManyIDNames(t *testing.T) {
	var b []byte
	for id := range int32(maxIDs + 5) {
		b = append(wire.AppendInt32(b, id+1), 1, 'u')
	}
	d := dialects(t)[0]
	_, _, err := decode(d.caps, Fields{UID: true, Names: true}, append([]byte{0}, b...))
	if err == nil || !strings.Contains(err.Error(), "count of id names") {
		t.Errorf("%v", err)
	}
	// Those that come with entries have the same bound.
	var names map[uint32]string
	r := wire.NewReader(strings.NewReader("\x01u\x01v"), 0)
	new(Decoder).readIDName(r, &names, 1, maxIDs)
	if new(Decoder).readIDName(r, &names, 2, maxIDs+1); r.Err() == nil || len(names) != 1 {
		t.Errorf("names %v of entries, %v", names, r.Err())
	}
}

// What a peer makes us keep is in proportion to what it sends. The worst that
// it can do is to share long names, and to repeat the folder's.
func TestMemoryIsBoundedByInput(t *testing.T) {
	d := dialects(t)[0]
	var b []byte
	b = append(b, raw(1, "\xfa"+strings.Repeat("x", 250), int32s(0, 0, ModeFile))...)
	for i := range 20_000 {
		b = append(b, 0x20|0x80|0x02, 250, 3, byte('a'+i%2), '/', 'f')
		b = append(b, int32s(0)...)
	}
	b = append(b, 0, 0, 0, 0, 0)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	l, _, err := decode(d.caps, Fields{}, b)
	runtime.ReadMemStats(&after)
	if err != nil || l.Len() != 20_001 {
		t.Fatalf("%v", err)
	}
	if spent := after.TotalAlloc - before.TotalAlloc; spent > uint64(len(b))*80 {
		t.Errorf("%d bytes allocated for %d of input", spent, len(b))
	}
	runtime.KeepAlive(l)
}

// FuzzDecode takes any bytes as a list in any dialect: no panic, only clean
// names, and what was understood survives a round trip.
func FuzzDecode(f *testing.F) {
	ds := dialects(f)
	fields := []Fields{{}, all, {Links: true}, {UID: true, GID: true, Names: true}, {Devices: true}, {Specials: true, SumLen: 2}, {Atimes: true, Links: true}, {Inodes: true, Devices: true, Links: true}}
	for i, d := range ds {
		for j, fs := range fields {
			f.Add(byte(i), byte(j), encode(d.caps, fs, zoo()[:12], 1, []IDName{{1, "a"}}, nil))
			f.Add(byte(i), byte(j), encode(d.caps, fs, zoo()[24:], 0, nil, []IDName{{0, "a"}}))
			f.Add(byte(i), byte(j), encode(d.caps, fs, links(), 0, nil, nil))
		}
	}
	f.Fuzz(func(t *testing.T, di, fi byte, data []byte) {
		d, fs := ds[int(di)%len(ds)], fields[int(fi)%len(fields)]
		l, _, err := decode(d.caps, fs, data)
		if err != nil {
			return
		}
		if l.Len() > len(data)/5 {
			t.Errorf("%d entries out of %d bytes", l.Len(), len(data))
		}
		for i := range l.Len() {
			e := l.At(int32(i))
			if err := CheckName([]byte(e.Path())); err != nil || e.Size < 0 || len(e.Path()) >= proto.MaxPath || e.Path() == "." && !e.IsDir() {
				t.Errorf("%s: %v", describe(e), err)
			}
		}
		entries := sendable(flat(l), d.caps)
		again, r, err := decode(d.caps, fs, encode(d.caps, fs, entries, l.IOError, ids(l.Users), ids(l.Groups)))
		if err != nil || r.Buffered() != 0 {
			t.Fatalf("%s: written anew it does not read: %v, %d left", d.name, err, r.Buffered())
		}
		if diff := cmp.Diff(describeAll(flat(l)), describeAll(flat(again))); diff != "" {
			t.Errorf("%s:\n%s", d.name, diff)
		}
		if diff := cmp.Diff(inodes(flat(l)), inodes(flat(again))); diff != "" {
			t.Errorf("%s: hard links:\n%s", d.name, diff)
		}
		if diff := cmp.Diff([]any{l.IOError, l.Users, l.Groups}, []any{again.IOError, again.Users, again.Groups}); diff != "" {
			t.Errorf("%s: end:\n%s", d.name, diff)
		}
		again.Sort(d.caps.DirsSortLast)
	})
}

func ids(names map[uint32]string) []IDName {
	var out []IDName
	for id, name := range names {
		out = append(out, IDName{id, name})
	}
	return out
}

// A source that fails in the middle is told with the entry.
func TestSourceFails(t *testing.T) {
	lost := errors.New("cable pulled")
	d := dialects(t)[0]
	r := wire.NewReader(io.MultiReader(strings.NewReader(raw(1, "\x01a", int32s(0, 0, ModeFile))), failing{lost}), 0)
	_, err := NewDecoder(d.caps, Fields{}).Read(r, nil)
	if want := "read file list, entry 1: cable pulled"; !errors.Is(err, lost) || fmt.Sprint(err) != want {
		t.Errorf("%v, want %s", err, want)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
