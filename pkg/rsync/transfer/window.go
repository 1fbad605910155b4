package transfer

import (
	"sync"
	"sync/atomic"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
)

// part is a list in flight: the whole file list, or what is in one folder,
// with what this side remembers of its entries. The list itself is only read
// once it is part of a [window].
type part struct {
	*filelist.List
	before int // entries of the parts before
	asked  bitset
	absent bitset

	next *part // guarded by the window
}

// window holds the parts in flight, oldest first. Several goroutines use it.
type window struct {
	mu       sync.Mutex
	first    *part
	last     *part
	total    int  // entries of all parts so far
	complete bool // no more parts come
}

// add appends a list.
func (w *window) add(l *filelist.List) *part {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := &part{List: l, before: w.total, asked: newBitset(l.Len()), absent: newBitset(l.Len())}
	if w.last == nil {
		w.first = p
	} else {
		w.last.next = p
	}
	w.last = p
	w.total += l.Len()
	return p
}

// seal says that the list is complete.
func (w *window) seal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.complete = true
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
	for p := w.first; p != nil; p = p.next {
		if e := p.At(index); e != nil {
			return p, e
		}
	}
	return nil, nil
}

// bitset is a set of a part's entries for several goroutines.
type bitset []atomic.Uint32

func newBitset(n int) bitset { return make(bitset, (n+31)/32) }

func (b bitset) add(i int32) { b[i/32].Or(1 << (i % 32)) }

// take removes an entry and reports whether it was there.
func (b bitset) take(i int32) bool {
	mask := uint32(1) << (i % 32)
	return b[i/32].And(^mask)&mask != 0
}
