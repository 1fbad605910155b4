package fill

import (
	"bytes"
	"context"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/pkgcache/store"
)

func newGroup(t *testing.T) *Group {
	t.Helper()
	s, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	g := &Group{
		Store: s, Client: http.DefaultClient, Log: slog.New(slog.DiscardHandler), Context: ctx,
		Pause: time.Millisecond, Stall: 20 * time.Second,
	}
	t.Cleanup(func() {
		cancel()
		g.Wait()
		s.Close()
	})
	return g
}

func sums(b []byte) *Sums {
	s := sha512.Sum512(b)
	return &Sums{Size: int64(len(b)), Hex: map[string]string{"SHA512": hex.EncodeToString(s[:])}, Origin: "Manifest"}
}

// read reads a fill to its end.
func read(t *testing.T, f *Fill, from int64) ([]byte, error) {
	t.Helper()
	r, err := f.Reader(t.Context())
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if _, err := r.Seek(from, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	return io.ReadAll(r)
}

// stored returns what the store has under a key.
func stored(t *testing.T, g *Group, key string) ([]byte, store.Meta) {
	t.Helper()
	o, err := g.Store.Get(key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, store.Meta{}
	}
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	b, err := io.ReadAll(o)
	if err != nil {
		t.Fatal(err)
	}
	return b, o.Meta
}

// parts counts what unfinished fetches have left.
func parts(t *testing.T, g *Group) int {
	t.Helper()
	names, err := filepath.Glob(g.Store.Dir() + "/.cache/part/*/*")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

func TestFills(t *testing.T) {
	large, small := random(3<<20), random(10_000)
	for name, tt := range map[string]struct {
		body    []byte
		setUp   func(*upstream)
		request func(*Request)
		// whether readers get all of it, and whether the store does
		read, kept bool
		err        error
		requests   int32
		leaves     bool // a part to go on with
	}{
		"plain":         {body: large, read: true, kept: true, requests: 1},
		"small":         {body: small, read: true, kept: true, requests: 1},
		"empty":         {body: []byte{}, read: true, kept: true, requests: 1},
		"chunked":       {body: large, setUp: func(u *upstream) { u.chunked = true }, read: true, kept: true, requests: 1},
		"with sums":     {body: large, request: func(r *Request) { r.Sums = sums(large) }, read: true, kept: true, requests: 1},
		"without end":   {body: large, setUp: func(u *upstream) { u.noLength = true }, read: true, kept: false, requests: 1},
		"no end, sums":  {body: large, setUp: func(u *upstream) { u.noLength = true }, request: func(r *Request) { r.Sums = sums(large) }, read: true, kept: true, requests: 1},
		"encoded":       {body: small, setUp: func(u *upstream) { u.encoding = "gzip" }, read: true, kept: false, requests: 1},
		"cut":           {body: large, setUp: func(u *upstream) { u.cutAfter.Store(1 << 20); u.cuts.Store(2) }, read: true, kept: true, requests: 3},
		"cut, chunked":  {body: large, setUp: func(u *upstream) { u.chunked = true; u.etag = ""; u.cutAfter.Store(1 << 20); u.cuts.Store(9) }, err: io.ErrUnexpectedEOF, requests: 1},
		"cut, volatile": {body: large, setUp: func(u *upstream) { u.cutAfter.Store(1 << 20); u.cuts.Store(1) }, request: func(r *Request) { r.Volatile = true }, err: io.ErrUnexpectedEOF, requests: 1},
		"cut, no ranges": {body: large, setUp: func(u *upstream) { u.noRanges = true; u.cutAfter.Store(1 << 20); u.cuts.Store(1) },
			read: true, kept: true, requests: 2},
		"cut, then changed": {body: large, setUp: func(u *upstream) { u.changeTo = random(2 << 20); u.cutAfter.Store(1 << 20); u.cuts.Store(1) },
			err: ErrChanged, requests: 2},
		"announces more": {body: large, setUp: func(u *upstream) { u.wrongSize = 5 },
			err: ErrChanged, requests: 2},
		"wrong, small": {body: small, request: func(r *Request) { r.Sums = sums(large); r.Sums.Size = -1 }, err: ErrMismatch, requests: 1},
		"wrong, large": {body: large, request: func(r *Request) { r.Sums = sums(small); r.Sums.Size = -1 }, err: ErrMismatch, requests: 1},
		"wrong size":   {body: large, request: func(r *Request) { r.Sums = sums(small) }, err: ErrMismatch, requests: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, u := newGroup(t), newUpstream(t, tt.body)
			if tt.setUp != nil {
				tt.setUp(u)
			}
			req := Request{Key: "host/file", URLs: []*url.URL{u.url(t, "file")}}
			if tt.request != nil {
				tt.request(&req)
			}
			f, joined := g.Get(req)
			defer f.Release()
			if joined {
				t.Error("there was nothing to join")
			}
			got, err := read(t, f, 0)
			if !errors.Is(err, tt.err) || (err == nil) != tt.read {
				t.Errorf("reading ends with %v, want %v", err, tt.err)
			}
			if tt.read && !bytes.Equal(got, tt.body) {
				t.Errorf("read %d bytes, which are not the %d of the file", len(got), len(tt.body))
			}
			if !bytes.HasPrefix(tt.body, got) {
				t.Error("what was read is not even a beginning of the file")
			}
			if req.Sums != nil && !tt.read && len(got) == len(tt.body) {
				t.Error("a broken file was read to its last byte")
			}
			g.Wait()
			b, meta := stored(t, g, "host/file")
			if tt.kept != (b != nil) || tt.kept && !bytes.Equal(b, tt.body) {
				t.Errorf("the store has %d bytes (%v), kept should be %v", len(b), b != nil, tt.kept)
			}
			if tt.kept && (meta.ETag != u.etag || meta.Fetched.IsZero() || (req.Sums != nil) != (meta.Proof != "")) {
				t.Errorf("described as %+v", meta)
			}
			if n := u.requests.Load(); n != tt.requests {
				t.Errorf("%d requests, want %d", n, tt.requests)
			}
			if n := parts(t, g); (n > 0) != tt.leaves {
				t.Errorf("%d parts are left, should any: %v", n, tt.leaves)
			}
		})
	}
}

// Many readers join one fetch at different places; the first leaves.
func TestJoin(t *testing.T) {
	g, u := newGroup(t), newUpstream(t, random(2<<20))
	u.gate = make(chan struct{})
	req := Request{Key: "file", URLs: []*url.URL{u.url(t, "file")}}
	f, _ := g.Get(req)
	defer f.Release()
	first, err := f.Reader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(first, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	first.Close()
	var all, joins sync.WaitGroup
	joins.Add(20)
	for i := range 20 {
		all.Go(func() {
			f, joined := g.Get(req)
			defer f.Release()
			if joins.Done(); !joined {
				t.Error("a second fetch began")
			}
			from := int64(i) * 100_000
			got, err := read(t, f, from)
			if err != nil || !bytes.Equal(got, u.body[from:]) {
				t.Errorf("from %d: %d bytes, %v", from, len(got), err)
			}
		})
	}
	joins.Wait()
	close(u.gate)
	all.Wait()
	if n := u.requests.Load(); n != 1 {
		t.Errorf("%d requests", n)
	}
}

// A reader that gives up does not wait for the rest.
func TestReaderLeaves(t *testing.T) {
	g, u := newGroup(t), newUpstream(t, random(1<<20))
	u.gate = make(chan struct{})
	defer close(u.gate)
	f, _ := g.Get(Request{Key: "file", URLs: []*url.URL{u.url(t, "file")}})
	defer f.Release()
	ctx, cancel := context.WithCancel(t.Context())
	r, err := f.Reader(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := io.ReadAll(r); !errors.Is(err, context.Canceled) {
		t.Errorf("reading ends with %v", err)
	}
}

// The next mirror steps in: before anything was shown, without anybody noticing.
func TestMirrors(t *testing.T) {
	right, wrong := random(500_000), random(500_001)
	for name, first := range map[string]func(*upstream){
		"missing":  func(u *upstream) { u.status = 404 },
		"broken":   func(u *upstream) { u.cutAfter.Store(10); u.cuts.Store(1e6) },
		"wrong":    func(u *upstream) { u.body = wrong; u.chunked = true },
		"in error": func(u *upstream) { u.status = 503 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, bad, good := newGroup(t), newUpstream(t, right), newUpstream(t, right)
			bad.etag, bad.modified = "", time.Time{}
			first(bad)
			f, _ := g.Get(Request{Key: "file", URLs: []*url.URL{bad.url(t, "x"), good.url(t, "y")}, Sums: sums(right)})
			defer f.Release()
			got, err := read(t, f, 0)
			if name == "wrong" && errors.Is(err, ErrMismatch) {
				// It was too long to be held back as a whole; whoever comes next is served.
				g.Wait()
			} else if err != nil || !bytes.Equal(got, right) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			g.Wait()
			if b, meta := stored(t, g, "file"); !bytes.Equal(b, right) || meta.URL != good.URL+"/y" {
				t.Errorf("the store has %d bytes from %s", len(b), meta.URL)
			}
		})
	}
}

// What a fetch has left is gone on with by the next one, in another life.
func TestResumeLater(t *testing.T) {
	g, u := newGroup(t), newUpstream(t, random(2<<20))
	u.cutAfter.Store(1 << 20)
	u.cuts.Store(1e6)
	g.Tries = 1
	req := Request{Key: "file", URLs: []*url.URL{u.url(t, "file")}, Sums: sums(u.body)}
	u.wrongSize = 0
	ctx, cancel := context.WithCancel(t.Context())
	life := &Group{Store: g.Store, Client: g.Client, Log: g.Log, Context: ctx, Pause: time.Hour}
	f, _ := life.Get(req)
	defer f.Release()
	until(t, func() bool { have, _, _ := f.Progress(); return have > 900_000 })
	cancel()
	life.Wait()
	if _, err := read(t, f, 0); err == nil {
		t.Error("an unfinished file was read to the end")
	}
	u.cutAfter.Store(0)
	f, _ = g.Get(req)
	defer f.Release()
	got, err := read(t, f, 0)
	if err != nil || !bytes.Equal(got, u.body) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if u.ranges.Load() != 1 {
		t.Errorf("%d requests for a part", u.ranges.Load())
	}
}

func until(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain")
		}
	}
}

func TestNotModified(t *testing.T) {
	g, u := newGroup(t), newUpstream(t, random(1000))
	f, _ := g.Get(Request{Key: "file", URLs: []*url.URL{u.url(t, "file")}, Volatile: true, Known: &store.Meta{ETag: u.etag}})
	defer f.Release()
	h, err := f.Head(t.Context())
	if err != nil || h.Status != http.StatusNotModified {
		t.Errorf("%+v, %v", h, err)
	}
	if _, err := f.Reader(t.Context()); !errors.Is(err, ErrNoBody) {
		t.Errorf("a body: %v", err)
	}
}

func TestStall(t *testing.T) {
	g, u := newGroup(t), newUpstream(t, random(1<<20))
	u.gate = make(chan struct{})
	defer close(u.gate)
	g.Stall, g.Tries = 50*time.Millisecond, 1
	f, _ := g.Get(Request{Key: "file", URLs: []*url.URL{u.url(t, "file")}, Volatile: true})
	defer f.Release()
	if _, err := read(t, f, 0); !errors.Is(err, ErrStalled) {
		t.Errorf("reading ends with %v", err)
	}
}

// A mirror that says nothing is not asked again while there is another.
func TestSilentMirror(t *testing.T) {
	var asked atomic.Int32
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		<-r.Context().Done()
	}))
	t.Cleanup(silent.Close)
	at, err := url.Parse(silent.URL + "/file")
	if err != nil {
		t.Fatal(err)
	}
	g, good := newGroup(t), newUpstream(t, random(1000))
	g.Stall = 50 * time.Millisecond
	slow := &patient{g, 20 * time.Second}
	g.Client = slow
	f, _ := g.Get(Request{Key: "file", URLs: []*url.URL{at, good.url(t, "file")}})
	defer f.Release()
	if got, err := read(t, f, 0); err != nil || !bytes.Equal(got, good.body) || asked.Load() != 1 {
		t.Errorf("%d bytes, %v, after asking the silent one %d times", len(got), err, asked.Load())
	}
}

// patient gives upstream more time after the first request.
type patient struct {
	g    *Group
	then time.Duration
}

func (p *patient) Do(r *http.Request) (*http.Response, error) {
	defer func() { p.g.Stall = p.then }()
	return http.DefaultClient.Do(r)
}

func TestNoRoom(t *testing.T) {
	g, u := newGroup(t), newUpstream(t, random(1000))
	g.Room = func(string, int64) error { return errors.New("the quota is 100 bytes") }
	f, _ := g.Get(Request{Key: "file", URLs: []*url.URL{u.url(t, "file")}})
	defer f.Release()
	if _, err := f.Head(t.Context()); !errors.Is(err, ErrNoRoom) {
		t.Errorf("the head: %v", err)
	}
	if left, err := os.ReadDir(g.Store.Dir()); err != nil || len(left) != 1 {
		t.Errorf("the folder has %v, %v", left, err)
	}
}

func TestContentRange(t *testing.T) {
	for s, want := range map[string][2]int64{
		"bytes 5-9/10": {5, 10}, "bytes 0-0/*": {0, -1}, "5-9/10": {}, "bytes 9-5/10": {}, "bytes 5-10/10": {}, "bytes -5-9/10": {},
		"": {}, "bytes */10": {}, "bytes 0-0/x": {}, "bytes 0-0/": {}, "bytes x-1/2": {}, "bytes 0-x/2": {}, "bytes 5-99999999999999999999/*": {},
	} {
		first, total, ok := parseContentRange(s)
		if ok != (want != [2]int64{}) || ok && (first != want[0] || total != want[1]) {
			t.Errorf("%q: %d, %d, %v", s, first, total, ok)
		}
	}
}

// TestSameFile: what comes as the rest of a file is taken for that only where
// nothing that the server says is against it.
func TestSameFile(t *testing.T) {
	e := &fetch{have: 10, meta: store.Meta{Length: 100, ETag: `"one"`, LastModified: "Sun, 09 Sep 2001 01:46:40 GMT"}}
	for _, tt := range []struct {
		span, etag, modified string
		want                 bool
	}{
		{"bytes 10-99/100", e.meta.ETag, e.meta.LastModified, true},
		{"bytes 10-99/100", "", "", true},
		{"bytes 10-99/*", "", "", true},
		{"", "", "", false},
		{"bytes 9-99/100", "", "", false},
		{"bytes 11-99/100", "", "", false},
		{"bytes 10-100/101", "", "", false},
		{"bytes 10-99/100", `"two"`, "", false},
		{"bytes 10-99/100", "", "Sun, 09 Sep 2001 01:46:41 GMT", false},
	} {
		resp := &http.Response{Header: http.Header{"Content-Range": {tt.span}, "Etag": {tt.etag}, "Last-Modified": {tt.modified}}}
		if got := e.sameFile(resp); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}

func FuzzContentRange(f *testing.F) {
	f.Add("bytes 5-9/10")
	f.Add("bytes 0-0/*")
	f.Fuzz(func(t *testing.T, s string) {
		first, total, ok := parseContentRange(s)
		if ok && (first < 0 || total < -1 || total >= 0 && first >= total) {
			t.Errorf("%q: %d of %d", s, first, total)
		}
	})
}
