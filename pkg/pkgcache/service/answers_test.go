package service

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/pkgcache/settings"
)

// endless writes text over and over until the other end has had enough, with a
// pause between. It gives up by itself after far more than anybody should take.
func endless(first, text string, pause time.Duration, taken *int64) func(net.Conn, *http.Request) {
	return func(c net.Conn, _ *http.Request) {
		_, err := io.WriteString(c, first)
		for *taken < 64<<20 && err == nil {
			var n int
			n, err = io.WriteString(c, text)
			*taken += int64(n)
			time.Sleep(pause)
		}
	}
}

// An answer whose header does not end is given up: after a bound of bytes if it
// comes fast, after a bound of time if it comes slowly, also byte by byte.
func TestEndlessHeader(t *testing.T) {
	t.Parallel()
	const status = "HTTP/1.1 200 OK\r\n"
	long := strings.Repeat("x", 4096)
	for name, tt := range map[string]struct {
		first, text string
		slow        bool
	}{
		"one line":             {first: status + "X-Line: ", text: long},
		"many lines":           {first: status, text: "X-Line: " + long + "\r\n"},
		"many short lines":     {first: status, text: strings.Repeat("A:b\r\n", 1000)},
		"a folded line":        {first: status + "X-Line: a\r\n", text: " " + long + "\r\n"},
		"a status line":        {first: "HTTP/1.1 200 ", text: long},
		"informational":        {text: "HTTP/1.1 103 Early Hints\r\nLink: " + long + "\r\n\r\n"},
		"slow, one line":       {first: status + "X-Line: ", text: "x", slow: true},
		"slow, many lines":     {first: status, text: "A:b\r\n", slow: true},
		"slow, a status line":  {text: "H", slow: true},
		"slow, informational":  {text: "HTTP/1.1 100 Continue\r\n\r\n", slow: true},
		"silence":              {slow: true},
		"slow, after a length": {first: status + "Content-Length: 7\r\nX-Line: ", text: "x", slow: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var pause time.Duration
			var change func(*settings.Settings)
			if tt.slow {
				pause = 20 * time.Millisecond
				change = func(s *settings.Settings) { s.Stall = 200 * time.Millisecond }
			}
			var taken int64
			over := make(chan struct{}, 100)
			send := endless(tt.first, tt.text, pause, &taken)
			up := newRaw(t, "127.0.0.1", func(c net.Conn, r *http.Request) {
				defer func() { over <- struct{}{} }()
				if tt.text == "" {
					_, _ = io.Copy(io.Discard, c) // until the other end hangs up
					return
				}
				send(c, r)
			})
			f := newFront(t, change)
			f.fills.Tries = 1
			a := f.get(t, "http://"+up.host+"/distfiles/f.tar")
			if a.code != http.StatusBadGateway || a.err != nil || f.kept(t) != "" {
				t.Errorf("%d %q, %v, kept %q", a.code, a.body, a.err, f.kept(t))
			}
			if <-over; taken >= 64<<20 {
				t.Errorf("it took %d bytes", taken)
			}
		})
	}
}

// What comes behind a body has its bound, too: the file is not taken for whole.
func TestEndlessTrailer(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"one line": strings.Repeat("x", 4096), "many lines": "X-Trailer: y\r\n"} {
		var taken int64
		up := newRaw(t, "127.0.0.1", endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Trailer\r\n\r\n7\r\ntarball\r\n0\r\nX-Trailer: ", text, 0, &taken))
		f := newFront(t, nil)
		if a := f.get(t, "http://"+up.host+"/distfiles/f.tar"); a.code == 200 && a.err == nil || f.kept(t) != "" {
			t.Errorf("%s: %+v, kept %q", name, a, f.kept(t))
		}
	}
}

// A header that does not say where the body ends, or says two things, makes no
// file of the cache; nor does a status that promises none. The client is never
// told of a success.
func TestAnswers(t *testing.T) {
	t.Parallel()
	type outcome struct {
		code  int
		body  string // in part
		kept  bool
		asked int32 // 0: any number
	}
	packed := zipped("tarball")
	for name, tt := range map[string]struct {
		path string // distfiles/f.tar
		says string
		want outcome
	}{
		"403":                         {says: "HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno!", want: outcome{403, "403 Forbidden", false, 1}},
		"404":                         {says: "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", want: outcome{404, "404 Not Found", false, 1}},
		"500":                         {says: "HTTP/1.1 500 Oh\r\nContent-Length: 7\r\n\r\ntarball", want: outcome{502, "answers 500", false, 1}},
		"503 without end":             {says: "HTTP/1.1 503 Busy\r\n\r\nbusy", want: outcome{502, "answers 503", false, 1}},
		"204":                         {says: "HTTP/1.1 204 No Content\r\n\r\n", want: outcome{502, "answers 204", false, 1}},
		"203":                         {says: "HTTP/1.1 203 Elsewhere\r\nContent-Length: 7\r\n\r\ntarball", want: outcome{502, "answers 203", false, 1}},
		"206 unasked":                 {says: "HTTP/1.1 206 Part\r\nContent-Range: bytes 0-6/7\r\nContent-Length: 7\r\n\r\ntarball", want: outcome{502, "another file", false, 0}},
		"300":                         {says: "HTTP/1.1 300 Choose\r\nContent-Length: 0\r\n\r\n", want: outcome{502, "answers 300", false, 1}},
		"304 unasked":                 {says: "HTTP/1.1 304 Not Modified\r\n\r\n", want: outcome{502, "answers 304", false, 1}},
		"407":                         {says: "HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n", want: outcome{502, "answers 407", false, 1}},
		"429":                         {says: "HTTP/1.1 429 Slow Down\r\nContent-Length: 0\r\n\r\n", want: outcome{502, "answers 429", false, 1}},
		"999":                         {says: "HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n", want: outcome{502, "answers 999", false, 1}},
		"no HTTP":                     {says: "SSH-2.0-OpenSSH_9.2\r\n", want: outcome{502, "malformed HTTP", false, 0}},
		"nothing":                     {says: "", want: outcome{502, "EOF", false, 0}},
		"two lengths":                 {says: "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nContent-Length: 8\r\n\r\ntarball", want: outcome{502, "Content-Length", false, 0}},
		"a negative length":           {says: "HTTP/1.1 200 OK\r\nContent-Length: -7\r\n\r\ntarball", want: outcome{502, "Content-Length", false, 0}},
		"a length beyond all":         {says: "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\ntarball", want: outcome{502, "Content-Length", false, 0}},
		"an unknown encoding":         {says: "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\ntarball", want: outcome{502, "transfer encoding", false, 0}},
		"chunks and a length":         {says: "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n7\r\ntarball\r\n0\r\n\r\n", want: outcome{200, "tarball", true, 1}},
		"a line end in a value":       {says: "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nETag: \"a\rX-Y: z\"\r\n\r\ntarball", want: outcome{502, "", false, 0}},
		"a zero in a value":           {says: "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nETag: \"a\x00b\"\r\n\r\ntarball", want: outcome{502, "", false, 0}},
		"a field without a name":      {says: "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n: x\r\n\r\ntarball", want: outcome{502, "", false, 0}},
		"gzip unasked":                {says: encoded("gzip", packed), want: outcome{200, packed, false, 1}},
		"gzip unasked, of a gzip":     {path: "distfiles/f.tar.gz", says: encoded("x-gzip", packed), want: outcome{200, packed, true, 1}},
		"gzip unasked, of a tgz":      {path: "distfiles/f.tgz", says: encoded("gzip", packed), want: outcome{200, packed, true, 1}},
		"gzip twice":                  {path: "distfiles/f.tar.gz", says: encoded("gzip, gzip", packed), want: outcome{200, packed, false, 1}},
		"gzip unasked, of an index":   {path: "dists/stable/Release", says: encoded("gzip", packed), want: outcome{200, packed, false, 1}},
		"unasked, with odd letters":   {says: encoded("\"\\\t,;", packed), want: outcome{200, packed, false, 1}},
		"an index nobody should keep": {path: "dists/stable/Release", says: "HTTP/1.1 200 OK\r\nCache-Control: No-Store\r\nContent-Length: 7\r\n\r\nrelease", want: outcome{200, "release", false, 1}},
		"an index that varies":        {path: "dists/stable/Release", says: "HTTP/1.1 200 OK\r\nVary: *\r\nContent-Length: 7\r\n\r\nrelease", want: outcome{200, "release", false, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tt.path == "" {
				tt.path = "distfiles/f.tar"
			}
			up, f := newRaw(t, "127.0.0.1", says(tt.says)), newFront(t, nil)
			a := f.get(t, "http://"+up.host+"/"+tt.path)
			kept := f.kept(t)
			if a.code != tt.want.code || a.err != nil || !strings.Contains(a.body, tt.want.body) || (kept != "") != tt.want.kept {
				t.Errorf("%d %q, %v, kept %q; want %+v", a.code, a.body, a.err, kept, tt.want)
			}
			if n := up.asked.Load(); tt.want.asked != 0 && n != tt.want.asked {
				t.Errorf("asked %d times", n)
			}
			if kept != "" {
				if got, err := os.ReadFile(f.dir + "/" + kept); err != nil || string(got) != tt.want.body {
					t.Errorf("%s has %q, %v", kept, got, err)
				}
			}
			// What is encoded says so to the client, and only that does.
			if e := a.header.Get("Content-Encoding"); (e != "") != (strings.Contains(tt.says, "Content-Encoding") && !tt.want.kept) {
				t.Errorf("the client is told that it is encoded as %q", e)
			}
		})
	}
}

// An index that upstream does not renew, in whatever way, is served as it was
// last good, and stays.
func TestLastGood(t *testing.T) {
	t.Parallel()
	page := newRaw(t, "127.0.0.1", says("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\nlog in"))
	up := newRaw(t, "127.0.0.1", says("HTTP/1.1 200 OK\r\nETag: \"v1\"\r\nCache-Control: max-age=0\r\nContent-Length: 7\r\n\r\nrelease"))
	f := newFront(t, nil)
	f.fills.Tries = 1
	at := "http://" + up.host + "/dists/stable/Release"
	if a := f.get(t, at); a.code != 200 {
		t.Fatalf("%+v", a)
	}
	for name, bad := range map[string]func(net.Conn, *http.Request){
		"500": says("HTTP/1.1 500 Oh\r\nContent-Length: 7\r\n\r\nwrong\r\n"), "429": says("HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n"),
		"login page": to("http://" + page.host + "/login"), "loop": to("/dists/stable/Release"), "private address": to("http://127.0.0.2/x"),
		"nothing": says(""), "two lengths": says("HTTP/1.1 200 OK\r\nContent-Length: 7\r\nContent-Length: 8\r\n\r\nwrong!!"),
	} {
		up.becomes(bad)
		a := f.get(t, at)
		got, err := os.ReadFile(f.dir + "/" + up.host + "/dists/stable/Release")
		if a.code != 200 || a.body != "release" || a.header.Get("X-Cache") != "STALE" || err != nil || string(got) != "release" {
			t.Errorf("%s: %+v, kept %q, %v", name, a, got, err)
		}
	}
}

func zipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}

func encoded(as, body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n%s", as, len(body), body)
}

func TestTunnelNames(t *testing.T) {
	s := &Service{set: &settings.Settings{Connect: []string{"h.example:443", "*.ok.example:443"}}}
	for to, want := range map[string]bool{
		"h.example:443": true, "H.Example:443": true, "h.example:22": false, "a.h.example:443": false, "a.ok.example:443": true, "a.b.OK.example:443": true,
		"ok.example:443": false, "evilok.example:443": false, "a.ok.example:22": false, "a.ok.example:443.evil.example:443": false, "": false,
	} {
		if got := s.tunnel(to); got != want {
			t.Errorf("%q: %v", to, got)
		}
	}
}
