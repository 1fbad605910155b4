package report

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/conf"
	"github.com/empegsync/empegsync/pkg/rsync/daemon"
)

// The book's measures.
const (
	step      = 2 * time.Second // of the plot, and how often is counted
	steps     = 300             // ten minutes
	recent    = 20              // transfers and errors that are kept
	maxTally  = 4096            // modules that are told apart, as many as a file may have
	diskEvery = 30 * time.Second
)

// Book counts what a daemon does. Its zero value is empty and ready; it is a
// [daemon.Watcher], and its methods may be used from many goroutines.
type Book struct {
	// Now is the clock; nil: time.Now.
	Now func() time.Time

	mu      sync.Mutex
	since   time.Time
	current int64 // which step since 1970 is written to
	ring    [steps]flow
	total   flow
	visits  map[uint64]*visit
	modules map[string]*tally
	done    []passed // the newest last
	errors  []mishap // the newest last
	refused int64
	came    int64
	disks   map[string]disk // by path
}

// flow is what has passed, in bytes; in is from the clients.
type flow struct{ in, out int64 }

func (f *flow) add(o flow) { f.in, f.out = f.in+o.in, f.out+o.out }

func (f flow) minus(o flow) flow { return flow{max(f.in-o.in, 0), max(f.out-o.out, 0)} }

// visit is one that goes on.
type visit struct {
	daemon.Visit
	moved flow // counted so far
	rate  flow // in the last step, per second
}

// tally is what has come of one module.
type tally struct {
	flow
	transfers, failed int64
}

// passed is a transfer that is over.
type passed struct {
	daemon.Visit
	flow
	took time.Duration
	exit int
}

// mishap is an error or a warning of the log.
type mishap struct {
	at   time.Time
	text string
}

// disk is what a module's file system has.
type disk struct {
	free, size int64
	err        error
}

func (b *Book) now() time.Time {
	if b.Now != nil {
		return b.Now()
	}
	return time.Now()
}

// turn moves on to the present step; the lock is held.
func (b *Book) turn() *flow {
	now := b.now()
	if b.since.IsZero() {
		b.since = now
		b.visits, b.modules, b.disks = map[uint64]*visit{}, map[string]*tally{}, map[string]disk{}
	}
	at := now.UnixNano() / int64(step)
	for i := max(b.current+1, at-steps+1); i <= at; i++ {
		b.ring[i%steps] = flow{}
	}
	b.current = max(b.current, at)
	return &b.ring[b.current%steps]
}

// Seen implements [daemon.Watcher].
func (b *Book) Seen(v daemon.Visit) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn()
	known := b.visits[v.Number]
	if known == nil {
		known = &visit{}
		b.visits[v.Number] = known
		b.came++
	}
	known.Visit = v
}

// Left implements [daemon.Watcher].
func (b *Book) Left(v daemon.Visit, exit int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := b.turn()
	known := b.visits[v.Number]
	if known == nil {
		return
	}
	delete(b.visits, v.Number)
	known.Visit = v
	b.count(known, at)
	if v.Doing != daemon.Receiving && v.Doing != daemon.Sending {
		return
	}
	if t := b.tally(v.Module); t != nil {
		t.transfers++
		if exit != 0 {
			t.failed++
		}
	}
	b.done = append(b.done, passed{v, known.moved, b.now().Sub(v.Since), exit})
	b.done = b.done[max(len(b.done)-recent, 0):]
}

// Refused implements [daemon.Watcher].
func (b *Book) Refused(string, string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn()
	b.refused++
}

// failed notes an error.
func (b *Book) failed(at time.Time, text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	const most = 500
	b.errors = append(b.errors, mishap{at, text[:min(len(text), most)]})
	b.errors = b.errors[max(len(b.errors)-recent, 0):]
}

// tally is a module's, nil if there are too many.
func (b *Book) tally(module string) *tally {
	t := b.modules[module]
	if t == nil && len(b.modules) < maxTally {
		t = &tally{}
		b.modules[module] = t
	}
	return t
}

// count adds what has moved since the last time; the lock is held.
func (b *Book) count(v *visit, at *flow) {
	in, out := v.Moved()
	now := flow{in, out}
	more := now.minus(v.moved)
	v.moved.add(more)
	v.rate = flow{more.in * int64(time.Second) / int64(step), more.out * int64(time.Second) / int64(step)}
	at.add(more)
	b.total.add(more)
	if v.Module == "" {
		return
	}
	if t := b.tally(v.Module); t != nil {
		t.add(more)
	}
}

// Run counts, and looks at the disks of the modules that config has, until ctx
// ends. A disk that does not answer holds up nothing else.
func (b *Book) Run(ctx context.Context, config func() *conf.Config) {
	go func() {
		for {
			b.lookAtDisks(config())
			select {
			case <-ctx.Done():
				return
			case <-time.After(diskEvery):
			}
		}
	}()
	tick := time.NewTicker(step)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			b.sample()
		}
	}
}

func (b *Book) sample() {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := b.turn()
	for _, v := range b.visits {
		b.count(v, at)
	}
}

// summary is a copy of what the book knows.
type summary struct {
	since                time.Time
	start                time.Time // of the first step
	in, out              []float64 // bytes per second, by step
	total                flow
	rate                 flow // of the last whole step, per second
	came, refused        int64
	visits               []visit // the longest first
	modules              map[string]tally
	done                 []passed // the newest first
	errors               []mishap // the newest first
	disks                map[string]disk
	busy, waiting, talks int
}

func (b *Book) summary() summary {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn()
	s := summary{
		since: b.since, start: time.Unix(0, (b.current-steps+1)*int64(step)), total: b.total, came: b.came, refused: b.refused,
		modules: map[string]tally{}, disks: map[string]disk{}, done: slices.Clone(b.done), errors: slices.Clone(b.errors),
	}
	slices.Reverse(s.done)
	slices.Reverse(s.errors)
	for i := b.current - steps + 1; i < b.current; i++ { // the present one is not over
		f := b.ring[(i%steps+steps)%steps]
		s.in = append(s.in, float64(f.in)/step.Seconds())
		s.out = append(s.out, float64(f.out)/step.Seconds())
	}
	for name, t := range b.modules {
		s.modules[name] = *t
	}
	for path, d := range b.disks {
		s.disks[path] = d
	}
	for _, v := range b.visits {
		s.visits = append(s.visits, *v)
		s.rate.add(v.rate)
		switch v.Doing {
		case daemon.Receiving, daemon.Sending:
			s.busy++
		case daemon.Waiting:
			s.waiting++
		default:
			s.talks++
		}
	}
	slices.SortFunc(s.visits, func(a, b visit) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Number, b.Number)) })
	return s
}
