package pkgcache

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
)

// Peers are caches that share their files: each file has one owner among them,
// which fetches and keeps it for all. The owner is found by rendezvous hashing, so
// that a peer that comes or goes moves only its own files.
type Peers struct {
	// Self is this cache among them; Others are the rest, by HOST:PORT. All
	// peers write them the same way.
	Self   string
	Others []string
	// Transport asks a peer, given a request whose proxy it is.
	Transport func(peer *url.URL) http.RoundTripper
	Log       *slog.Logger
	// Rest is how long a peer that did not answer is passed over. 0: 30 s.
	Rest time.Duration
	// Now is the clock; nil: time.Now.
	Now func() time.Time

	mu   sync.Mutex
	dead map[string]time.Time // until when
	ways map[string]http.RoundTripper
}

// Rank lists the peers in the order in which they own a key.
func (p *Peers) Rank(key string) []string {
	all := append([]string{p.Self}, p.Others...)
	slices.SortFunc(all, func(a, b string) int {
		return cmp.Or(cmp.Compare(xxhash.Sum64String(b+"\x00"+key), xxhash.Sum64String(a+"\x00"+key)), cmp.Compare(a, b))
	})
	return all
}

func (p *Peers) now() time.Time {
	if p.Now != nil {
		return p.Now()
	}
	return time.Now()
}

// way returns how to ask a peer, nil while it is passed over.
func (p *Peers) way(peer string) http.RoundTripper {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.now().Before(p.dead[peer]) {
		return nil
	}
	if p.ways == nil {
		p.ways, p.dead = make(map[string]http.RoundTripper), make(map[string]time.Time)
	}
	if p.ways[peer] == nil {
		p.ways[peer] = p.Transport(&url.URL{Scheme: "http", Host: peer})
	}
	return p.ways[peer]
}

func (p *Peers) passOver(peer string, why error) {
	rest := p.Rest
	if rest == 0 {
		rest = 30 * time.Second
	}
	p.Log.Warn("a peer does not answer, it is passed over", "peer", peer, "for", rest, "err", why)
	p.mu.Lock()
	p.dead[peer] = p.now().Add(rest)
	p.mu.Unlock()
}

// sent reports whether a request comes from a peer: it goes no further.
func (p *Peers) sent(r *http.Request) bool {
	for _, line := range r.Header.Values("Via") {
		for hop := range strings.SplitSeq(line, ",") {
			_, by, _ := strings.Cut(strings.TrimSpace(hop), " ")
			if name, _, _ := strings.Cut(by, " "); slices.Contains(p.Others, name) {
				return true
			}
		}
	}
	return false
}

// elsewhere has a peer answer if it owns the file. It reports false if the
// answer is to be made here: this cache owns the file, or has it, or comes next
// after owners that do not answer.
func (c *Cache) elsewhere(w http.ResponseWriter, r *http.Request, d Decision) bool {
	// Other schemes would have to be a tunnel.
	if c.Mode == Offline || d.Store != nil || r.URL.Scheme != "http" || c.Peers.sent(r) {
		return false
	}
	if d.Class == Immutable {
		if o, err := c.Store.Get(d.Key); err == nil {
			o.Close()
			return false
		}
	}
	for _, peer := range c.Peers.Rank(d.Key) {
		if peer == c.Peers.Self {
			return false
		}
		way := c.Peers.way(peer)
		if way == nil {
			continue
		}
		resp, err := way.RoundTrip(c.toPeer(r))
		if err == nil && resp.StatusCode == http.StatusLoopDetected {
			err = fmt.Errorf("it takes itself for another: each cache's \"self\" must be what the others' \"peers\" say")
			resp.Body.Close()
		}
		switch {
		case r.Context().Err() != nil:
			panic(http.ErrAbortHandler) // the client has gone
		case err != nil:
			c.Peers.passOver(peer, err)
			continue
		}
		c.fromPeer(w, resp)
		return true
	}
	return false
}

// perHop are the fields that concern one connection only (RFC 9110, 7.6.1).
func perHop() []string {
	return []string{"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}
}

func (c *Cache) toPeer(r *http.Request) *http.Request {
	out := r.Clone(r.Context())
	for _, name := range perHop() {
		out.Header.Del(name)
	}
	out.Header.Add("Via", "1.1 "+c.Name)
	out.RequestURI, out.Close, out.Body, out.ContentLength = "", false, nil, 0
	return out
}

func (c *Cache) fromPeer(w http.ResponseWriter, resp *http.Response) {
	defer resp.Body.Close()
	for _, name := range perHop() {
		resp.Header.Del(name)
	}
	state := resp.Header.Get("X-Cache")
	maps.Copy(w.Header(), resp.Header)
	w.Header().Set("X-Cache", "PEER")
	if state != "" {
		w.Header().Set("X-Cache-Peer", state)
	}
	w.Header().Add("Via", "1.1 "+c.Name)
	w.WriteHeader(resp.StatusCode)
	if _, err := io.Copy(w, resp.Body); err != nil {
		panic(http.ErrAbortHandler) // a body that breaks must look broken
	}
}
