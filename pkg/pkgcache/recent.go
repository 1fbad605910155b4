package pkgcache

import (
	"sync"
	"time"

	"github.com/empegsync/empegsync/pkg/pkgcache/store"
)

// tooLarge is the verdict on a file that has no room; others are upstream's
// status.
const tooLarge = -1

// mostRecent bounds what is remembered: clients choose the names.
const mostRecent = 10_000

// recent remembers for a while what is not worth another try.
type recent struct {
	mu  sync.Mutex
	all map[recentKey]verdict
}

type recentKey struct {
	store *store.Store
	key   string
}

type verdict struct {
	status int
	until  time.Time
}

// of returns what is remembered of a file, 0 if nothing is.
func (r *recent) of(d Decision, now time.Time) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := recentKey{d.Store, d.Key}
	v, ok := r.all[k]
	if ok && now.After(v.until) {
		delete(r.all, k)
		return 0
	}
	return v.status
}

func (r *recent) note(d Decision, status int, until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil || len(r.all) >= mostRecent {
		r.all = make(map[recentKey]verdict)
	}
	r.all[recentKey{d.Store, d.Key}] = verdict{status, until}
}
