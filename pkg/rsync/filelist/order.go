package filelist

import (
	"cmp"
	"iter"
	"slices"
	"sort"
	"strings"
)

// List is a file list in the order that file indexes refer to, or, with
// incremental recursion, a part of it: what is in one folder. Its entries
// stand in segments, so that a growing list is never copied.
type List struct {
	// Start is the index of the first entry: 0, or where the parts before
	// have ended plus one (flist.c:flist_new).
	Start int32
	// Parent is the folder whose part this is, nil if there is none. Its
	// index is the one before Start.
	Parent *Entry

	IOError int32 // proto.IOErr* flags that the sender has announced
	Users   map[uint32]string
	Groups  map[uint32]string

	// KeepsOrder has indexes on the wire stand for the order in which entries were
	// added, whatever Sort does: the two sides sort by names that differ where
	// they are converted (flist.c: need_unsorted_flist).
	KeepsOrder bool
	sent       []int32 // place of each entry on the wire; nil: its place here
	places     []int32 // and the way back

	segments [][]Entry
	length   int
	bytes    int64
}

// Bytes is about how much memory the entries take.
func (l *List) Bytes() int64 { return l.bytes }

// segment is how many entries stand together.
const segment = 512

// Add appends an entry.
func (l *List) Add(e Entry) {
	if l.length%segment == 0 {
		size := segment
		if l.length == 0 {
			size = 16 // most lists are short; the first segment grows
		}
		l.segments = append(l.segments, make([]Entry, 0, size))
	}
	l.bytes += e.bytes()
	if before := l.Last(); before == nil || before.Dir != e.Dir { // else they share it
		l.bytes += int64(len(e.Dir))
	}
	last := len(l.segments) - 1
	l.segments[last] = append(l.segments[last], e)
	l.length++
}

// Len returns how many entries there are, duplicates included.
func (l *List) Len() int { return l.length }

// End returns the index behind the last entry.
func (l *List) End() int32 { return l.Start + int32(l.length) }

// Last returns the entry that was added last, nil if there is none.
func (l *List) Last() *Entry {
	if l.length == 0 {
		return nil
	}
	return l.at(l.length - 1)
}

// At returns the entry of an index, nil if there is none.
func (l *List) At(index int32) *Entry {
	switch {
	case index >= l.Start && index < l.End():
		return l.at(int(index - l.Start))
	case index == l.Start-1:
		return l.Parent
	}
	return nil
}

func (l *List) at(i int) *Entry { return &l.segments[i/segment][i%segment] }

// All returns the entries with their indexes, in order, without Parent.
func (l *List) All() iter.Seq2[int32, *Entry] {
	return func(yield func(int32, *Entry) bool) {
		for i := range l.length {
			if !yield(l.Start+int32(i), l.at(i)) {
				return
			}
		}
	}
}

// Find returns the index of the entry with this path, -1 if there is none or
// if it was dropped as a duplicate; Parent is not looked at. With dirsLast, isDir tells which of the two
// places that the path may have is meant: a folder's or that of anything else.
// The list must be sorted with the same dirsLast.
func (l *List) Find(path string, isDir, dirsLast bool) int {
	var want Entry
	want.SetPath(path)
	if isDir {
		want.Mode = ModeDir
	}
	if i := l.find(&want, dirsLast); i >= 0 {
		return int(l.Start) + i
	}
	return -1
}

func (l *List) find(want *Entry, dirsLast bool) int {
	compare := func(i int) int { return Compare(want, l.at(i), dirsLast) }
	i, found := sort.Find(l.length, compare)
	if !found {
		return -1
	}
	for ; i < l.length && compare(i) == 0; i++ {
		if l.at(i).Mark&MarkDropped == 0 {
			return i
		}
	}
	return -1
}

// Sort puts the list into the protocol's order and marks duplicates, of which
// the first stays, or the folder if there is one (flist.c:flist_sort_and_clean).
func (l *List) Sort(dirsLast bool) {
	for i := 1; i < l.length; i++ {
		if Compare(l.at(i-1), l.at(i), dirsLast) > 0 {
			l.sort(dirsLast)
			break
		}
	}
	l.dropDuplicates()
	if dirsLast {
		l.dropHidden()
	}
}

// dropHidden marks what is not a folder but has a folder's name: with folders
// last the two are not neighbours.
func (l *List) dropHidden() {
	for i := range l.length {
		e := l.at(i)
		if !e.IsDir() || e.Mark&MarkDropped != 0 {
			continue
		}
		if j := l.find(&Entry{Dir: e.Dir, Base: e.Base, Mode: ModeFile}, true); j >= 0 {
			l.at(j).Mark |= MarkDropped
		}
	}
}

// dropDuplicates marks all but one of neighbours with the same name.
func (l *List) dropDuplicates() {
	keep := -1
	for i := range l.length {
		e := l.at(i)
		if e.Mark&MarkUnnamed != 0 {
			continue
		}
		if keep < 0 || e.Base != l.at(keep).Base || e.Dir != l.at(keep).Dir {
			keep = i
			continue
		}
		k := l.at(keep)
		if e.IsDir() && !k.IsDir() {
			k.Mark |= MarkDropped
			keep = i
			continue
		}
		if e.IsDir() {
			k.Mark |= e.Mark & MarkTopDir
			if e.Mark&MarkNoContent == 0 {
				k.Mark &^= MarkNoContent
			}
		}
		e.Mark |= MarkDropped
	}
}

// sort sorts a permutation and moves each entry once: entries are too large
// to be swapped about.
func (l *List) sort(dirsLast bool) {
	order := make([]int32, l.length)
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(a, b int32) int {
		return Compare(l.at(int(a)), l.at(int(b)), dirsLast)
	})
	l.keepOrder(order)
	for start := range order {
		if order[start] < 0 {
			continue
		}
		moved := *l.at(start)
		at := start
		for {
			from := int(order[at])
			order[at] = -1
			if from == start {
				*l.at(at) = moved
				break
			}
			*l.at(at) = *l.at(from)
			at = from
		}
	}
}

// Compare orders two entries. Without dirsLast (before version 29) names are
// compared as bytes. With it, on each level of the tree everything that is not
// a folder comes first, a folder is followed by what is in it, and folders are
// compared as if a slash followed their names (flist.c:f_name_cmp).
func Compare(a, b *Entry, dirsLast bool) int {
	if !dirsLast {
		if a.Dir == b.Dir {
			return strings.Compare(a.Base, b.Base)
		}
		return comparePlain(a, b)
	}
	if a.Dir == b.Dir {
		return compareSiblings(a, b)
	}
	return comparePaths(a, b)
}

// CompareNames is [Compare] for names in one folder; of the modes, only the types
// count.
func CompareNames(a string, aMode uint32, b string, bMode uint32, dirsLast bool) int {
	if !dirsLast {
		return strings.Compare(a, b)
	}
	da, db := aMode&ModeType == ModeDir, bMode&ModeType == ModeDir
	if da != db {
		return cmp.Compare(btoi(da), btoi(db))
	}
	if !da {
		return strings.Compare(a, b)
	}
	return compareDirNames(a, b)
}

func comparePlain(a, b *Entry) int {
	na, nb := nameLen(a), nameLen(b)
	for i := range min(na, nb) {
		if d := int(nameAt(a, i)) - int(nameAt(b, i)); d != 0 {
			return d
		}
	}
	return na - nb
}

func nameLen(e *Entry) int {
	if e.Dir == "" {
		return len(e.Base)
	}
	return len(e.Dir) + 1 + len(e.Base)
}

func nameAt(e *Entry, i int) byte {
	d := len(e.Dir)
	if d == 0 {
		return e.Base[i]
	}
	switch {
	case i < d:
		return e.Dir[i]
	case i == d:
		return '/'
	default:
		return e.Base[i-d-1]
	}
}

// isRoot reports whether the entry is the transfer's root, which comes before
// all else.
func isRoot(e *Entry) bool { return e.Dir == "" && e.Base == "." && e.IsDir() }

func compareSiblings(a, b *Entry) int {
	if ra, rb := isRoot(a), isRoot(b); ra || rb {
		return cmp.Compare(btoi(rb), btoi(ra))
	}
	return CompareNames(a.Base, a.Mode, b.Base, b.Mode, true)
}

// compareDirNames compares folders' names, which a slash is thought to follow.
func compareDirNames(a, b string) int {
	n := min(len(a), len(b))
	if c := strings.Compare(a[:n], b[:n]); c != 0 || len(a) == len(b) {
		return c
	}
	return int(endOr(a, n)) - int(endOr(b, n))
}

// endOr returns the byte at i, or the slash that is thought to follow.
func endOr(s string, i int) byte {
	if i < len(s) {
		return s[i]
	}
	return '/'
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// comparePaths compares entries of different folders: at the first component
// that differs, what is not a folder there comes first.
func comparePaths(a, b *Entry) int {
	if isRoot(a) {
		return -1
	}
	if isRoot(b) {
		return 1
	}
	na, nb := slashedLen(a), slashedLen(b)
	i := 0
	if n := min(len(a.Dir), len(b.Dir)); n > 0 {
		for i < n && a.Dir[i] == b.Dir[i] {
			i++
		}
	}
	for i < na && i < nb && slashedAt(a, i) == slashedAt(b, i) {
		i++
	}
	if i == na || i == nb {
		return na - nb
	}
	start := i
	for start > 0 && slashedAt(a, start-1) != '/' {
		start--
	}
	ia, ib := isItem(a, start), isItem(b, start)
	if ia != ib {
		return cmp.Compare(btoi(ib), btoi(ia))
	}
	return int(slashedAt(a, i)) - int(slashedAt(b, i))
}

// slashedLen is the length of the name with the slash that follows a folder's.
func slashedLen(e *Entry) int { return nameLen(e) + btoi(e.IsDir()) }

func slashedAt(e *Entry, i int) byte {
	if i == nameLen(e) {
		return '/'
	}
	return nameAt(e, i)
}

// isItem reports whether the component that starts at start is the last one
// and not a folder.
func isItem(e *Entry, start int) bool {
	return !e.IsDir() && start >= nameLen(e)-len(e.Base)
}
