package transfer

import (
	"fmt"
	"sync"

	"github.com/empegsync/empegsync/pkg/rsync/delta"
	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// replay lets the receiving goroutine, which reads a batch, know how far the
// generating one has come: nobody at the other end can be asked for a file, so
// that what is there has to be taken or left (receiver.c:gen_wants_ndx). On a nil
// replay the generating goroutine's calls do nothing.
type replay struct {
	mu   sync.Mutex
	cond sync.Cond
	next int32 // all entries before this index have been looked at
	done int   // files that have been looked at again
	over bool
	// ahead is set when the receiving goroutine has read as far as it can: all of
	// the list that comes before the first data.
	ahead bool

	failed int // receiving goroutine: files that are to be looked at again
}

func newReplay() *replay {
	r := &replay{}
	r.cond.L = &r.mu
	return r
}

func (r *replay) update(f func()) {
	if r == nil {
		return
	}
	r.mu.Lock()
	f()
	r.mu.Unlock()
	r.cond.Broadcast()
}

func (r *replay) passed(next int32) { r.update(func() { r.next = next }) }
func (r *replay) redone()           { r.update(func() { r.done++ }) }
func (r *replay) poke()             { r.update(func() {}) }
func (r *replay) end()              { r.update(func() { r.over = true }) }

// wait waits until ready holds or the generating goroutine has ended.
func (r *replay) wait(ready func() bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for !r.over && !ready() {
		r.cond.Wait()
	}
}

// isAhead reports whether the receiving goroutine has read as far as it can.
func (r *replay) isAhead() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ahead
}

// await has the receiving goroutine wait for the generating one.
func (f *fileReceiver) await(ready func() bool) {
	f.replay.update(func() { f.replay.ahead = true })
	f.events.poke()
	f.replay.wait(ready)
}

// wanted reports whether the generating goroutine wants the data that come next.
// Of a file with several names it may want that of another: which one whoever
// wrote the batch has asked for depended on how much of the list had come. Then it
// is told to take this one instead.
func (f *fileReceiver) wanted(it item, e *filelist.Entry) bool {
	r := f.replay
	f.await(func() bool { return r.next > it.index && r.done == r.failed })
	if it.part.asked.has(it.at()) {
		return true
	}
	if _, _, linked := e.Inode(); !linked || !f.opt.HardLinks || !f.Caps.IncRecurse {
		return false
	}
	r.failed++
	it.part.open.Add(1)
	f.events.again(it.index)
	r.wait(func() bool { return r.done == r.failed })
	return it.part.asked.has(it.at())
}

// passBy reads data that nobody wants.
func (f *fileReceiver) passBy(it item, e *filelist.Entry) error {
	which := ""
	if it.part.again.has(it.at()) {
		which = " resend of"
	}
	f.report(proto.TagInfo, "(Skipping batched update for%s \"%s\")", which, e.Path())
	f.stats.Transferred++
	return f.discardFile(e)
}

// discardFile reads the head and the data of a file and drops them.
func (f *fileReceiver) discardFile(e *filelist.Entry) error {
	lim := f.limits
	if f.phase > 0 {
		lim.Pass = lim.Size
	}
	head, err := delta.ReadHead(f.R, lim)
	if err != nil {
		return proto.Fail(proto.ExitProtocol, err)
	}
	f.stats.TransferredSize += e.Size
	if err := f.discard(head); err != nil {
		return fmt.Errorf("pass over %q: %w", e.Path(), err)
	}
	return nil
}

// sweep tells of what was asked for and is not in the batch, when all of a part
// or of a phase has come (receiver.c:no_batched_update).
func (f *fileReceiver) sweep(p *part) {
	r := f.replay
	last := f.Caps.IncRecurse || f.phase > 0
	f.await(func() bool { return r.next >= p.End() && (!last || r.done == r.failed) })
	for i, e := range p.All() {
		at := int32(i) - p.Start
		again := p.again.has(at)
		if again && !last || !p.asked.take(at) {
			continue
		}
		which := ""
		if again {
			which = " resend of"
		}
		f.failFile("(No batched update for%s %q)", which, e.Path())
		f.arrived()
		f.settle(p, e, false)
	}
	// The last part stays open until another has come, which only this goroutine reads.
	if next, none := f.parts.after(p); f.Caps.IncRecurse && (next != nil || none) {
		r.wait(p.closed.Load)
	}
}
