package pkgcache

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/pkgcache/fill"
	"github.com/empegsync/empegsync/pkg/pkgcache/store"
)

// byName is a set of rules for tests: what ends in .db may change.
type byName struct{ maxAge time.Duration }

func (b byName) Decide(u *url.URL, _ http.Header) Decision {
	d := Decision{Class: Immutable, Key: u.Hostname() + u.Path, URLs: []*url.URL{u}, MaxAge: b.maxAge}
	switch path.Ext(u.Path) {
	case ".db":
		d.Class = Volatile
	case ".cgi":
		d.Class = Uncached
	}
	return d
}

// house is a cache, its upstream and a client that goes through it.
type house struct {
	*Cache
	client   *http.Client
	upstream *httptest.Server
	handler  atomic.Value // of http.HandlerFunc
	asked    atomic.Int32
	clock    atomic.Int64 // seconds
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{}
	h.clock.Store(1_700_000_000)
	h.upstream = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.asked.Add(1)
		h.handler.Load().(http.HandlerFunc)(w, r)
	}))
	s, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	log := slog.New(slog.DiscardHandler)
	now := func() time.Time { return time.Unix(h.clock.Load(), 0) }
	h.Cache = &Cache{
		Store: s, Log: log, Rules: byName{maxAge: 0}, Name: "test", Transport: http.DefaultTransport, Local: http.NotFoundHandler(), Now: now,
		Fills: &fill.Group{Store: s, Client: http.DefaultClient, Log: log, Context: ctx, Pause: time.Millisecond, Tries: 2, Now: now},
	}
	front := httptest.NewServer(h.Cache)
	at, err := url.Parse(front.URL)
	if err != nil {
		t.Fatal(err)
	}
	h.client = &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(at), DisableCompression: true}}
	t.Cleanup(func() {
		cancel()
		h.upstream.CloseClientConnections()
		h.upstream.Close()
		front.CloseClientConnections()
		front.Close()
		h.Fills.Wait()
		s.Close()
	})
	return h
}

// serves sets what upstream does.
func (h *house) serves(f http.HandlerFunc) { h.handler.Store(f) }

// content is an upstream that knows one body, with ranges and conditions.
func content(body []byte, etag string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", etag)
		w.Header().Set("Content-Type", "application/x-test")
		http.ServeContent(w, r, "", time.Unix(1_000_000_000, 0), bytes.NewReader(body))
	}
}

type answer struct {
	*http.Response
	body []byte
	err  error
}

func (h *house) get(t *testing.T, name string, header ...string) answer {
	t.Helper()
	return h.do(t, http.MethodGet, name, header...)
}

func (h *house) do(t *testing.T, method, name string, header ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, h.upstream.URL+name, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	resp, err := h.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{resp, body, err}
}

// settled gets a file and waits until it is on the disk, which is a moment
// after its last byte has come.
func (h *house) settled(t *testing.T, name string, header ...string) answer {
	t.Helper()
	a := h.get(t, name, header...)
	h.settle(t)
	return a
}

// settle waits until all that is being fetched is on the disk.
func (h *house) settle(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); len(h.Fills.Running()) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a fetch does not end")
		}
	}
}

func (a answer) expect(t *testing.T, code int, state string, body []byte) {
	t.Helper()
	if a.StatusCode != code || a.Header.Get("X-Cache") != state || a.err != nil || !bytes.Equal(a.body, body) {
		t.Errorf("%d %q with %d bytes, %v; want %d %q with %d bytes", a.StatusCode, a.Header.Get("X-Cache"), len(a.body), a.err, code, state, len(body))
	}
}

var text = bytes.Repeat([]byte("0123456789abcdef"), 10_000)

func TestImmutable(t *testing.T) {
	h := newHouse(t)
	h.serves(content(text, `"v1"`))
	h.settled(t, "/f.tar").expect(t, 200, "MISS", text)
	h.serves(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) })
	a := h.settled(t, "/f.tar")
	a.expect(t, 200, "HIT", text)
	if a.Header.Get("ETag") != `"v1"` || a.Header.Get("Content-Type") != "application/x-test" || !strings.Contains(a.Header.Get("Via"), "test") {
		t.Errorf("header %v", a.Header)
	}
	h.settled(t, "/f.tar", "Range", "bytes=5-14").expect(t, 206, "HIT", text[5:15])
	h.settled(t, "/f.tar", "Range", "bytes=-7").expect(t, 206, "HIT", text[len(text)-7:])
	h.settled(t, "/f.tar", "Range", "bytes=5-14", "If-Range", `"v2"`).expect(t, 200, "HIT", text)
	h.settled(t, "/f.tar", "If-None-Match", `"v1"`).expect(t, 304, "HIT", nil)
	if a := h.settled(t, "/f.tar", "Range", "bytes=999999-"); a.StatusCode != 416 {
		t.Errorf("beyond the end: %d", a.StatusCode)
	}
	h.do(t, http.MethodHead, "/f.tar").expect(t, 200, "HIT", nil)
	if n := h.asked.Load(); n != 1 {
		t.Errorf("upstream was asked %d times", n)
	}
}

func TestVolatile(t *testing.T) {
	h := newHouse(t)
	h.Cache.Rules = byName{maxAge: time.Minute}
	h.serves(content(text, `"v1"`))
	h.settled(t, "/x.db").expect(t, 200, "MISS", text)
	h.settled(t, "/x.db").expect(t, 200, "HIT", text)
	h.settled(t, "/x.db", "Cache-Control", "no-cache").expect(t, 200, "REVALIDATED", text)
	h.clock.Add(61)
	h.settled(t, "/x.db").expect(t, 200, "REVALIDATED", text)
	h.settled(t, "/x.db").expect(t, 200, "HIT", text)
	h.clock.Add(61)
	newer := text[:5000]
	h.serves(content(newer, `"v2"`))
	h.settled(t, "/x.db").expect(t, 200, "MISS", newer)
	h.clock.Add(61)
	h.serves(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
	h.settled(t, "/x.db").expect(t, 200, "STALE", newer)
	h.Cache.Mode = Strict
	if a := h.settled(t, "/x.db"); a.StatusCode != 502 {
		t.Errorf("strict: %d", a.StatusCode)
	}
	h.Cache.Mode = Offline
	asked := h.asked.Load()
	h.settled(t, "/x.db").expect(t, 200, "HIT", newer)
	if a := h.settled(t, "/y.db"); a.StatusCode != 504 || h.asked.Load() != asked {
		t.Errorf("offline: %d, asked %d times more", a.StatusCode, h.asked.Load()-asked)
	}
}

// An upstream that says "gone" does not take the good copy away.
func TestGoneUpstream(t *testing.T) {
	h := newHouse(t)
	h.serves(content(text, `"v1"`))
	h.settled(t, "/x.db").expect(t, 200, "MISS", text)
	h.serves(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) })
	if a := h.settled(t, "/x.db"); a.StatusCode != 403 {
		t.Errorf("%d", a.StatusCode)
	}
	h.Cache.Mode = Offline
	h.settled(t, "/x.db").expect(t, 200, "HIT", text)
}

// A range is served from a fetch under way, as soon as its bytes are there.
func TestRangeWhileArriving(t *testing.T) {
	h := newHouse(t)
	gate := make(chan struct{})
	h.serves(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(text)))
		w.Header().Set("ETag", `"v1"`)
		_, _ = w.Write(text[:100_000])
		_ = http.NewResponseController(w).Flush()
		<-gate
		_, _ = w.Write(text[100_000:])
	})
	h.get(t, "/f.tar", "Range", "bytes=50000-50009").expect(t, 206, "MISS", text[50000:50010])
	h.get(t, "/f.tar", "Range", "bytes=10-19").expect(t, 206, "JOINED", text[10:20])
	close(gate)
	// The last byte comes before the file has its name, so this may be either.
	if a := h.settled(t, "/f.tar", "Range", "bytes=-5"); a.StatusCode != 206 || a.err != nil || !bytes.Equal(a.body, text[len(text)-5:]) {
		t.Errorf("the end: %d with %q, %v", a.StatusCode, a.body, a.err)
	}
	h.get(t, "/f.tar", "Range", "bytes=-5").expect(t, 206, "HIT", text[len(text)-5:])
	if n := h.asked.Load(); n != 1 {
		t.Errorf("upstream was asked %d times", n)
	}
}

// A fetch that ends between a look into the store and one at the fetches under
// way is not done again.
func TestCameMeanwhile(t *testing.T) {
	h := newHouse(t)
	h.serves(content(text, `"v1"`))
	h.settled(t, "/f.tar").expect(t, 200, "MISS", text)
	u, err := url.Parse(h.upstream.URL + "/f.tar")
	if err != nil {
		t.Fatal(err)
	}
	d := h.Rules.Decide(u, nil)
	d.Store = h.Store
	w := httptest.NewRecorder()
	h.fetch(w, httptest.NewRequest(http.MethodGet, u.String(), nil), d, nil, h.came(d, nil))
	if w.Code != 200 || w.Header().Get("X-Cache") != "HIT" || !bytes.Equal(w.Body.Bytes(), text) {
		t.Errorf("%d %v with %d bytes", w.Code, w.Header(), w.Body.Len())
	}
	if n := h.asked.Load(); n != 1 {
		t.Errorf("upstream was asked %d times", n)
	}
}

// A body that breaks off upstream breaks off here: no client takes it for whole.
func TestBrokenBody(t *testing.T) {
	for _, chunked := range []bool{false, true} {
		h := newHouse(t)
		h.serves(func(w http.ResponseWriter, _ *http.Request) {
			if !chunked {
				w.Header().Set("Content-Length", fmt.Sprint(len(text)))
			}
			_, _ = w.Write(text[:len(text)/2])
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		})
		if a := h.get(t, "/f.tar"); !errors.Is(a.err, io.ErrUnexpectedEOF) {
			t.Errorf("chunked %v: %d with %d bytes, %v", chunked, a.StatusCode, len(a.body), a.err)
		}
		h.serves(content(text, `"v1"`))
		h.get(t, "/f.tar").expect(t, 200, "MISS", text)
	}
}

func TestPass(t *testing.T) {
	h := newHouse(t)
	h.serves(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s %s", r.Method, r.URL.Path, r.Header.Get("Authorization"))
	})
	h.settled(t, "/a.cgi").expect(t, 200, "PASS", []byte("GET /a.cgi "))
	h.do(t, http.MethodPost, "/f.tar").expect(t, 200, "PASS", []byte("POST /f.tar "))
	h.settled(t, "/f.tar", "Authorization", "Basic eDp5").expect(t, 200, "PASS", []byte("GET /f.tar Basic eDp5"))
	h.settled(t, "/.hidden").expect(t, 200, "PASS", []byte("GET /.hidden "))
}

// What upstream did wrong is told also of what goes past the cache.
func TestPassTells(t *testing.T) {
	h := newHouse(t)
	var events []fill.Event
	told := make(chan fill.Event, 10)
	h.Fills.Tell = func(e fill.Event) { told <- e }
	h.serves(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/bad.cgi":
			w.WriteHeader(503)
		case "/cut.cgi":
			w.Header().Set("Content-Length", fmt.Sprint(2*len(text)))
			_, _ = w.Write(text)
		}
		_, _ = w.Write([]byte("hello"))
	})
	for _, name := range []string{"/ok.cgi", "/bad.cgi", "/cut.cgi"} {
		h.get(t, name)
		events = append(events, <-told)
	}
	var status *fill.StatusError
	host := strings.TrimPrefix(h.upstream.URL, "http://")
	switch {
	case events[0].Err != nil || events[0].Bytes != 5 || events[0].Host != host || events[0].Key != "/ok.cgi":
		t.Errorf("%+v", events[0])
	case !errors.As(events[1].Err, &status) || status.Code != 503:
		t.Errorf("%+v", events[1])
	case !errors.Is(events[2].Err, io.ErrUnexpectedEOF):
		t.Errorf("%+v", events[2])
	}
}

// A file that lists know is checked before it is served: when it comes, when it
// came before the list, and when the list has changed. A wrong one does not stay,
// and one that is right is read once.
func TestVerified(t *testing.T) {
	h := newHouse(t)
	other := bytes.Repeat([]byte("fedcba9876543210"), 10_000)
	h.serves(content(other, `"wrong"`))
	h.settled(t, "/f.tar").expect(t, 200, "MISS", other)
	var lists atomic.Pointer[fill.Sums]
	list := sumsOf(text)
	lists.Store(list)
	h.Cache.Sums = func(string) *fill.Sums { return lists.Load() }
	if a := h.settled(t, "/f.tar"); a.StatusCode != 502 || !strings.Contains(string(a.body), "wrong contents") {
		t.Errorf("upstream has the wrong file: %d %s", a.StatusCode, a.body)
	}
	h.serves(content(text, `"right"`))
	h.settled(t, "/f.tar").expect(t, 200, "MISS", text)
	h.settled(t, "/f.tar").expect(t, 200, "HIT", text)

	key := strings.TrimPrefix(h.upstream.URL, "http://")
	key = key[:strings.Index(key, ":")] + "/f.tar"
	o, err := h.Store.Get(key)
	if err != nil || o.Meta.Sum != list.Best() || o.Meta.Proof != "SHA256 (test)" {
		t.Fatalf("%+v, %v", o, err)
	}
	o.Close()
	// A file that was here before the list is not fetched again.
	o.Meta.Sum = ""
	if err := h.Store.Describe(key, o.Meta); err != nil {
		t.Fatal(err)
	}
	before := h.asked.Load()
	h.settled(t, "/f.tar", "Range", "bytes=0-3").expect(t, 206, "HIT", text[:4])
	if o, err = h.Store.Get(key); err != nil || o.Meta.Sum != list.Best() || h.asked.Load() != before {
		t.Errorf("%+v, %v, asked %d times more", o.Meta, err, h.asked.Load()-before)
	}
	o.Close()
	lists.Store(sumsOf(other))
	h.serves(content(other, `"new"`))
	h.settled(t, "/f.tar").expect(t, 200, "MISS", other)
}

func sumsOf(b []byte) *fill.Sums {
	sum := sha256.Sum256(b)
	return &fill.Sums{Size: int64(len(b)), Hex: map[string]string{"SHA256": hex.EncodeToString(sum[:])}, Origin: "test"}
}

func TestLoop(t *testing.T) {
	h := newHouse(t)
	h.serves(content(text, `"v1"`))
	if a := h.get(t, "/f.tar", "Via", "1.1 other, 1.1 test"); a.StatusCode != http.StatusLoopDetected {
		t.Errorf("%d", a.StatusCode)
	}
	if a := h.get(t, "/f.tar", "Via", strings.Repeat("1.1 other, ", 100)+"1.1 other"); a.StatusCode != http.StatusLoopDetected {
		t.Errorf("after a hundred others: %d", a.StatusCode)
	}
	for _, at := range []string{"gopher://host/x", "file:///etc/passwd", "http:///x"} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "http://host/x", nil)
		r.URL, _ = url.Parse(at)
		if h.ServeHTTP(w, r); w.Code != http.StatusBadRequest || h.asked.Load() != 0 {
			t.Errorf("%s: %d", at, w.Code)
		}
	}
}

// TestTunnel: CONNECT leads where the configuration allows it, and nowhere else.
func TestTunnel(t *testing.T) {
	far := httptest.NewTLSServer(content(text, `"v1"`))
	defer far.Close()
	for _, allowed := range []string{"", "other.example:443", far.Listener.Addr().String()} {
		h := newHouse(t)
		if allowed != "" {
			h.Tunnel = func(to string) bool { return to == allowed }
		}
		via := far.Client().Transport.(*http.Transport).Clone()
		via.Proxy, via.DisableKeepAlives = h.client.Transport.(*http.Transport).Proxy, true
		resp, err := (&http.Client{Transport: via}).Get(far.URL)
		if allowed != far.Listener.Addr().String() {
			if err == nil || !strings.Contains(err.Error(), "Forbidden") {
				t.Errorf("%q is allowed: %v", allowed, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		if resp.Body.Close(); err != nil || !bytes.Equal(got, text) {
			t.Errorf("%d bytes came, %v", len(got), err)
		}
	}
}

func TestReach(t *testing.T) {
	p := Reach{}
	for address, ok := range map[string]bool{
		"127.0.0.1:80": false, "[::1]:80": false, "10.1.2.3:80": false, "169.254.169.254:80": false, "0.0.0.0:80": false,
		"[::ffff:127.0.0.1]:80": false, "[fe80::1]:80": false, "100.64.0.1:80": false, "192.0.2.1:80": true, "192.0.2.1:22": false,
		"[2001:db8::1]:443": true, "name:80": false, "192.0.2.1": false,
	} {
		if err := p.check(address); (err == nil) != ok {
			t.Errorf("%s: %v", address, err)
		}
	}
}
