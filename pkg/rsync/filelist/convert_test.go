package filelist

import (
	"bytes"
	"strings"
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/charset"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
	"github.com/google/go-cmp/cmp"
)

// decodeLatin reads a list whose names become ISO-8859-15, and what it tells of.
func decodeLatin(t testing.TB, caps proto.Caps, fields Fields, p []byte) (*List, []string, error) {
	t.Helper()
	d := NewDecoder(caps, fields)
	var err error
	if d.Names, err = charset.Open("latin9"); err != nil {
		t.Fatal(err)
	}
	var told []string
	d.Unnamed = func(what Unnamed, name string, err error) {
		told = append(told, []string{"name ", "target of "}[what]+name)
	}
	l, err := d.Read(wire.NewReader(bytes.NewReader(p), 0), nil)
	return l, told, err
}

// Entries are sorted by their names here, and their indexes on the wire, folders'
// numbers too, stay what the other side counts.
func TestKeepsOrder(t *testing.T) {
	sent := []Entry{entry("z", ModeDir|0o755), entry("é", ModeFile), entry("b", ModeFile), entry("€", ModeDir|0o755), entry("a", ModeDir|0o755), entry("b", ModeFile)}
	d := dialects(t)[len(dialects(t))-1]
	l, _, err := decodeLatin(t, d.caps, Fields{}, encode(d.caps, Fields{}, sent, 0, nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	l.Start, l.KeepsOrder = 5, true
	l.Sort(true)
	var got []string
	for i, e := range l.All() {
		was := sent[l.Sent(i)-5]
		if l.Place(l.Sent(i)) != i || was.IsDir() != e.IsDir() || (was.Base != e.Base) != (was.Base == "é" || was.Base == "€") {
			t.Errorf("%q at %d has been %q, at %d", e.Base, i, was.Base, l.Sent(i))
		}
		got = append(got, e.Base)
	}
	if want := "b b \xe9 a z \xa4"; strings.Join(got, " ") != want {
		t.Errorf("%q, not %q", got, want)
	}
	numbers := map[string]int32{}
	for n, e := range l.Dirs() {
		numbers[e.Base] = n
	}
	if d := cmp.Diff(map[string]int32{"z": 0, "\xa4": 1, "a": 2}, numbers); d != "" {
		t.Error(d)
	}
	for _, none := range []int32{4, 11, -1} {
		if l.Sent(none) != none || l.Place(none) != none {
			t.Errorf("index %d is %d and %d", none, l.Sent(none), l.Place(none))
		}
	}
}

// What has no name here keeps its place, is told of, and no more.
func TestUnnamed(t *testing.T) {
	sent := []Entry{
		entry("é", ModeFile), entry("☃", ModeFile), entry("é/☃", ModeDir|0o755), entry("☃", ModeFile), entry("link", ModeLink|0o777, target("☃")),
		entry("good", ModeLink|0o777, target("é")), entry("\xff", ModeFile), entry("\xe2\x98\x83x", ModeFile),
	}
	for _, d := range dialects(t) {
		l, told, err := decodeLatin(t, d.caps, Fields{Links: true}, encode(d.caps, Fields{Links: true}, sent, 0, nil, nil))
		if err != nil {
			t.Fatal(err)
		}
		want, names := []string{"name ☃", "name é/☃", "name ☃", "target of link", "name \xff", "name ☃x"}, "\xe9 good"
		link := "\xe9"
		if !d.caps.SymlinkIconv {
			want, names, link = append(want[:3:3], want[4:]...), "\xe9 link good", "é"
		}
		if diff := cmp.Diff(want, told); diff != "" {
			t.Errorf("%s:\n%s", d.name, diff)
		}
		var kept []string
		for _, e := range l.All() {
			if e.Mark&MarkDropped == 0 {
				kept = append(kept, e.Base)
			}
			if e.Base == "good" && e.Target() != link {
				t.Errorf("%s: the link leads to %q", d.name, e.Target())
			}
		}
		if strings.Join(kept, " ") != names || l.Len() != len(sent) || l.IOError != proto.IOErrGeneral {
			t.Errorf("%s: %q, %d entries, error %d", d.name, kept, l.Len(), l.IOError)
		}
		l.Sort(d.caps.DirsSortLast)
		if l.Find("☃", false, d.caps.DirsSortLast) >= 0 || l.Find("\xe9", false, d.caps.DirsSortLast) < 0 {
			t.Errorf("%s: what is found is not what has a name", d.name)
		}
	}
}

// A folder without a name has a part, in which nothing has one either.
func TestUnnamedFolder(t *testing.T) {
	for _, d := range partDialects(t) {
		for inside, ok := range map[string]bool{"☃/x": true, "☃/é/☃": true, "x": false, "other/x": false} {
			p := encodeParts(d.caps, Fields{}, []part{{0, []Entry{entry("☃", ModeDir|0o755), entry("é", ModeDir|0o755)}}, {0, []Entry{entry(inside, ModeFile)}}})
			r := wire.NewReader(bytes.NewReader(p), 0)
			dec := NewDecoder(d.caps, Fields{})
			dec.Names, _ = charset.Open("latin1")
			first, err := dec.ReadPart(r, &List{Start: 1, KeepsOrder: true}, 10, nil)
			if err != nil {
				t.Fatal(err)
			}
			first.Sort(true)
			var folders Folders
			if err := folders.Announce(first); err != nil {
				t.Fatal(err)
			}
			coder := wire.NewIndexCoder(true)
			parent, err := folders.Take(coder.Read(r))
			if err != nil || parent.Path() != "☃" {
				t.Fatalf("%v, %v", parent, err)
			}
			_, err = dec.ReadPart(r, &List{Start: 4, Parent: parent, KeepsOrder: true}, 10, nil)
			if (err == nil) != ok {
				t.Errorf("%s: %q in it: %v", d.name, inside, err)
			}
		}
	}
}

// FuzzDecodeConverted takes any bytes as a list whose names are converted: no
// panic, only clean names that have come in UTF-8, and each at its place.
func FuzzDecodeConverted(f *testing.F) {
	ds := dialects(f)
	fields := []Fields{{}, {Links: true}, {Inodes: true, Links: true, Devices: true}}
	for i, d := range ds {
		for j, fs := range fields {
			f.Add(byte(i), byte(j), encode(d.caps, fs, []Entry{entry("z", ModeDir|0o755), entry("é☃", ModeFile), entry("é", ModeLink|0o777, target("€"), ino(7, 1)), entry("a", ModeLink|0o777, target("☃"), ino(7, 1))}, 1, nil, nil))
			f.Add(byte(i), byte(j), encode(d.caps, fs, links(), 0, nil, nil))
		}
	}
	f.Fuzz(func(t *testing.T, di, fi byte, data []byte) {
		d, fs := ds[int(di)%len(ds)], fields[int(fi)%len(fields)]
		l, told, err := decodeLatin(t, d.caps, fs, data)
		if err != nil {
			return
		}
		unnamed := 0
		for _, e := range l.All() {
			if err := CheckName([]byte(e.Path())); err != nil || len(e.Path()) >= proto.MaxPath {
				t.Errorf("%s: %v", describe(e), err)
			}
			if e.Mark&MarkUnnamed != 0 {
				unnamed++
				if e.Mark&MarkDropped == 0 {
					t.Errorf("%q is used", e.Path())
				}
			}
		}
		if unnamed != len(told) || (unnamed > 0) && l.IOError&proto.IOErrGeneral == 0 {
			t.Errorf("%d without a name, %q told, error %d", unnamed, told, l.IOError)
		}
		was := flat(l)
		l.KeepsOrder = true
		l.Sort(d.caps.DirsSortLast)
		for i, e := range l.All() {
			if w := was[l.Sent(i)]; w.Path() != e.Path() || l.Place(l.Sent(i)) != i {
				t.Errorf("%q has been %q", e.Path(), w.Path())
			}
		}
	})
}
