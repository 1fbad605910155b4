package filelist

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// partDialects are the ways to write a list in parts.
func partDialects(t testing.TB) []dialect {
	t.Helper()
	var out []dialect
	for _, d := range dialects(t) {
		if d.caps.CompatFlags {
			d.caps.IncRecurse = true
			out = append(out, d)
		}
	}
	return out
}

// part is what is in one folder, by the folder's number.
type part struct {
	folder  int32
	entries []Entry
}

// parts is a small tree, with links across its folders and several owners.
func parts() []part {
	return []part{
		{0, []Entry{entry(".", ModeDir|0o755), entry("f", ModeFile|0o644, ino(7, 1), size(5)), entry("a", ModeDir|0o755, owner(7, 8)), entry("b", ModeDir|0o755)}},
		{1, []Entry{entry("a/f", ModeFile|0o644, ino(7, 1), size(5)), entry("a/g", ModeFile|0o600, owner(9, 8)), entry("a/c", ModeDir|0o700)}},
		{3, []Entry{entry("a/c/f", ModeFile|0o644, ino(7, 1), size(5)), entry("a/c/g", ModeFile|0o644, ino(7, 2)), entry("a/c/h", ModeFile|0o644, ino(7, 2))}},
		{2, nil},
	}
}

func userName(id uint32) string {
	return map[uint32]string{0: "root", 7: "seven", 8: "eight", 1000: strings.Repeat("u", 300)}[id]
}

// encodeParts writes a list in parts, with its end.
func encodeParts(caps proto.Caps, fields Fields, list []part) []byte {
	enc, out := NewEncoder(caps, fields), wire.NewIndexCoder(true)
	enc.UserName, enc.GroupName = userName, userName
	var b []byte
	start := int32(1)
	for i, p := range list {
		if i > 0 {
			b = out.Append(b, proto.IndexListBase-p.folder)
		}
		enc.Begin(start)
		for j := range p.entries {
			b = enc.Append(b, &p.entries[j])
		}
		b = enc.AppendEnd(b, 0, nil, nil)
		start += int32(len(p.entries)) + 1
	}
	return out.Append(b, proto.IndexListEnd)
}

// decodeParts reads a list in parts to its end, each with at most limit entries.
func decodeParts(caps proto.Caps, fields Fields, data []byte, limit int) ([]*List, error) {
	r := wire.NewReader(bytes.NewReader(data), 0)
	dec, in := NewDecoder(caps, fields), wire.NewIndexCoder(true)
	var folders Folders
	var lists []*List
	l := &List{Start: 1}
	for {
		if _, err := dec.ReadPart(r, l, limit, nil); err != nil {
			return lists, err
		}
		lists = append(lists, l)
		l.Sort(true)
		if err := folders.Announce(l); err != nil {
			return lists, err
		}
		index := in.Read(r)
		if r.Err() != nil || index == proto.IndexListEnd {
			return lists, r.Err()
		}
		parent, err := folders.Take(index)
		if err != nil {
			return lists, err
		}
		l = &List{Start: l.End() + 1, Parent: parent}
	}
}

func TestParts(t *testing.T) {
	fields := Fields{UID: true, GID: true, Names: true, Inodes: true}
	for _, d := range partDialects(t) {
		lists, err := decodeParts(d.caps, fields, encodeParts(d.caps, fields, parts()), 100)
		if err != nil {
			t.Fatalf("%s: %v", d.name, err)
		}
		var got []string
		names := map[uint32]string{}
		groups := map[uint64][]int32{}
		for _, l := range lists {
			dir := ""
			if l.Parent != nil {
				dir = l.Parent.Path()
				if l.At(l.Start-1) != l.Parent {
					t.Errorf("%s: %q is not at the index before its list", d.name, dir)
				}
			}
			for i, e := range l.All() {
				got = append(got, dir+":"+e.Path())
				if l.At(i) != e || l.Find(e.Path(), e.IsDir(), true) != int(i) {
					t.Errorf("%s: %q is not at its index %d", d.name, e.Path(), i)
				}
				if _, group, linked := e.Inode(); linked {
					groups[group] = append(groups[group], i)
				}
			}
			for id, name := range l.Users {
				if names[id] != "" {
					t.Errorf("%s: the name of %d comes again", d.name, id)
				}
				names[id] = name
			}
		}
		if diff := cmp.Diff(":. :f :a :b a:a/f a:a/g a:a/c a/c:a/c/f a/c:a/c/g a/c:a/c/h", strings.Join(got, " ")); diff != "" {
			t.Errorf("%s: %s", d.name, diff)
		}
		if diff := cmp.Diff(map[uint32]string{7: "seven", 1000: strings.Repeat("u", 255)}, names); diff != "" {
			t.Errorf("%s: names: %s", d.name, diff)
		}
		// Indexes: 1 to 4, the second list's from 6, the third's from 10.
		if diff := cmp.Diff(map[uint64][]int32{2: {2, 6, 10}, 11: {11, 12}}, groups); diff != "" {
			t.Errorf("%s: hard links: %s", d.name, diff)
		}
	}
}

func TestHostileParts(t *testing.T) {
	list := func(change func(p []part) []part) []part { return change(parts()) }
	for name, tt := range map[string]struct {
		parts []part
		want  string
	}{
		"a folder that is not announced": {list(func(p []part) []part { p[1].folder = 4; return p }), "for folder 4, of which there are 3"},
		"a negative folder":              {list(func(p []part) []part { p[1].folder = -1; return p }), "of which there are 3"},
		"the same folder twice":          {list(func(p []part) []part { p[3].folder = 1; return p }), "which has had its own"},
		"the root again":                 {list(func(p []part) []part { p[1].folder = 0; return p }), "which has had its own"},
		"a file of another folder":       {list(func(p []part) []part { p[2].entries[1].SetPath("a/x"); return p }), `"a/x" is not in the folder "a/c"`},
		"a file of a subfolder":          {list(func(p []part) []part { p[1].entries[1].SetPath("a/c/x"); return p }), `is not in the folder "a"`},
		"a file of the top":              {list(func(p []part) []part { p[1].entries[1].SetPath("x"); return p }), `is not in the folder "a"`},
		"a folder that begins alike":     {list(func(p []part) []part { p[1].entries[1].SetPath("ab/x"); return p }), `is not in the folder "a"`},
		"the root in a folder":           {list(func(p []part) []part { p[1].entries[2].SetPath("."); return p }), `is not in the folder "a"`},
		"a duplicate's part": {[]part{
			{0, []Entry{entry("a", ModeDir|0o755), entry("a", ModeDir|0o755)}}, {1, nil},
		}, "is a duplicate"},
		"too many entries": {[]part{{0, []Entry{entry("a", ModeDir|0o755)}}, {0, []Entry{entry("a/1", ModeFile), entry("a/2", ModeFile), entry("a/3", ModeFile), entry("a/4", ModeFile), entry("a/5", ModeFile)}}}, "more than 4 entries"},
	} {
		for _, d := range partDialects(t) {
			if _, err := decodeParts(d.caps, Fields{}, encodeParts(d.caps, Fields{}, tt.parts), 4); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: %s: %v, want %q", d.name, name, err, tt.want)
			}
		}
	}
}

// The number of a folder must stay one that an index can announce.
func TestFoldersAreBounded(t *testing.T) {
	var l List
	l.Add(entry("a", ModeDir|0o755))
	f := Folders{announced: math.MaxInt32/2 - 1}
	if err := f.Announce(&l); err != nil {
		t.Error(err)
	}
	if err := f.Announce(&l); err == nil {
		t.Error("a folder has a number that is too high")
	}
}

// FuzzParts takes any bytes as a list in parts: no panic, nothing outside its
// folder, and every entry at its index.
func FuzzParts(f *testing.F) {
	ds := partDialects(f)
	fields := []Fields{{}, {UID: true, GID: true, Names: true}, {Inodes: true, Links: true, Devices: true}}
	for i, d := range ds {
		for j, fs := range fields {
			f.Add(byte(i), byte(j), encodeParts(d.caps, fs, parts()))
		}
	}
	f.Fuzz(func(t *testing.T, di, fi byte, data []byte) {
		d, fs := ds[int(di)%len(ds)], fields[int(fi)%len(fields)]
		lists, _ := decodeParts(d.caps, fs, data, 1000)
		next := int32(1)
		for _, l := range lists {
			if l.Start != next {
				t.Errorf("a list starts at %d, want %d", l.Start, next)
			}
			next = l.End() + 1
			for i, e := range l.All() {
				if l.At(i) != e {
					t.Errorf("%q is not at its index %d", e.Path(), i)
				}
				if l.Parent != nil && e.Dir != l.Parent.Path() {
					t.Errorf("%q is in the list of %q", e.Path(), l.Parent.Path())
				}
				if _, group, linked := e.Inode(); linked && group > uint64(l.End()) {
					t.Errorf("%q is a link to %d, which has not come", e.Path(), group)
				}
			}
		}
	})
}

// With --relative names may begin with a slash, all or none.
func TestRootedNames(t *testing.T) {
	for _, tt := range []struct {
		names  []string
		rooted bool
		want   string // paths, or the error
	}{
		{[]string{"/usr", "/usr/bin"}, true, "usr usr/bin"},
		{[]string{".", "/usr", "/usr/bin"}, true, ". usr usr/bin"},
		{[]string{"usr", "usr/bin"}, true, "usr usr/bin"},
		{[]string{"/usr", "usr/bin"}, true, "absolute and relative"},
		{[]string{"usr", "/usr/bin"}, true, "absolute and relative"},
		{[]string{"/usr", "/usr/bin"}, false, "unsafe name"},
		{[]string{"//usr"}, true, "unsafe name"},
		{[]string{"/"}, true, "unsafe name"},
		{[]string{"/../usr"}, true, "unsafe name"},
	} {
		for _, d := range dialects(t) {
			enc := NewEncoder(d.caps, Fields{})
			var b []byte
			for _, name := range tt.names {
				b = enc.Append(b, &Entry{Base: name, Mode: ModeDir | 0o755})
			}
			r := wire.NewReader(bytes.NewReader(enc.AppendEnd(b, 0, nil, nil)), 0)
			dec := NewDecoder(d.caps, Fields{})
			dec.Rooted = tt.rooted
			l, err := dec.Read(r, nil)
			got := fmt.Sprint(err)
			if err == nil {
				var paths []string
				for _, e := range l.All() {
					paths = append(paths, e.Path())
				}
				got = strings.Join(paths, " ")
			}
			if !strings.Contains(got, tt.want) {
				t.Errorf("%s: %q: %s, want %s", d.name, tt.names, got, tt.want)
			}
		}
	}
}

// A list that takes more memory than it may is given up where that shows, and
// folders that wait count until their parts have come.
func TestMemoryOfLists(t *testing.T) {
	caps, err := proto.New(31)
	if err != nil {
		t.Fatal(err)
	}
	enc := NewEncoder(caps, Fields{Links: true})
	var b []byte
	const count = 1000
	for i := range count {
		e := Entry{Mode: ModeLink | 0o777}
		e.SetPath(fmt.Sprintf("folder/%04d", i))
		e.SetTarget(strings.Repeat("t", 500))
		b = enc.Append(b, &e)
	}
	b = append(b, 0, 0)
	b = append(b, 0, 0) // no names of users and groups
	read := func(room int64) (*List, error) {
		d := NewDecoder(caps, Fields{Links: true})
		d.Room = room
		return d.Read(wire.NewReader(bytes.NewReader(b), 4096), nil)
	}
	l, err := read(0)
	if err != nil {
		t.Fatal(err)
	}
	if n := l.Bytes(); n < count*500 || n > count*1000 {
		t.Errorf("%d bytes for %d links", n, count)
	}
	if _, err := read(l.Bytes()); err != nil {
		t.Error(err)
	}
	if _, err := read(l.Bytes() / 2); !errors.Is(err, ErrMemory) {
		t.Errorf("half of the room: %v", err)
	}
	var f Folders
	part := &List{}
	for i := range 3 {
		part.Add(Entry{Base: strings.Repeat("d", 100+i), Mode: ModeDir})
	}
	if err := f.Announce(part); err != nil || f.Bytes() < 300 {
		t.Errorf("%d bytes wait, %v", f.Bytes(), err)
	}
	for i := range int32(3) {
		if _, err := f.Take(proto.IndexListBase - i); err != nil {
			t.Fatal(err)
		}
	}
	if f.Bytes() != 0 {
		t.Errorf("%d bytes wait for nothing", f.Bytes())
	}
}
