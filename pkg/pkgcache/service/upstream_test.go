package service

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/pkgcache/settings"
)

// raw is an upstream that says whatever bytes it likes.
type raw struct {
	host  string // address:port
	conns atomic.Int32
	asked atomic.Int32

	mu     sync.Mutex
	answer func(c net.Conn, r *http.Request)
	open   map[net.Conn]bool
}

// newRaw listens at an address of this machine; a connection serves one request.
func newRaw(t testing.TB, address string, answer func(c net.Conn, r *http.Request)) *raw {
	t.Helper()
	ln, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		t.Fatal(err)
	}
	u := &raw{host: ln.Addr().String(), answer: answer, open: make(map[net.Conn]bool)}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			u.conns.Add(1)
			u.mu.Lock()
			u.open[c] = true
			u.mu.Unlock()
			all.Go(func() { u.serve(c) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		u.mu.Lock()
		for c := range u.open {
			c.Close()
		}
		u.mu.Unlock()
		all.Wait()
	})
	return u
}

func (u *raw) serve(c net.Conn) {
	defer c.Close()
	r, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil {
		return
	}
	u.asked.Add(1)
	u.mu.Lock()
	answer := u.answer
	u.mu.Unlock()
	answer(c, r)
}

// becomes has it answer otherwise.
func (u *raw) becomes(answer func(c net.Conn, r *http.Request)) {
	u.mu.Lock()
	u.answer = answer
	u.mu.Unlock()
}

// says makes an answer of fixed text.
func says(text string) func(net.Conn, *http.Request) {
	return func(c net.Conn, _ *http.Request) { _, _ = io.WriteString(c, text) }
}

// front is a cache whose clients come through an ordinary server.
type front struct {
	*Service
	dir string
	at  string // its address
}

// newFront starts a cache that may reach 127.0.0.1, and no other address of this
// machine.
func newFront(t testing.TB, change func(*settings.Settings)) *front {
	t.Helper()
	set := settings.Default()
	set.Dir, set.Manifests, set.MinFree, set.Negative = t.TempDir(), []string{}, 0, 0
	set.Private = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	if change != nil {
		change(set)
	}
	s, err := New(set, "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s.fills.Pause = time.Millisecond
	srv := httptest.NewServer(s.cache)
	f := &front{Service: s, dir: set.Dir, at: strings.TrimPrefix(srv.URL, "http://")}
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
		s.Close()
	})
	return f
}

// answer is what a client got; err is how its body ended.
type answer struct {
	code   int
	header http.Header
	body   string
	err    error
}

// get asks the cache for a URL, and waits until nothing is being fetched.
func (f *front) get(t testing.TB, at string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		t.Fatal(err)
	}
	// A proxy is told the whole URL. Nothing is followed, or unpacked.
	req.URL = &url.URL{Scheme: "http", Host: f.at, Opaque: at}
	resp, err := (&http.Transport{DisableCompression: true, DisableKeepAlives: true}).RoundTrip(req)
	if err != nil { // a body may break before its first byte has left
		return answer{err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	for deadline := time.Now().Add(time.Minute); len(f.fills.Running()) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a fetch does not end")
		}
	}
	return answer{resp.StatusCode, resp.Header, string(body), err}
}

// kept lists the cache's files.
func (f *front) kept(t testing.TB) string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(f.dir, func(name string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == ".cache" {
			return filepath.SkipDir
		}
		if err == nil && !d.IsDir() {
			all = append(all, strings.TrimPrefix(name, f.dir+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, " ")
}
