package report

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/empegsync/empegsync/pkg/pkgcache/fill"
)

// The book's measures.
const (
	step  = 5 * time.Minute
	steps = 24 * 12 // a day
	hosts = 1000    // upstreams that are told apart; clients choose their names
)

// Book counts. Its zero value is empty and in use from its first call on; its
// methods may be used from many goroutines.
type Book struct {
	// Now is the clock; nil: time.Now.
	Now func() time.Time

	mu      sync.Mutex
	since   time.Time
	current int64 // which step since 1970 is written to
	ring    [steps]bucket
	states  map[string]tally // by what X-Cache says
	hosts   map[string]*upstream
}

// bucket is what went out in one step, in bytes.
type bucket struct{ kept, all int64 }

// tally is what went out in one way.
type tally struct{ Answers, Bytes int64 }

// upstream is what came of one host.
type upstream struct {
	Name                      string
	Fetches, Bytes, Errors    int64
	LastError, LastErrorOfKey string
	LastTime                  time.Time
}

func (b *Book) now() time.Time {
	if b.Now != nil {
		return b.Now()
	}
	return time.Now()
}

// turn moves on to the present step; the lock is held.
func (b *Book) turn() *bucket {
	now := b.now()
	if b.since.IsZero() {
		b.since = now
		b.states, b.hosts = make(map[string]tally), make(map[string]*upstream)
	}
	at := now.UnixNano() / int64(step)
	for i := max(b.current+1, at-steps+1); i <= at; i++ {
		b.ring[i%steps] = bucket{}
	}
	b.current = max(b.current, at)
	return &b.ring[b.current%steps]
}

// saved reports whether bytes of an answer did not come from upstream for it.
func saved(state string) bool {
	return state == "HIT" || state == "REVALIDATED" || state == "STALE" || state == "JOINED"
}

// counts reports whether an answer is one of this cache's: what a peer has
// answered is in the peer's book.
func counts(state string) bool { return state != "OTHER" && state != "PEER" }

// Answered notes an answer of so many bytes; state is its X-Cache, "" for what
// the cache has answered by itself.
func (b *Book) Answered(state string, bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := b.turn()
	if state == "" {
		state = "OTHER"
	}
	if counts(state) {
		at.all += bytes
	}
	if saved(state) {
		at.kept += bytes
	}
	t := b.states[state]
	t.Answers++
	t.Bytes += bytes
	b.states[state] = t
}

// Fetched notes what came of an upstream.
func (b *Book) Fetched(e fill.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn()
	u := b.hosts[e.Host]
	if u == nil {
		name := e.Host
		if len(b.hosts) >= hosts {
			name = "others"
		}
		if u = b.hosts[name]; u == nil {
			u = &upstream{Name: name}
			b.hosts[name] = u
		}
	}
	u.Fetches++
	u.Bytes += e.Bytes
	var status *fill.StatusError
	if e.Err == nil || errors.As(e.Err, &status) && status.Code == http.StatusNotModified {
		return
	}
	u.Errors++
	u.LastError, u.LastErrorOfKey, u.LastTime = e.Err.Error(), e.Key, b.now()
}

// summary is a copy of what the book knows.
type summary struct {
	since     time.Time
	start     time.Time // of the first step
	kept, all []float64 // bytes, by step
	states    map[string]tally
	hosts     []upstream
}

func (b *Book) summary() summary {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn()
	s := summary{since: b.since, start: time.Unix(0, (b.current-steps+1)*int64(step)), states: make(map[string]tally)}
	for i := b.current - steps + 1; i <= b.current; i++ {
		s.kept = append(s.kept, float64(b.ring[i%steps].kept))
		s.all = append(s.all, float64(b.ring[i%steps].all))
	}
	for k, v := range b.states {
		s.states[k] = v
	}
	for _, u := range b.hosts {
		s.hosts = append(s.hosts, *u)
	}
	slices.SortFunc(s.hosts, func(a, b upstream) int {
		return cmp.Or(cmp.Compare(b.Errors, a.Errors), cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Name, b.Name))
	})
	return s
}

// rate is how much of the answers' bytes was saved, of 1, and whether there were
// any.
func (s summary) rate() (float64, bool) {
	var kept, all int64
	for state, t := range s.states {
		if !counts(state) {
			continue
		}
		all += t.Bytes
		if saved(state) {
			kept += t.Bytes
		}
	}
	if all == 0 {
		return 0, false
	}
	return float64(kept) / float64(all), true
}
