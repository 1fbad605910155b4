package daemon

import (
	"cmp"
	"context"
	"net/netip"
	"sync"
	"time"
)

// What failed logins cost the address that they come from: some are free, then
// each takes twice the time of the one before, up to a limit, and it is
// forgotten after a while.
const (
	freeFailures = 3
	// DefaultLoginPause is the first pause of a [Server] that names none.
	DefaultLoginPause = 500 * time.Millisecond
	longestPause      = 30 * time.Second
	backoffMemory     = 10 * time.Minute
	// maxOffenders bounds how many addresses are remembered.
	maxOffenders = 4096
)

// backoff slows down whoever guesses passwords. The zero value is ready.
type backoff struct {
	mu        sync.Mutex
	offenders map[netip.Prefix]*offender
}

type offender struct {
	failures int
	last     time.Time // of the failures
	next     time.Time // when another attempt may begin
}

// wait holds an attempt back until its turn comes; false if that is too late,
// or ctx ends.
func (b *backoff) wait(ctx context.Context, from netip.Prefix, first time.Duration, until time.Time) bool {
	if first < 0 {
		return true
	}
	turn := b.reserve(from, cmp.Or(first, DefaultLoginPause), time.Now())
	if turn.After(until) {
		return false
	}
	t := time.NewTimer(time.Until(turn))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// reserve says when an attempt from there may begin. Attempts at the same time
// come one after the other, so that many connections guess no faster than one.
func (b *backoff) reserve(from netip.Prefix, first time.Duration, now time.Time) time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	o := b.offenders[from]
	if o == nil || now.Sub(o.last) > backoffMemory {
		return now
	}
	over := o.failures - freeFailures
	if over < 0 {
		return now
	}
	pause := min(first<<min(over, 16), longestPause)
	turn := o.last.Add(pause)
	if o.next.After(turn) {
		turn = o.next
	}
	if turn.Before(now) {
		turn = now
	}
	o.next = turn.Add(pause)
	return turn
}

// failed notes a failed login.
func (b *backoff) failed(from netip.Prefix) {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	o := b.offenders[from]
	if o == nil {
		if b.offenders == nil {
			b.offenders = map[netip.Prefix]*offender{}
		}
		b.shrink(now)
		o = &offender{}
		b.offenders[from] = o
	} else if now.Sub(o.last) > backoffMemory {
		*o = offender{}
	}
	o.failures++
	o.last = now
}

// passed forgets the failures of an address.
func (b *backoff) passed(from netip.Prefix) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.offenders, from)
}

// shrink makes room for another: those that are forgotten go, else the one
// whose last failure is the oldest.
func (b *backoff) shrink(now time.Time) {
	if len(b.offenders) < maxOffenders {
		return
	}
	var oldest netip.Prefix
	var when time.Time
	for from, o := range b.offenders {
		if now.Sub(o.last) > backoffMemory {
			delete(b.offenders, from)
		} else if when.IsZero() || o.last.Before(when) {
			oldest, when = from, o.last
		}
	}
	if len(b.offenders) >= maxOffenders {
		delete(b.offenders, oldest)
	}
}
