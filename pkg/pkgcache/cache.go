package pkgcache

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/empegsync/empegsync/pkg/pkgcache/fill"
	"github.com/empegsync/empegsync/pkg/pkgcache/store"
)

// Mode says what happens when upstream is needed.
type Mode int

// The modes.
const (
	// Fallback serves the last good copy of a file that upstream cannot renew.
	Fallback Mode = iota
	// Strict answers with an error then.
	Strict
	// Offline never asks upstream.
	Offline
)

// Class says whether a file may change under its name.
type Class int

// The classes.
const (
	Volatile  Class = iota // it may: ask again
	Immutable              // it may not
	Uncached               // it is nobody's business: pass it through
)

// Decision is what [Rules] say of a URL.
type Decision struct {
	Class Class
	Key   string       // the name of the file in the store
	Store *store.Store // nil: the cache's own
	URLs  []*url.URL   // where it may be had, in the order to try
	// MaxAge is how long a volatile file is fresh if upstream does not say.
	MaxAge time.Duration
}

// Rules decide over URLs.
type Rules interface {
	// Decide is given an absolute URL, and the header of the request.
	Decide(u *url.URL, h http.Header) Decision
}

// Cache is the proxy. Its fields are set before it serves.
type Cache struct {
	Store *store.Store
	Fills *fill.Group
	Rules Rules
	Mode  Mode
	Log   *slog.Logger
	// Name is this cache's in Via lines: it must differ from its peers'.
	Name string
	// Transport passes through what is not cached.
	Transport http.RoundTripper
	// Sums finds what a file must be; nil, or a nil result: nobody knows.
	Sums func(key string) *fill.Sums
	// Local answers requests that are for this host itself.
	Local http.Handler
	// Tunnel reports whether CONNECT may reach host:port; nil: never.
	Tunnel func(hostport string) bool
	// Stall is how long a client may take no data. 0: five minutes.
	Stall time.Duration
	// Now is the clock; nil: time.Now.
	Now func() time.Time

	// Negative is how long upstream's word that there is no such file counts.
	Negative time.Duration
	// Peers are other caches that share the files; nil: there are none.
	Peers *Peers
	// Common is where a store that caches share would have a file, asked before
	// upstream; nil: there is none.
	Common func(key string) *url.URL

	verifying sync.Mutex // one old file at a time
	recent    recent
}

// ServeHTTP implements http.Handler.
func (c *Cache) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w = newSteadyWriter(w, c.Stall)
	switch {
	case c.loops(r):
		refuse(w, http.StatusLoopDetected, "the request has been here before: look at the proxies' settings")
	case r.Method == http.MethodConnect:
		c.connect(w, r)
	case !r.URL.IsAbs():
		c.Local.ServeHTTP(w, r)
	case r.URL.Scheme != "http" && r.URL.Scheme != "ftp" && r.URL.Scheme != "https" || r.URL.Host == "":
		refuse(w, http.StatusBadRequest, fmt.Sprintf("cannot fetch %q: only http, https and ftp", r.URL.Redacted()))
	default:
		c.proxy(w, r)
	}
}

// loops reports a request that this cache has sent itself, or one that went
// through too many others.
func (c *Cache) loops(r *http.Request) bool {
	const most = 10
	hops := 0
	for _, line := range r.Header.Values("Via") {
		for hop := range strings.SplitSeq(line, ",") {
			_, by, _ := strings.Cut(strings.TrimSpace(hop), " ")
			if name, _, _ := strings.Cut(by, " "); name == c.Name && name != "" {
				return true
			}
			hops++
		}
	}
	return hops > most
}

func refuse(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, "empegsync cache: "+text, code)
}

// proxy serves a URL of another host.
func (c *Cache) proxy(w http.ResponseWriter, r *http.Request) {
	d := c.Rules.Decide(r.URL, r.Header)
	if d.Class == Uncached || !cacheable(r) || store.CheckKey(d.Key) != nil {
		c.pass(w, r)
		return
	}
	if c.Peers != nil && c.elsewhere(w, r, d) {
		return
	}
	c.Serve(w, r, d)
}

// cacheable reports whether a request's answer may be kept and shared.
func cacheable(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	return r.Header.Get("Authorization") == "" && r.URL.User == nil && r.ContentLength == 0
}

// Serve answers with a file that is kept, or becomes so.
func (c *Cache) Serve(w http.ResponseWriter, r *http.Request, d Decision) {
	if d.Store == nil {
		d.Store = c.Store
	}
	o, err := d.Store.Get(d.Key)
	if err == nil {
		o, err = c.verified(d, o)
	}
	came := c.came(d, o)
	switch {
	case err == nil:
		defer o.Close()
		if d.Class == Immutable || c.Mode == Offline || c.fresh(o, d) && !reload(r) {
			c.whole(w, r, o, "HIT")
			return
		}
	case !errors.Is(err, fs.ErrNotExist):
		c.Log.Error("read from the cache", "key", d.Key, "err", err)
		came = nil
	}
	switch {
	case c.Mode == Offline:
		refuse(w, http.StatusGatewayTimeout, d.Key+" is not in the cache, and it is offline")
	case r.Method == http.MethodHead && o == nil:
		c.pass(w, r) // no reason to fetch all of it
	default:
		c.fetch(w, r, d, o, came)
	}
}

// came returns what tells whether the store has something newer than o (nil:
// nothing) by now: a fetch may end between a look into the store and one at the
// fetches under way.
func (c *Cache) came(d Decision, o *store.Object) func() bool {
	return func() bool {
		now, err := d.Store.Get(d.Key)
		if err != nil {
			return false
		}
		defer now.Close()
		return o == nil || now.Size != o.Size || !now.ModTime.Equal(o.ModTime) || !now.Meta.Checked.Equal(o.Meta.Checked)
	}
}

// verified returns a file that is what the lists say, if they say something: one
// that came before its list, or whose list has changed, is checked before it is
// served again. A wrong one is evicted: the error is fs.ErrNotExist then. o is
// closed if it does not come back.
func (c *Cache) verified(d Decision, o *store.Object) (*store.Object, error) {
	if c.Sums == nil || d.Class != Immutable {
		return o, nil
	}
	sums := c.Sums(d.Key)
	if sums == nil || sums.Best() == "" || o.Known && o.Meta.Sum == sums.Best() {
		return o, nil
	}
	// Whoever waited here finds that it has been done.
	c.verifying.Lock()
	defer c.verifying.Unlock()
	o.Close()
	o, err := d.Store.Get(d.Key)
	if err != nil || o.Known && o.Meta.Sum == sums.Best() {
		return o, err
	}
	proof, err := sums.Verify(o, o.Size)
	if err == nil {
		o.Meta.Proof, o.Meta.Sum = proof, sums.Best()
		if err := d.Store.Describe(d.Key, o.Meta); err != nil {
			c.Log.Warn("note that a file is verified", "key", d.Key, "err", err)
		}
		return o, nil
	}
	o.Close()
	if !errors.Is(err, fill.ErrMismatch) {
		return nil, err
	}
	c.Log.Error("a wrong file is evicted", "key", d.Key, "err", err)
	if err := d.Store.Remove(d.Key); err != nil {
		return nil, err
	}
	return nil, fs.ErrNotExist
}

// reload reports a client that insists on upstream's word (RFC 9111, 5.2.1.4).
func reload(r *http.Request) bool {
	v := strings.ToLower(r.Header.Get("Cache-Control"))
	return strings.Contains(v, "no-cache") || strings.Contains(v, "max-age=0") || v == "" && r.Header.Get("Pragma") == "no-cache"
}

// fetch brings a file, or asks whether the copy o (nil if there is none) is
// still good.
func (c *Cache) fetch(w http.ResponseWriter, r *http.Request, d Decision, o *store.Object, came func() bool) {
	switch v := c.recent.of(d, c.now()); {
	case v == tooLarge:
		c.pass(w, r)
		return
	case v != 0 && o == nil && !reload(r):
		w.Header().Set("X-Cache", "NEGATIVE")
		c.gone(w, d, v)
		return
	}
	req := fill.Request{Key: d.Key, Store: d.Store, URLs: d.URLs, Volatile: d.Class != Immutable, Header: c.forward(r), Came: came}
	if c.Common != nil && d.Class == Immutable && d.Store == c.Store {
		req.URLs = append([]*url.URL{c.Common(d.Key)}, d.URLs...)
	}
	if o != nil && o.Known {
		req.Known = &o.Meta
	}
	if c.Sums != nil {
		req.Sums = c.Sums(d.Key)
	}
	f, joined := c.Fills.Get(req)
	if f == nil {
		c.Serve(w, r, d)
		return
	}
	defer f.Release()
	h, err := f.Head(r.Context())
	switch {
	case r.Context().Err() != nil:
		panic(http.ErrAbortHandler) // the client has gone
	case errors.Is(err, fill.ErrNoRoom):
		c.Log.Warn("no room, passed through", "key", d.Key, "err", err)
		c.pass(w, r)
	case errors.Is(err, ErrForbidden):
		c.failed(w, r, o, http.StatusForbidden, err.Error())
	case err != nil:
		c.failed(w, r, o, http.StatusBadGateway, err.Error())
	case h.Status == http.StatusNotModified && o != nil:
		m := o.Meta
		m.Checked = c.now()
		if err := d.Store.Describe(d.Key, m); err != nil {
			c.Log.Warn("note that a file is current", "key", d.Key, "err", err)
		}
		c.whole(w, r, o, "REVALIDATED")
	case h.Status != http.StatusOK && !aboutFile(h.Status):
		c.failed(w, r, o, http.StatusBadGateway, fmt.Sprintf("upstream answers %d", h.Status))
	case h.Status != http.StatusOK:
		if (h.Status == http.StatusNotFound || h.Status == http.StatusGone) && c.Negative > 0 {
			c.recent.note(d, h.Status, c.now().Add(c.Negative))
		}
		c.gone(w, d, h.Status)
	default:
		state := "MISS"
		if joined {
			state = "JOINED"
		}
		defer func() { // also when a broken body ends the answer
			if errors.Is(f.Err(), fill.ErrNoRoom) {
				// Who asks again is to have it past the cache.
				c.recent.note(d, tooLarge, c.now().Add(10*time.Minute))
			}
		}()
		c.arriving(w, r, f, h, state)
	}
}

// aboutFile reports whether a status says something of the file. Others tell of
// a server in trouble, or of the way to it, or are no answer to what was asked:
// passed on, some would look like a success.
func aboutFile(status int) bool {
	switch status {
	case http.StatusProxyAuthRequired, http.StatusRequestTimeout, http.StatusPreconditionFailed, http.StatusRequestedRangeNotSatisfiable,
		http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return status >= 400 && status < 500
}

func (c *Cache) gone(w http.ResponseWriter, d Decision, status int) {
	refuse(w, status, fmt.Sprintf("upstream answers %d %s for %s", status, http.StatusText(status), d.URLs[0].Redacted()))
}

// failed serves the last good copy when upstream has none to give.
func (c *Cache) failed(w http.ResponseWriter, r *http.Request, o *store.Object, code int, why string) {
	if o == nil || c.Mode == Strict {
		refuse(w, code, why)
		return
	}
	c.Log.Warn("upstream failed, the last good copy serves", "key", o.Meta.Key, "err", why)
	w.Header().Set("Warning", `111 - "Revalidation Failed"`)
	c.whole(w, r, o, "STALE")
}

// forward is what upstream is told beside the URL.
func (c *Cache) forward(r *http.Request) http.Header {
	h := http.Header{"Via": append(r.Header.Values("Via"), "1.1 "+c.Name)}
	if ua := r.Header.Get("User-Agent"); ua != "" {
		h.Set("User-Agent", ua)
	}
	return h
}

func (c *Cache) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}
