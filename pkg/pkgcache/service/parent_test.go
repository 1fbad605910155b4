package service

import (
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/empegsync/empegsync/pkg/pkgcache/settings"
)

// With a parent proxy everything comes through it, ftp:// as well as http://,
// also at a private address; it is told the whole URL, and who asks. What it says
// of itself is not told to clients.
func TestParent(t *testing.T) {
	t.Parallel()
	type request struct{ line, host, who string }
	seen := make(chan request, 1)
	tells := func(text string) func(net.Conn, *http.Request) {
		return func(c net.Conn, r *http.Request) {
			seen <- request{r.Method + " " + r.RequestURI, r.Host, r.Header.Get("Proxy-Authorization")}
			says(text)(c, r)
		}
	}
	parent := newRaw(t, "127.0.0.2", tells(whole))
	f := newFront(t, func(s *settings.Settings) {
		s.Parent = &url.URL{Scheme: "http", Host: parent.host, User: url.UserPassword("me", "word")}
	})
	f.fills.Tries = 1
	for at, name := range map[string]string{
		"ftp://ftp.example/pub/distfiles/f%20one.tar": "distfiles/f one.tar", "ftp://ftp.example:2121/distfiles/f.tgz": "distfiles/f.tgz",
		"http://www.example/distfiles/f.tar": "distfiles/f.tar",
	} {
		a := f.get(t, at)
		u, err := url.Parse(at)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := <-seen, (request{"GET " + at, u.Host, "Basic bWU6d29yZA=="}); got != want {
			t.Errorf("the parent is asked %+v, want %+v", got, want)
		}
		if a.code != 200 || a.err != nil || a.body != "tarball" || !strings.Contains(f.kept(t), name) {
			t.Errorf("%s: %+v, kept %s", at, a, f.kept(t))
		}
	}
	parent.becomes(tells("HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"))
	a := f.get(t, "ftp://ftp.example/distfiles/other.tar")
	if <-seen; a.code != 502 || a.header.Get("Proxy-Authenticate") != "" || strings.Contains(a.body, "word") {
		t.Errorf("%+v", a)
	}
}
