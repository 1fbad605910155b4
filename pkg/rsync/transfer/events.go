package transfer

import (
	"sync"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
)

// events carries what the receiving goroutine tells the generating one. It
// never blocks the receiving one: whoever waits for the other's reading would
// wait for ever.
type events struct {
	mu      sync.Mutex
	redo    []int32
	settled []outcome
	done    int
	over    bool
	err     error
	signal  chan struct{}
}

// outcome is how a file ended for which other names wait.
type outcome struct {
	entry *filelist.Entry
	ok    bool
}

func (v *events) update(f func()) {
	v.mu.Lock()
	f()
	v.mu.Unlock()
	select {
	case v.signal <- struct{}{}:
	default:
	}
}

func (v *events) again(index int32) { v.update(func() { v.redo = append(v.redo, index) }) }
func (v *events) ended(o outcome)   { v.update(func() { v.settled = append(v.settled, o) }) }
func (v *events) phaseDone()        { v.update(func() { v.done++ }) }
func (v *events) isOver() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.over
}

func (v *events) finish(err error) { v.update(func() { v.over, v.err = true, err }) }

// poke wakes the generating goroutine: it owns the writer, which has a message
// to send, or something else has changed that it waits for.
func (v *events) poke() { v.update(func() {}) }

// phases returns how many phases are done.
func (v *events) phases() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.done
}

// ending returns whether the receiving goroutine has ended, and its error.
func (v *events) ending() (bool, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.over, v.err
}

// nextRedo takes an index to do again.
func (v *events) nextRedo() (index int32, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.redo) == 0 {
		return 0, false
	}
	index = v.redo[0]
	v.redo = v.redo[1:]
	return index, true
}

// nextOutcome takes an outcome.
func (v *events) nextOutcome() (o outcome, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.settled) == 0 {
		return o, false
	}
	o = v.settled[0]
	v.settled = v.settled[1:]
	return o, true
}
