package filelist

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

func ino(dev, ino uint64) func(*Entry) { return func(e *Entry) { e.SetInode(dev, ino) } }

// links is a list of files with several names, and of neighbours with one.
func links() []Entry {
	return []Entry{
		entry(".", ModeDir|0o755),
		entry("a", ModeFile|0o644, size(5), ino(7, 100), sum(1)),
		entry("b", ModeFile|0o600, size(6), ino(7, 101), sum(2)), // another file
		entry("c", ModeFile|0o644, size(5), ino(7, 100), sum(1)), // a again
		entry("d", ModeFile|0o644, size(5), ino(8, 100), sum(1)), // the number of a on another device
		entry("e", ModeDir|0o700, at(77, 0)),
		entry("e/b", ModeFile|0o600, size(6), ino(7, 101), sum(2)),
		entry("e/single", ModeFile|0o600, size(9), sum(3)),
		entry("null", ModeChar|0o666, device(1, 3), ino(1<<40, 1<<50)),
		entry("other", ModeChar|0o666, device(3, 1)),
		entry("null2", ModeChar|0o666, device(1, 3), ino(1<<40, 1<<50)),
		entry("zero", ModeChar|0o666, device(1, 5)),
		entry("l1", ModeLink|0o777, target("a"), ino(7, 102)),
		entry("l2", ModeLink|0o777, target("a"), ino(7, 102)),
	}
}

// inodes describes which entries are one file.
func inodes(entries []Entry) []string {
	var out []string
	first := make(map[inode]int)
	for i := range entries {
		dev, ino, linked := entries[i].Inode()
		if !linked {
			out = append(out, "")
			continue
		}
		k := inode{dev, ino}
		if _, known := first[k]; !known {
			first[k] = i
		}
		out = append(out, fmt.Sprint("is ", first[k]))
	}
	return out
}

// sendable returns received entries as a sender has them: before version 30
// devices travel plus one.
func sendable(entries []Entry, caps proto.Caps) []Entry {
	out := make([]Entry, len(entries))
	for i, e := range entries {
		out[i] = e
		if dev, ino, linked := e.Inode(); linked && !caps.LinkIndex {
			x := *e.ext
			out[i].ext = &x
			out[i].SetInode(dev-1, ino)
		}
	}
	return out
}

func TestHardLinks(t *testing.T) {
	fields := all
	fields.Inodes = true
	for _, d := range dialects(t) {
		t.Run(d.name, func(t *testing.T) {
			in := links()
			for i := range in {
				if !d.caps.HardLinkBit && in[i].IsRegular() && in[i].Path() == "e/single" {
					in[i].SetInode(7, 500) // every regular file says which it is
				}
				if !d.caps.HardLinkBit && !in[i].IsRegular() && in[i].ext != nil {
					in[i].ext.linked = false
				}
			}
			var want []string
			for _, e := range in {
				e = arrives(e, d.caps, fields)
				want = append(want, describe(&e))
			}
			l, r, err := decode(d.caps, fields, encode(d.caps, fields, in, 0, nil, nil))
			if err != nil || r.Buffered() != 0 {
				t.Fatalf("%v, %d bytes left", err, r.Buffered())
			}
			if diff := cmp.Diff(want, describeAll(flat(l))); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(inodes(in), inodes(flat(l))); diff != "" {
				t.Error(diff)
			}
			if _, r, err := decode(d.caps, fields, encode(d.caps, fields, zoo(), 0, nil, nil)); err != nil || r.Buffered() != 0 {
				t.Errorf("nothing is linked: %v, %d bytes left", err, r.Buffered())
			}
		})
	}
}

// Before version 28 every regular file has device and inode on the wire, and
// nothing else has, even if an entry says otherwise of itself.
func TestInodesOfOldVersions(t *testing.T) {
	fields := all
	fields.Inodes = true
	for _, d := range dialects(t) {
		if d.caps.HardLinkBit {
			continue
		}
		l, r, err := decode(d.caps, fields, encode(d.caps, fields, links(), 0, nil, nil))
		if err != nil || r.Buffered() != 0 || l.Len() != len(links()) {
			t.Errorf("%s: %v, %d bytes left", d.name, err, r.Buffered())
		}
	}
}

func TestHostileLinks(t *testing.T) {
	linked, first := byte(proto.FlagHardLinked>>8), byte((proto.FlagHardLinked|proto.FlagLinkFirst)>>8)
	head := "\x04" + string([]byte{first}) + "\x01a" + "\x00\x00\x00" + "\x00\x00\x00\x00" + int32s(ModeFile|0o644)
	plain := "\x01\x01b" + "\x00\x00\x00" + "\x00\x00\x00\x00" + int32s(ModeFile|0o644)
	later := func(name string, index int32) string {
		return "\x04" + string([]byte{linked}) + string(rune(len(name))) + name + string(wire.AppendVarInt(nil, index))
	}
	c, err := proto.New(30)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, input, want string }{
		{"a good one", head + later("c", 0) + "\x00", ""},
		{"nothing before", later("c", 0), "index of a hard link's first name: 0 is not within 0 to -1"},
		{"itself", head + later("c", 1), "1 is not within 0 to 0"},
		{"negative", head + later("c", -1), "-1 is not within"},
		{"beyond", head + later("c", 1<<30), "is not within"},
		{"no first name", head + plain + later("c", 1), "hard link to entry 1, which is no first name"},
		{"a later name", head + later("c", 0) + later("d", 1), "hard link to entry 1, which is no first name"},
		{"the root", head + later(".", 0), `the transfer's root "." is not a folder`},
	} {
		_, _, err := decode(c.WithCompat(0), Fields{Inodes: true}, []byte(tt.input))
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestNeedsInode(t *testing.T) {
	for _, d := range dialects(t) {
		for _, tt := range []struct {
			regular  bool
			names    uint64
			old, now bool
		}{{true, 1, true, false}, {true, 2, true, true}, {false, 1, false, false}, {false, 2, false, true}} {
			want := tt.now
			if !d.caps.HardLinkBit {
				want = tt.old
			}
			if got := NeedsInode(d.caps, tt.regular, tt.names); got != want {
				t.Errorf("%s: NeedsInode(%v, %d) = %v", d.name, tt.regular, tt.names, got)
			}
		}
	}
}
