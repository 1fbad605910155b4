package filelist

import (
	"fmt"
	"math"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// Folders are those that parts of a list have announced and whose own parts are
// still to come. They are numbered in the order in which they were sent
// (flist.c:recv_file_list, dir_flist). The zero value has none.
type Folders struct {
	waiting   map[int32]*Entry
	announced int32
	bytes     int64
}

// Bytes is about how much memory those that wait take.
func (f *Folders) Bytes() int64 { return f.bytes }

// Announce takes in the folders of a sorted part. Those that are duplicates
// have a number but will get no part of their own, nor has the root one, whose
// files are in the first part.
func (f *Folders) Announce(l *List) error {
	if f.waiting == nil {
		f.waiting = make(map[int32]*Entry)
	}
	base := f.announced
	for number, e := range l.Dirs() {
		number += base
		f.announced++
		if e.Mark&(MarkDropped|MarkUnnamed) == MarkDropped || isRoot(e) {
			continue
		}
		f.waiting[number] = e.Clone()
		f.bytes += e.alone()
	}
	if len(f.waiting) > MaxEntries || f.announced > math.MaxInt32/2 {
		return fmt.Errorf("more than %d folders wait for their parts of the file list", MaxEntries)
	}
	return nil
}

// Take returns the folder that an index announces a part for, as the index
// stands on the wire (rsync.h: NDX_FLIST_OFFSET), and forgets it: each gets one.
func (f *Folders) Take(index int32) (*Entry, error) {
	number := int64(proto.IndexListBase) - int64(index)
	if number < 0 || number >= int64(f.announced) {
		return nil, fmt.Errorf("index %d announces a part of the file list for folder %d, of which there are %d", index, number, f.announced)
	}
	e, ok := f.waiting[int32(number)]
	if !ok {
		return nil, fmt.Errorf("a part of the file list comes for folder %d, which has had its own or is a duplicate", number)
	}
	delete(f.waiting, int32(number))
	f.bytes -= e.alone()
	return e, nil
}

// alone is about how much memory an entry takes that stands in a map by itself.
func (e *Entry) alone() int64 {
	const slot = 32
	return e.bytes() + int64(len(e.Dir)) + slot
}

// Clone returns a copy that keeps none of its list's memory.
func (e *Entry) Clone() *Entry {
	c := *e
	c.Dir, c.Base = strings.Clone(e.Dir), strings.Clone(e.Base)
	return &c
}
