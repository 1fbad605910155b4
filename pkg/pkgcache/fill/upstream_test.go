package fill

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

// upstream is a server that misbehaves as told.
type upstream struct {
	*httptest.Server
	body     []byte
	modified time.Time
	etag     string

	requests  atomic.Int32
	ranges    atomic.Int32 // requests for a part
	cutAfter  atomic.Int64 // bytes of a body before the connection breaks, 0: never
	cuts      atomic.Int32 // how often it may still break
	noRanges  bool
	chunked   bool
	noLength  bool // and not chunked either
	encoding  string
	status    int
	wrongSize int64
	gate      chan struct{} // if set, each body waits here after half of it
	changeTo  []byte        // what a request for a part finds
}

func newUpstream(t *testing.T, body []byte) *upstream {
	t.Helper()
	u := &upstream{body: body, modified: time.Unix(1_000_000_000, 0), etag: `"one"`}
	u.Server = httptest.NewServer(u)
	t.Cleanup(func() {
		u.CloseClientConnections()
		u.Close()
	})
	return u
}

func (u *upstream) url(t *testing.T, name string) *url.URL {
	t.Helper()
	at, err := url.Parse(u.URL + "/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u.requests.Add(1)
	if u.status != 0 {
		w.WriteHeader(u.status)
		return
	}
	h := w.Header()
	if u.etag != "" {
		h.Set("ETag", u.etag)
	}
	if !u.modified.IsZero() {
		h.Set("Last-Modified", u.modified.UTC().Format(http.TimeFormat))
	}
	if r.Header.Get("If-None-Match") == u.etag && u.etag != "" {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body, from := u.body, 0
	if s := r.Header.Get("Range"); s != "" {
		u.ranges.Add(1)
		if u.changeTo != nil {
			body = u.changeTo
			h.Set("ETag", `"two"`)
		} else if !u.noRanges {
			_, _ = fmt.Sscanf(s, "bytes=%d-", &from)
			h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(body)-1, len(body)))
		}
	}
	if u.encoding != "" {
		h.Set("Content-Encoding", u.encoding)
	}
	h.Set("Content-Type", "application/x-test")
	switch {
	case u.noLength:
		h.Set("Connection", "close")
		h.Set("Transfer-Encoding", "identity")
	case !u.chunked:
		h.Set("Content-Length", strconv.Itoa(len(body)-from+int(u.wrongSize)))
	}
	if h.Get("Content-Range") != "" {
		w.WriteHeader(http.StatusPartialContent)
	}
	u.send(w, body[from:])
}

func (u *upstream) send(w http.ResponseWriter, body []byte) {
	flush := func() { _ = http.NewResponseController(w).Flush() }
	if n := u.cutAfter.Load(); n > 0 && int(n) < len(body) && u.cuts.Add(-1) >= 0 {
		_, _ = w.Write(body[:n])
		flush()
		panic(http.ErrAbortHandler)
	}
	if u.gate != nil {
		_, _ = w.Write(body[:len(body)/2])
		flush()
		<-u.gate
		body = body[len(body)/2:]
	}
	if u.chunked {
		flush()
	}
	_, _ = w.Write(body)
}

func random(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(n)})
	_, _ = r.Read(b)
	return b
}
