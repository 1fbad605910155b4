package report

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/pkgcache/fill"
	"github.com/empegsync/empegsync/pkg/pkgcache/store"
)

func TestBook(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	b := &Book{Now: func() time.Time { return at }}
	b.Answered("MISS", 100)
	b.Answered("", 1000)
	b.Answered("PEER", 1000)
	at = at.Add(7 * time.Minute)
	b.Answered("HIT", 300)
	s := b.summary()
	if n := len(s.all); n != steps || s.all[n-1] != 300 || s.kept[n-1] != 300 || s.all[n-2] != 100 || s.kept[n-2] != 0 {
		t.Errorf("the last steps: %v of %v", s.kept[n-2:], s.all[n-2:])
	}
	if r, any := s.rate(); r != 0.75 || !any {
		t.Errorf("rate %v %v", r, any)
	}
	if want := at.Truncate(step).Add(step - 24*time.Hour); !s.start.Equal(want) {
		t.Errorf("begins %v, want %v", s.start, want)
	}
	at = at.Add(23*time.Hour + 54*time.Minute) // the first step has gone, the second has not
	if s = b.summary(); s.all[0] != 300 || s.all[1] != 0 {
		t.Errorf("after a day: %v", s.all[:3])
	}
	at = at.Add(-48 * time.Hour) // a clock that is set back spoils nothing
	b.Answered("HIT", 1)
	at = at.Add(1000 * time.Hour)
	if s = b.summary(); s.all[0] != 0 || s.all[steps-1] != 0 {
		t.Errorf("after long: %v", s.all)
	}
}

// Clients choose upstream names: there may not be any number of them.
func TestBookBounded(t *testing.T) {
	b := &Book{}
	for i := range 3 * hosts {
		b.Fetched(fill.Event{Host: fmt.Sprint("h", i), Bytes: 1, Err: errors.New("x")})
	}
	b.Fetched(fill.Event{Host: "h1", Err: &fill.StatusError{Code: 304}})
	s := b.summary()
	var bytes int64
	for _, u := range s.hosts {
		bytes += u.Bytes
		if u.Name == "h1" && (u.Errors != 1 || u.Fetches != 2) {
			t.Errorf("%+v", u)
		}
	}
	if len(s.hosts) > hosts+1 || bytes != 3*hosts {
		t.Errorf("%d hosts, %d bytes", len(s.hosts), bytes)
	}
}

func TestAccessLog(t *testing.T) {
	b := &Book{Now: func() time.Time { return time.Date(2026, 11, 22, 13, 55, 36, 0, time.FixedZone("", 3600)) }}
	var log bytes.Buffer
	h := b.Watch(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Cache", "HIT")
		switch r.URL.Path {
		case "/gone":
			w.WriteHeader(404)
		case "/cut":
			_, _ = w.Write([]byte("abc"))
			panic(http.ErrAbortHandler)
		default:
			_, _ = io.Copy(w, io.LimitReader(strings.NewReader("abcdef"), 5))
		}
	}), &log)
	for _, target := range []string{"http://h/f?x=%22", "http://h/gone", "http://u:secret@h/cut"} {
		r := httptest.NewRequest(http.MethodGet, target, nil)
		r.RemoteAddr = "10.13.18.2:999"
		if strings.Contains(target, "?") {
			r.RequestURI = "http://h/\"\n\x1b"
		}
		func() {
			defer func() { _ = recover() }()
			h.ServeHTTP(httptest.NewRecorder(), r)
		}()
	}
	want := `10.13.18.2 - - [22/Nov/2026:13:55:36 +0100] "GET http://h/\x22\x0a\x1b HTTP/1.1" 200 5
10.13.18.2 - - [22/Nov/2026:13:55:36 +0100] "GET http://h/gone HTTP/1.1" 404 -
10.13.18.2 - - [22/Nov/2026:13:55:36 +0100] "GET http://u:xxxxx@h/cut HTTP/1.1" 200 3
`
	if log.String() != want {
		t.Errorf("got\n%s", &log)
	}
}

func TestPage(t *testing.T) {
	s, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i, name := range []string{"small", "big", "distfiles/<b>"} {
		p, err := s.Begin(name, store.Meta{Length: -1})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = p.Write(make([]byte, 1000*(1+i%2)))
		if err := p.Commit(store.Meta{Proof: "SHA512 (Manifest)", Fetched: time.Now()}, time.Time{}); err != nil {
			t.Fatal(err)
		}
		p.File().Close()
	}
	gate := make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write(make([]byte, 400))
		_ = http.NewResponseController(w).Flush()
		<-gate
	}))
	defer upstream.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	fills := &fill.Group{Store: s, Client: http.DefaultClient, Log: slog.New(slog.DiscardHandler), Context: ctx}
	at, _ := url.Parse(upstream.URL + "/arrives")
	f, _ := fills.Get(fill.Request{Key: "arrives", URLs: []*url.URL{at}})
	defer f.Release()
	r, err := f.Reader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.ReadFull(r, make([]byte, 400)); err != nil {
		t.Fatal(err)
	}
	b := &Book{}
	b.Answered("HIT", 75)
	b.Answered("MISS", 25)
	b.Fetched(fill.Event{Host: "bad.example", Key: "<k>", Err: errors.New("upstream answers 503")})
	p := &Page{Book: b, Fills: fills, Store: s, Title: "ws1:8080", Names: []string{"ws1"}}
	get := func(method, host, path string) (int, string) {
		r := httptest.NewRequest(method, "http://"+host+path, nil)
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	code, page := get("GET", "ws1:8081", "/")
	for _, want := range []string{
		"75.0 %", "<svg", "arrives", "<progress value=400 max=1000>", "bad.example", "upstream answers 503", "&lt;k&gt;", "distfiles/&lt;b&gt;", "SHA512 (Manifest)", "3.9 KiB",
	} {
		if code != 200 || !strings.Contains(page, want) {
			t.Errorf("%d, no %q in\n%s", code, want, page)
		}
	}
	if strings.Contains(page, "<script") || strings.Contains(page, "<b>") {
		t.Errorf("unescaped:\n%s", page)
	}
	code, text := get("GET", "127.0.0.1:8081", "/metrics")
	for _, want := range []string{
		"empegsync_cache_answers_total{state=\"HIT\"} 1\n", "empegsync_cache_sent_bytes_total{state=\"MISS\"} 25\n", "empegsync_cache_files 3\n",
		"empegsync_cache_fetch_errors_total{upstream=\"bad.example\"} 1\n", "empegsync_cache_arriving 1\n", "empegsync_cache_size_bytes 4000\n",
	} {
		if code != 200 || !strings.Contains(text, want) {
			t.Errorf("%d, no %q in\n%s", code, want, text)
		}
	}
	for _, c := range []struct {
		method, host, path string
		code               int
	}{
		{"GET", "evil.example", "/", 421}, {"GET", "evil.example", "/metrics", 421}, {"POST", "ws1", "/", 405}, {"GET", "localhost", "/health", 200}, {"GET", "ws1", "/x", 404},
	} {
		if code, _ := get(c.method, c.host, c.path); code != c.code {
			t.Errorf("%v: %d", c, code)
		}
	}
	close(gate)
	cancel()
	fills.Wait()
}
