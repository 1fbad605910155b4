package playertest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The player's database is three files. "tags" names the tags, a line each; the
// static database has for every FID its tags as {line number, length, bytes},
// ended by 0xFF; "playlists" has the children of every playlist, one after
// another. FIDs count in steps of 0x10 from 0, and an unused FID is a lone 0xFF.

const (
	tagLines  = 256  // lines of the file "tags"
	endRecord = 0xff // ends a record, so that no tag may have this number
	maxBody   = 1 << 20
)

// library is what a music store, or a database of it, says.
type library map[FID]item

// item is one tune or playlist.
type item struct {
	tags     Tags
	children []FID // of a playlist
}

func (i item) isPlaylist() bool { return i.tags.Get("type") == "playlist" }

// fids returns the FIDs of l in ascending order.
func (l library) fids() []FID {
	out := make([]FID, 0, len(l))
	for f := range l {
		out = append(out, f)
	}
	slices.Sort(out)
	return out
}

// database is the content of the three files.
type database struct{ tags, static, playlists []byte }

// encode turns l into the three files.
func (l library) encode() (database, error) {
	var db database
	fids := l.fids()
	names := l.tagNames(fids)
	if len(names) > endRecord {
		return db, fmt.Errorf("database: %d different tags, more than %d", len(names), endRecord)
	}
	number := make(map[string]byte, len(names))
	for i, name := range names {
		number[name] = byte(i)
	}
	db.tags = []byte(strings.Join(names, "\n") + strings.Repeat("\n", tagLines-len(names)+1))
	db.static = appendRecord(nil, Tags{{"type", "illegal"}}, number)
	next := Step
	for _, f := range fids {
		for ; next < f; next += Step {
			db.static = append(db.static, endRecord)
		}
		db.static = appendRecord(db.static, l[f].tags, number)
		next = f + Step
		if l[f].isPlaylist() {
			db.playlists = AppendChildren(db.playlists, l[f].children)
		}
	}
	return db, nil
}

// tagNames lists the tags in use, "type" first as players have it.
func (l library) tagNames(fids []FID) []string {
	names, seen := []string{"type"}, map[string]bool{"type": true}
	for _, f := range fids {
		for _, tag := range l[f].tags {
			if !seen[tag.Name] {
				seen[tag.Name] = true
				names = append(names, tag.Name)
			}
		}
	}
	return names
}

func appendRecord(b []byte, t Tags, number map[string]byte) []byte {
	for _, tag := range t.stored() {
		b = append(b, number[tag.Name], byte(len(tag.Value)))
		b = append(b, tag.Value...)
	}
	return append(b, endRecord)
}

// decode is the inverse of library.encode.
func (db database) decode() (library, error) {
	names, err := parseTagNames(db.tags)
	if err != nil {
		return nil, err
	}
	l, err := parseRecords(db.static, names)
	if err != nil {
		return nil, err
	}
	return l, l.attach(db.playlists)
}

func parseTagNames(b []byte) ([]string, error) {
	lines := strings.Split(string(b), "\n")
	if len(lines) != tagLines+1 || lines[tagLines] != "" {
		return nil, fmt.Errorf("tags: %d lines, want %d", len(lines)-1, tagLines)
	}
	if lines[0] != "type" {
		return nil, fmt.Errorf("tags: line 0 is %.40q, want \"type\"", lines[0])
	}
	return lines[:tagLines], nil
}

func parseRecords(b []byte, names []string) (library, error) {
	l := make(library)
	for f := FID(0); len(b) > 0; f += Step {
		if f > maxFID {
			return nil, fmt.Errorf("database: more than %d records", maxFID/Step)
		}
		t, rest, err := parseRecord(b, names)
		if err != nil {
			return nil, fmt.Errorf("database: fid %x: %w", uint32(f), err)
		}
		b = rest
		switch {
		case f == 0 && t.Get("type") != "illegal":
			return nil, errors.New("database: the first record is not \"illegal\"")
		case f > 0 && len(t) > 0:
			l[f] = item{tags: t}
		}
	}
	return l, nil
}

func parseRecord(b []byte, names []string) (Tags, []byte, error) {
	var t Tags
	for len(b) > 0 && b[0] != endRecord {
		if len(b) < 2 || len(b) < 2+int(b[1]) {
			break
		}
		name := names[b[0]]
		if name == "" {
			return nil, nil, fmt.Errorf("tag number %d has no name", b[0])
		}
		t = t.With(name, string(b[2:2+int(b[1])]))
		b = b[2+int(b[1]):]
	}
	if len(b) == 0 || b[0] != endRecord {
		return nil, nil, errors.New("record cut short")
	}
	return t, b[1:], nil
}

// attach deals out the file "playlists" by the lengths that the records tell.
func (l library) attach(b []byte) error {
	for _, f := range l.fids() {
		it := l[f]
		if !it.isPlaylist() {
			continue
		}
		size, err := playlistLength(it.tags)
		if err != nil {
			return fmt.Errorf("database: fid %x: %w", uint32(f), err)
		}
		if size > len(b) {
			return fmt.Errorf("playlists: cut short at fid %x: %d bytes left, want %d", uint32(f), len(b), size)
		}
		it.children, err = ParseChildren(b[:size])
		if err != nil {
			return fmt.Errorf("playlists: fid %x: %w", uint32(f), err)
		}
		l[f], b = it, b[size:]
	}
	if len(b) > 0 {
		return fmt.Errorf("playlists: %d bytes belong to no playlist", len(b))
	}
	return nil
}

// playlistLength is a playlist's own idea of its body's size in bytes.
func playlistLength(t Tags) (int, error) {
	n, err := strconv.Atoi(t.Get("length"))
	if err != nil || n < 0 || n > maxBody {
		return 0, fmt.Errorf("length=%.20q is not a playlist's length", t.Get("length"))
	}
	return n, nil
}

// AppendChildren appends a playlist's body: each child's FID in four bytes, lowest first.
func AppendChildren(b []byte, children []FID) []byte {
	for _, c := range children {
		b = binary.LittleEndian.AppendUint32(b, uint32(c))
	}
	return b
}

// ParseChildren reads a playlist's body. Its length must be a multiple of four
// and at most a mebibyte.
func ParseChildren(b []byte) ([]FID, error) {
	if len(b)%4 != 0 || len(b) > maxBody {
		return nil, fmt.Errorf("playlist body of %d bytes: want a multiple of 4, at most %d", len(b), maxBody)
	}
	children := make([]FID, 0, len(b)/4)
	for ; len(b) > 0; b = b[4:] {
		children = append(children, FID(binary.LittleEndian.Uint32(b)))
	}
	return children, nil
}
