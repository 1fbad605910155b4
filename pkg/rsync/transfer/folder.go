package transfer

import (
	"fmt"
	"math/bits"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// With incremental recursion the sender announces folders, and sends what is in
// each as a part of its own while the receiving side is at work on the parts
// before: folder by folder, each followed by its subfolders.

// folder is one whose part is still to be sent.
type folder struct {
	entry  filelist.Entry
	number int32 // in the order in which folders were announced
	from   []origin
}

// origin is where what is in a folder comes from. Several of the user's sources
// can have a folder of one name.
type origin struct {
	source  uint16
	content bool // it is to be looked into
}

// How many entries the sender keeps ahead of the receiving side's requests
// (rsync.h: MIN_FILECNT_LOOKAHEAD, MAX_FILECNT_LOOKAHEAD): when fewer than enough
// are left it lists until there are plenty, so that it is not woken for each part.
// The steps are small beside what is ahead, or each side would wait for the
// other in turn. Boards have less memory.
const (
	enoughAhead = plentyAhead - toldAfter
	plentyAhead = 4000 + bits.UintSize/64*2000
)

// lookAhead sends parts while too few entries are ahead, not counting the part that
// the receiving side is at: it is not done with that before it has the next one
// (flist.c:send_extra_file_list).
func (s *sender) lookAhead() error {
	enough, plenty := enoughAhead, plentyAhead
	if s.ahead > 0 {
		enough, plenty = s.ahead, s.ahead
	}
	if s.entriesAhead() >= enough {
		return nil
	}
	for s.current != nil && !s.parts.isComplete() && s.entriesAhead() < plenty {
		if err := s.walker.nextPart(); err != nil {
			return err
		}
	}
	return nil
}

// entriesAhead is how many entries have been sent after the part that the
// receiving side is at.
func (s *sender) entriesAhead() int {
	if s.current == nil {
		return 0
	}
	return s.parts.entries() - s.current.before - s.current.Len()
}

// begin begins a part with what is in a folder; nil for the first one.
func (w *walker) begin(f *folder) {
	start := int32(1)
	if f != nil {
		start = w.parts.end() + 1
	}
	w.list = w.newList(start, nil)
	w.enc.Begin(start)
	if f != nil {
		w.list.Parent = &f.entry
		w.buf = w.out.Append(w.buf, proto.IndexListBase-f.number)
	}
}

// firstPart ends the first part. The receiving side waits for a second one if
// there is only one entry, to know whether that is all.
func (w *walker) firstPart() error {
	w.list.Sort(w.Caps.DirsSortLast)
	if first := w.list.At(1); first != nil && first.IsDir() && first.Path() == "." {
		w.list.Parent = first
	}
	return w.endPart()
}

// nextPart sends the part of the next folder.
func (w *walker) nextPart() error {
	level := len(w.folders) - 1
	f := &w.folders[level][0]
	w.folders[level] = w.folders[level][1:]
	start, ioError := w.W.Total(), w.ioError.Load()
	w.begin(f)
	for _, o := range f.from {
		if !o.content {
			continue
		}
		w.from = o.source
		if err := w.dir(w.sources[o.source].Root, f.entry.Path()); err != nil {
			return err
		}
	}
	if now := w.ioError.Load(); now != ioError {
		ioError = now
	} else {
		ioError = 0 // it has been told
	}
	if err := w.end(ioError); err != nil {
		return err
	}
	w.stats.ListSize += w.W.Total() - start
	w.list.Sort(w.Caps.DirsSortLast)
	return w.endPart()
}

// endPart announces the folders of the part that has been sent, and says so if
// it was the last one.
func (w *walker) endPart() error {
	list := w.list
	w.list = nil
	w.parts.add(list)
	if found := w.announce(list); len(found) > 0 {
		w.folders = append(w.folders, found)
	}
	for n := len(w.folders); n > 0 && len(w.folders[n-1]) == 0; n-- {
		w.folders = w.folders[:n-1]
	}
	if len(w.folders) > 0 {
		return nil
	}
	if _, err := w.W.Write(w.out.Append(nil, proto.IndexListEnd)); err != nil {
		return fmt.Errorf("send file list: %w", err)
	}
	return w.seal()
}

// announce numbers the folders of a part (flist.c:add_dirs_to_tree).
func (w *walker) announce(list *filelist.List) []folder {
	var found []folder
	base := w.numbers
	for number, e := range list.Dirs() {
		number += base
		w.numbers++
		if e.Path() == "." {
			continue // what is in it is in this part
		}
		o := origin{e.From, e.Mark&filelist.MarkNoContent == 0}
		if n := len(found); n > 0 && e.Mark&filelist.MarkDropped != 0 && found[n-1].entry.Base == e.Base && found[n-1].entry.Dir == e.Dir {
			found[n-1].from = append(found[n-1].from, o)
			continue
		}
		found = append(found, folder{entry: *e.Clone(), number: number, from: []origin{o}})
	}
	return found
}
