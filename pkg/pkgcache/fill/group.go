package fill

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/empegsync/empegsync/pkg/pkgcache/store"
)

// Errors that a fill may end with, beside those of the network and the disk.
var (
	// ErrMismatch: what came is not what the sums say.
	ErrMismatch = errors.New("wrong contents")
	// ErrNoRoom: the file does not fit into the cache. It can be had past it.
	ErrNoRoom = errors.New("no room in the cache")
	// ErrChanged: the file changed upstream while it was fetched.
	ErrChanged = errors.New("the file changed upstream while it was fetched")
	// ErrForbidden: the rules of this cache do not let it go there. The client's
	// transport has it in its errors.
	ErrForbidden = errors.New("not allowed through this cache")
	// ErrMisled: upstream leads elsewhere than to the file.
	ErrMisled = errors.New("upstream leads elsewhere than to the file")
	// ErrStalled: upstream stopped sending.
	ErrStalled = errors.New("upstream sends nothing any more")
)

// Doer is what an http.Client does.
type Doer interface {
	Do(*http.Request) (*http.Response, error)
}

// Group runs the fills of a store. Its fields are set before the first Get.
type Group struct {
	Store  *store.Store
	Client Doer
	Log    *slog.Logger
	// Context ends all fills; each keeps what can be gone on with.
	Context context.Context
	// Stall is how long upstream may send nothing. 0: a minute.
	Stall time.Duration
	// Tries is how often a broken fetch is gone on with on one mirror. 0: 3.
	Tries int
	// Pause is how long to wait before that. 0: a second.
	Pause time.Duration
	// PerHost is how many fetches one upstream host gets at once. 0: 4.
	PerHost int
	// Rate bounds what all fetches take together, nil: nothing does.
	Rate *rate.Limiter
	// Room is asked before a file of so many bytes (-1: not known) is kept,
	// and may make some; nil: there always is.
	Room func(key string, bytes int64) error
	// Tell is told what came of each upstream that was asked; nil: nobody is. It
	// is called from many goroutines, before whoever waits for the file goes on.
	Tell func(Event)
	// Now is the clock; nil: time.Now.
	Now func() time.Time

	mu    sync.Mutex
	fills map[place]*Fill
	hosts map[string]*host
	all   sync.WaitGroup
}

// Event is what came of asking one upstream for a file.
type Event struct {
	Host  string // of upstream, with its port if it has one
	Key   string
	Store *store.Store
	Bytes int64 // of bodies that came
	Err   error // a *StatusError with 304 if what is in the store is current
	Kept  bool  // the file is in the store
	// Volatile is whether the file may change under its name.
	Volatile bool
}

func (g *Group) tell(e Event) {
	if g.Tell != nil {
		g.Tell(e)
	}
}

// place is where a file will be.
type place struct {
	store *store.Store
	key   string
}

// Request is a file to be fetched.
type Request struct {
	Key string
	// Store is where the file goes; nil: the group's.
	Store *store.Store
	// URLs are where it may be had, tried in this order.
	URLs []*url.URL
	// Volatile files may change under their name: they are never gone on with.
	Volatile bool
	// Known makes the request conditional on a whole file that is in the store.
	Known *store.Meta
	// Sums is what the file must be, nil if nobody knows.
	Sums *Sums
	// Header has more fields for upstream.
	Header http.Header
	// Came is asked just before a fill would start: true means that another one
	// has ended since the caller looked into the store, and Get returns nil. nil:
	// nobody is asked.
	Came func() bool
}

// Get starts a fill, or joins the one under way for the key. The caller
// releases it, unless it is nil (see Request.Came).
func (g *Group) Get(req Request) (f *Fill, joined bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if req.Store == nil {
		req.Store = g.Store
	}
	f, joined = g.fills[place{req.Store, req.Key}], true
	if f == nil {
		if req.Came != nil && req.Came() {
			return nil, false
		}
		f, joined = g.start(req), false
	}
	f.hold()
	return f, joined
}

// start starts a fill; the lock is held.
func (g *Group) start(req Request) *Fill {
	if g.fills == nil {
		g.fills, g.hosts = make(map[place]*Fill), make(map[string]*host)
	}
	f := newFill(req.Key)
	g.fills[place{req.Store, req.Key}] = f
	g.all.Go(func() {
		e := &fetch{g: g, f: f, req: req, check: newCheck(req.Sums)}
		err := e.run(g.Context)
		g.mu.Lock()
		delete(g.fills, place{req.Store, req.Key})
		if errors.Is(err, ErrMismatch) && len(e.left) > 0 {
			// Who reads now has bytes of the wrong file; who comes next shall not.
			again := req
			again.URLs = e.left
			g.start(again)
		}
		g.mu.Unlock()
		f.end(e.have, err)
	})
	return f
}

// Running lists the fills under way.
func (g *Group) Running() []*Fill {
	g.mu.Lock()
	defer g.mu.Unlock()
	var all []*Fill
	for _, f := range g.fills {
		all = append(all, f)
	}
	return all
}

// Wait waits until no fill runs any more, as after Context has ended.
func (g *Group) Wait() { g.all.Wait() }

// host is the places at one upstream host.
type host struct {
	places chan struct{}
	users  int // fetches that have a place or wait for one
}

// turn waits for a place at a host; the caller gives it back with done.
func (g *Group) turn(ctx context.Context, name string) (done func(), err error) {
	g.mu.Lock()
	h := g.hosts[name]
	if h == nil {
		h = &host{places: make(chan struct{}, or(g.PerHost, 4))}
		g.hosts[name] = h
	}
	h.users++
	g.mu.Unlock()
	leave := func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if h.users--; h.users == 0 {
			delete(g.hosts, name)
		}
	}
	select {
	case h.places <- struct{}{}:
		return func() { <-h.places; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, context.Cause(ctx)
	}
}

func (g *Group) now() time.Time {
	if g.Now != nil {
		return g.Now()
	}
	return time.Now()
}

// or is v, or else if v is zero.
func or[T int | time.Duration](v, otherwise T) T {
	if v == 0 {
		return otherwise
	}
	return v
}

// steady reads a body: it fails when nothing comes for a while, and keeps to
// the rate.
type steady struct {
	io.Reader
	ctx    context.Context
	rate   *rate.Limiter
	timer  *time.Timer
	stall  time.Duration
	failed func() error // why the request was given up, nil if it was not
}

// Read implements io.Reader.
func (s *steady) Read(p []byte) (int, error) {
	if s.rate != nil {
		p = p[:min(len(p), max(s.rate.Burst(), 1))]
	}
	s.timer.Reset(s.stall)
	n, err := s.Reader.Read(p)
	s.timer.Stop()
	if err != nil && err != io.EOF {
		if why := s.failed(); why != nil {
			err = why
		}
	}
	if s.rate != nil && n > 0 {
		if wait := s.rate.WaitN(s.ctx, n); wait != nil && err == nil {
			err = wait
		}
	}
	return n, err
}
