package transfer

import (
	"sort"
	"sync"
	"sync/atomic"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// part is a list in flight: the whole file list, or what is in one folder,
// with what this side remembers of its entries. The list itself is only read
// once it is part of a [window].
type part struct {
	*filelist.List
	before int    // entries of the parts before
	asked  bitset // files whose data was asked for and has not come
	absent bitset // of those, the ones that were not there when they were asked for
	again  bitset // files that have failed once
	// open counts what the part waits for: data that was asked for, and names
	// of files that are not there yet.
	open   atomic.Int32
	closed atomic.Bool // the generator is done with it

	next *part // guarded by the window
}

// window holds the parts in flight, oldest first. Several goroutines use it.
type window struct {
	mu       sync.Mutex
	parts    []*part // in flight
	last     *part   // also when it has been dropped
	total    int     // entries of all parts so far
	flying   int     // those of the parts in flight, and one more for each part
	weight   int64   // bytes of memory that these take
	complete bool    // no more parts come
}

// add appends a list.
func (w *window) add(l *filelist.List) *part {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := &part{List: l, before: w.total, asked: newBitset(l.Len()), absent: newBitset(l.Len()), again: newBitset(l.Len())}
	if w.last != nil {
		w.last.next = p
	}
	w.parts = append(w.parts, p)
	w.last = p
	w.total += l.Len()
	w.flying += l.Len() + 1
	w.weight += l.Bytes()
	return p
}

// seal says that the list is complete.
func (w *window) seal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.complete = true
}

// isComplete reports whether no more parts come.
func (w *window) isComplete() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.complete
}

// oldest returns the oldest part in flight, nil if there is none.
func (w *window) oldest() *part {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.parts) == 0 {
		return nil
	}
	return w.parts[0]
}

// inFlight returns how many entries the parts in flight have, and one more for
// each part, and about how much memory they take.
func (w *window) inFlight() (entries int, bytes int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.flying, w.weight
}

// after returns the part behind one, nil if it has not come; none says that
// none will.
func (w *window) after(p *part) (next *part, none bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return p.next, p.next == nil && w.complete
}

// end returns the index behind the last part.
func (w *window) end() int32 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last.End()
}

// drop forgets the oldest part, with which both sides are done, and reports
// whether there are more.
func (w *window) drop() (more bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flying -= w.parts[0].Len() + 1
	w.weight -= w.parts[0].Bytes()
	w.parts[0] = nil // the slice may stay long
	w.parts = w.parts[1:]
	if len(w.parts) == 0 && !w.complete {
		return false, proto.Failf(proto.ExitProtocol, "the other side is done with the last part of a file list that is not complete")
	}
	return len(w.parts) > 0, nil
}

// entries returns how many entries there have been so far.
func (w *window) entries() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.total
}

// find returns the entry of an index and the part that it is in, nil if no
// part in flight has it.
func (w *window) find(index int32) (*part, *filelist.Entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	// Between two parts there is an index, which stands for the later one's folder.
	i := sort.Search(len(w.parts), func(i int) bool { return index < w.parts[i].End() })
	if i == len(w.parts) {
		return nil, nil
	}
	if e := w.parts[i].At(index); e != nil {
		return w.parts[i], e
	}
	return nil, nil
}

// bitset is a set of a part's entries for several goroutines.
type bitset []atomic.Uint32

func newBitset(n int) bitset { return make(bitset, (n+31)/32) }

func (b bitset) add(i int32) { b[i/32].Or(1 << (i % 32)) }

// has reports whether an entry is there.
func (b bitset) has(i int32) bool { return b[i/32].Load()&(1<<(i%32)) != 0 }

// take removes an entry and reports whether it was there.
func (b bitset) take(i int32) bool {
	mask := uint32(1) << (i % 32)
	return b[i/32].And(^mask)&mask != 0
}
