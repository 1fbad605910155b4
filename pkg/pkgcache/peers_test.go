package pkgcache

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/pkgcache/fill"
	"github.com/empegsync/empegsync/pkg/pkgcache/store"
)

// A peer that comes or goes moves only its own files, and all agree.
func TestRank(t *testing.T) {
	three := &Peers{Self: "a:1", Others: []string{"b:1", "c:1"}}
	again := &Peers{Self: "c:1", Others: []string{"a:1", "b:1"}}
	four := &Peers{Self: "d:1", Others: []string{"a:1", "b:1", "c:1"}}
	count := map[string]int{}
	for i := range 4000 {
		key := fmt.Sprint("distfiles/f", i)
		rank := three.Rank(key)
		if got := again.Rank(key); strings.Join(got, " ") != strings.Join(rank, " ") {
			t.Fatalf("%s: %v and %v", key, rank, got)
		}
		owner := four.Rank(key)[0]
		count[owner]++
		if owner != "d:1" && owner != rank[0] {
			t.Errorf("%s moved from %s to %s", key, rank[0], owner)
		}
	}
	for p, n := range count {
		if n < 850 || n > 1150 {
			t.Errorf("%s owns %d of 4000", p, n)
		}
	}
}

// Caches share files: one upstream fetch for all, none when one has gone, and no
// request that wanders.
func TestPeers(t *testing.T) {
	body := make([]byte, 100_000)
	_, _ = rand.Read(body)
	var asked atomic.Int32
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		content(body, `"v1"`)(w, r)
	}))
	defer upstream.Close()
	type peer struct {
		*Cache
		*httptest.Server
		name string
	}
	var peers []*peer
	for range 3 {
		p := &peer{}
		p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.Cache.ServeHTTP(w, r) }))
		defer p.Server.Close()
		p.name = strings.TrimPrefix(p.Server.URL, "http://")
		peers = append(peers, p)
	}
	log := slog.New(slog.DiscardHandler)
	for _, p := range peers {
		s, err := store.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		fills := &fill.Group{Store: s, Client: http.DefaultClient, Log: log, Context: t.Context()}
		defer fills.Wait()
		p.Cache = &Cache{Store: s, Fills: fills, Log: log, Rules: byName{}, Name: p.name, Transport: http.DefaultTransport, Local: http.NotFoundHandler()}
		p.Peers = &Peers{Self: p.name, Log: log, Rest: time.Hour, Transport: func(u *url.URL) http.RoundTripper {
			return &http.Transport{Proxy: http.ProxyURL(u), DisableKeepAlives: true}
		}}
		for _, o := range peers {
			if o != p {
				p.Peers.Others = append(p.Peers.Others, o.name)
			}
		}
	}
	through := func(p *peer, name string, header ...string) answer {
		t.Helper()
		at, _ := url.Parse(p.Server.URL)
		h := &house{client: &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(at), DisableCompression: true, DisableKeepAlives: true}}, upstream: upstream}
		a := h.get(t, name, header...)
		for _, p := range peers {
			p.Fills.Wait()
		}
		return a
	}
	const files = 12
	for i := range files {
		for _, p := range peers {
			if a := through(p, fmt.Sprintf("/f%d.tar", i)); a.StatusCode != 200 || string(a.body) != string(body) {
				t.Errorf("f%d: %d, %d bytes, %v", i, a.StatusCode, len(a.body), a.err)
			}
		}
	}
	if n := asked.Load(); n != files {
		t.Errorf("%d files were fetched %d times", files, n)
	}
	kept := 0
	for _, p := range peers {
		_ = p.Store.Names(func(string) error { kept++; return nil })
	}
	if kept != files {
		t.Errorf("%d files are kept %d times", files, kept)
	}
	// A range, and a miss, come through a peer as they are.
	host := strings.Split(strings.TrimPrefix(upstream.URL, "http://"), ":")[0]
	ranked := peers[0].Peers.Rank(host + "/f0.tar")
	var owner, other *peer
	for _, p := range peers {
		if p.name == ranked[0] {
			owner = p
		} else if p.name == ranked[2] {
			other = p
		}
	}
	a := through(other, "/f0.tar", "Range", "bytes=10-19")
	a.expect(t, 206, "PEER", body[10:20])
	if a.Header.Get("X-Cache-Peer") != "HIT" || len(a.Header.Values("Via")) != 2 {
		t.Errorf("%v", a.Header)
	}
	// What comes from a peer goes no further, whoever owns it.
	if a := through(other, "/f0.tar", "Via", "1.1 "+ranked[1]); a.Header.Get("X-Cache") != "MISS" {
		t.Errorf("from a peer: %v", a.Header)
	}
	owner.Server.CloseClientConnections()
	owner.Server.Close()
	for range 2 {
		if a := through(other, "/f0.tar"); a.StatusCode != 200 || string(a.body) != string(body) {
			t.Errorf("without the owner: %d, %v", a.StatusCode, a.err)
		}
	}
	for i := range files {
		if a := through(other, fmt.Sprintf("/f%d.tar", i)); a.StatusCode != 200 || string(a.body) != string(body) {
			t.Errorf("f%d without the owner: %d, %v", i, a.StatusCode, a.err)
		}
	}
}
