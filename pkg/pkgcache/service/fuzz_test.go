package service

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/pkgcache"
	"github.com/empegsync/empegsync/pkg/pkgcache/settings"
	"github.com/empegsync/empegsync/pkg/pkgcache/store"
)

// said is a connection on which the other end has said all it will.
type said struct {
	io.Reader
	net.Conn // nil: no other method is called
}

func (s said) Read(p []byte) (int, error)  { return s.Reader.Read(p) }
func (said) Write(p []byte) (int, error)   { return len(p), nil }
func (said) Close() error                  { return nil }
func (said) SetDeadline(_ time.Time) error { return nil }

// handled has the cache answer a request. broken is whether its body breaks off.
func handled(h http.Handler, r *http.Request) (w *httptest.ResponseRecorder, broken bool) {
	w = httptest.NewRecorder()
	defer func() {
		if v := recover(); v != nil {
			if v != http.ErrAbortHandler {
				panic(v)
			}
			broken = true
		}
	}()
	h.ServeHTTP(w, r)
	return w, false
}

// Whatever bytes come in place of an answer: what a client takes for whole is what
// net/http takes for whole, and the cache has either that under its name or
// nothing. An unfinished file of before is gone on with, or not, but never spliced
// with what is not its end.
func FuzzAnswer(f *testing.F) {
	const head = "HTTP/1.1 200 OK\r\n"
	for _, answer := range []string{
		whole, head + "\r\ntarball", "HTTP/2.0 200\r\n\r\ntarball", head + "Content-Length: 8\r\n\r\ntarball", head + "Transfer-Encoding: chunked\r\n\r\n7\r\ntarball\r\n0\r\n\r\n",
		head + "ETag: \"v1\"\r\nContent-Encoding: gzip\r\nContent-Length: 7\r\n\r\ntarball", head + "Cache-Control: no-store, max-age=x\r\nVary: *\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 206 Part\r\nContent-Range: bytes 3-6/7\r\nETag: \"v1\"\r\nContent-Length: 4\r\n\r\nball", "HTTP/1.1 416 No\r\nContent-Range: bytes */7\r\n\r\n",
		"HTTP/1.1 302 Found\r\nLocation: /login?x=%0d%0a\r\nContent-Type: text/html; a=\"b\r\n\r\n", "HTTP/1.1 304 Same\r\n\r\n", "HTTP/1.0 404 \r\n\r\n",
		head + "Last-Modified: Thu, 10 Dec 2009 12:00:00 GMT\r\nExpires: 0\r\nDate: x\r\nContent-Length: 7\r\n\r\ntarball",
	} {
		f.Add([]byte(answer), false, false)
		f.Add([]byte(answer), true, true)
	}
	front := newFront(f, nil)
	front.fills.Tries = 1
	var now []byte
	way := front.fills.Client.(*http.Client).Transport.(*http.Transport)
	way.DisableKeepAlives = true
	way.DialContext = func(context.Context, string, string) (net.Conn, error) {
		return said{Reader: bytes.NewReader(now)}, nil
	}
	const key = "distfiles/f.tar"
	f.Fuzz(func(t *testing.T, text []byte, volatile, part bool) {
		now = text
		front.cache.Rules = one{key, volatile}
		if part {
			p, err := front.cache.Store.Begin(key, store.Meta{ETag: `"v1"`, Length: 7})
			if err != nil {
				t.Fatal(err)
			}
			_, _ = p.Write([]byte("tar"))
			if err := errors.Join(p.Keep(), p.File().Close()); err != nil {
				t.Fatal(err)
			}
		}
		w, broken := handled(front.cache, httptest.NewRequest(http.MethodGet, "http://h.example/distfiles/f.tar", nil))
		front.fills.Wait()
		defer clear(t, front.cache.Store, key)
		for name, lines := range w.Header() {
			if strings.ContainsAny(strings.Join(append(lines, name), ""), "\r\n\x00") {
				t.Errorf("the client is sent the field %q: %q", name, lines)
			}
		}
		if (w.Code != http.StatusOK && w.Code < 400) || w.Code > 599 {
			t.Errorf("the client is told %d", w.Code)
		}
		end, sound, framed := body(text)
		if !part && w.Code == http.StatusOK && broken == sound {
			t.Errorf("the client's body is broken: %v, upstream's is sound: %v", broken, sound)
		}
		o, err := front.cache.Store.Get(key)
		if errors.Is(err, fs.ErrNotExist) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		defer o.Close()
		kept, err := io.ReadAll(o)
		if err != nil || broken || w.Code != http.StatusOK || !bytes.Equal(kept, w.Body.Bytes()) || !sound || !bytes.HasSuffix(kept, end) {
			t.Errorf("it keeps %q, %v, after %d with %q, broken %v; upstream sent %q, sound %v", kept, err, w.Code, w.Body, broken, end, sound)
		}
		if !framed {
			t.Errorf("%q is kept, and nothing told where it ended", kept)
		}
		if len(kept) != len(end) && string(kept) != "tar"+string(end) {
			t.Errorf("%q came of %q", kept, end)
		}
	})
}

// body is what net/http makes of an answer, past what is only informational;
// framed is whether its end is told.
func body(text []byte) (_ []byte, sound, framed bool) {
	from := bufio.NewReader(bytes.NewReader(text))
	for {
		resp, err := http.ReadResponse(from, &http.Request{Method: http.MethodGet})
		if err != nil {
			return nil, false, false
		}
		if resp.StatusCode/100 != 1 {
			b, err := io.ReadAll(resp.Body)
			return b, err == nil, resp.ContentLength >= 0 || len(resp.TransferEncoding) > 0
		}
	}
}

// one has a single file.
type one struct {
	key      string
	volatile bool
}

func (o one) Decide(u *url.URL, _ http.Header) pkgcache.Decision {
	d := pkgcache.Decision{Class: pkgcache.Immutable, Key: o.key, URLs: []*url.URL{u}}
	if o.volatile {
		d.Class = pkgcache.Volatile
	}
	return d
}

// clear has the next input find nothing.
func clear(t *testing.T, s *store.Store, key string) {
	if err := s.Remove(key); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if p, err := s.Resume(key); err == nil {
		p.Drop()
		p.File().Close()
	}
}

// Whatever bytes a client sends for a request, there is an answer of HTTP, and
// one line in the log of what was asked.
func FuzzRequest(f *testing.F) {
	for _, text := range []string{
		"GET http://h.example/distfiles/f.tar HTTP/1.1\r\nHost: h.example\r\nRange: bytes=1-2,-3\r\nIf-Range: W/\"x\"\r\n\r\n",
		"GET /distfiles/f.tar HTTP/1.0\r\nIf-Modified-Since: Thu, 10 Dec 2009 12:00:00 GMT\r\n\r\n", "GET /../../etc/passwd HTTP/1.0\r\n\r\n",
		"CONNECT h.example:443 HTTP/1.1\r\nHost: x\r\n\r\n", "POST http://h.example/x HTTP/1.1\r\nHost: h.example\r\nContent-Length: 3\r\n\r\nabc",
		"HEAD http://u:p@h.example/a%0d%0ab?c=d HTTP/1.1\r\nHost: h.example\r\nVia: 1.1 test\r\nX-Unique-Cache-Name: ../x\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
	} {
		f.Add([]byte(text))
	}
	front := newFront(f, func(s *settings.Settings) { s.Mode = pkgcache.Offline })
	if err := os.MkdirAll(front.dir+"/distfiles", 0o755); err != nil {
		f.Fatal(err)
	}
	if err := os.WriteFile(front.dir+"/distfiles/f.tar", []byte("tarball"), 0o644); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(text)))
		if err != nil {
			return
		}
		r.RemoteAddr = "192.0.2.1:1234"
		var lines bytes.Buffer
		w, _ := handled(front.book.Watch(front.cache, &lines), r)
		if w.Code < 200 || w.Code > 599 {
			t.Errorf("%d", w.Code)
		}
		if w.Code == http.StatusOK && r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/f.tar") && w.Body.String() != "tarball" {
			t.Errorf("200 with %q", w.Body)
		}
		if s := lines.String(); strings.Count(s, "\n") != 1 || !strings.HasPrefix(s, "192.0.2.1 - - [") || strings.ContainsAny(s, "\r\x00\x1b") {
			t.Errorf("the log has %q", s)
		}
	})
}
