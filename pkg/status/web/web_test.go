package web

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/empegsync/empegsync/pkg/status"
)

func page() *Page {
	return &Page{
		Names: []string{"ws1"},
		HTML:  func() []byte { return []byte("<p>page") }, Metrics: func() []byte { return []byte("x 1\n") },
	}
}

// TestPage: only names that are known are answered, and nothing can be changed.
func TestPage(t *testing.T) {
	for _, c := range []struct {
		method, host, path string
		code               int
		body               string
	}{
		{"GET", "127.0.0.1:8081", "/", 200, "<p>page"},
		{"GET", "ws1:8081", "/metrics", 200, "x 1\n"},
		{"HEAD", "[::1]", "/", 200, "<p>page"}, // the server drops it
		{"GET", "localhost", "/health", 200, "ok\n"},
		{"GET", "evil.example", "/", 421, "not shown under that name"},
		{"GET", "evil.example:80", "/metrics", 421, "not shown under that name"},
		{"GET", "", "/health", 421, ""},
		{"POST", "ws1", "/", 405, "nothing to change"},
		{"DELETE", "ws1", "/metrics", 405, "nothing to change"},
		{"GET", "ws1", "/x", 404, ""},
		{"GET", "ws1", "/../etc/passwd", 404, ""},
	} {
		r := httptest.NewRequest(c.method, "http://h"+c.path, nil)
		r.Host = c.host
		w := httptest.NewRecorder()
		page().ServeHTTP(w, r)
		if w.Code != c.code || !strings.Contains(w.Body.String(), c.body) {
			t.Errorf("%v: %d %s", c, w.Code, w.Body)
		}
		if h := w.Header(); w.Code == 200 && c.path == "/" && (h.Get("Content-Security-Policy") != status.Policy || h.Get("Cache-Control") != "no-store") {
			t.Errorf("%v: %v", c, h)
		}
	}
}

// TestServe: more clients than there are places for wait, and all go when it ends.
func TestServe(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		Serve(ctx, ln, page())
	}()
	var idle []net.Conn
	for range maxClients {
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		idle = append(idle, c)
	}
	answer := make(chan string, 1)
	go func() {
		resp, err := http.Get("http://" + ln.Addr().String() + "/health")
		if err != nil {
			answer <- err.Error()
			return
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		answer <- string(text)
	}()
	idle[0].Close()
	if got := <-answer; got != "ok\n" {
		t.Errorf("got %q", got)
	}
	stop()
	<-done
	if _, err := idle[1].Read(make([]byte, 1)); err == nil {
		t.Error("a client is still there")
	}
}
