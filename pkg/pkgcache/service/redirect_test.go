package service

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const whole = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nContent-Type: application/x-test\r\n\r\ntarball"

func to(location string) func(net.Conn, *http.Request) {
	return says("HTTP/1.1 302 Found\r\nLocation: " + location + "\r\nContent-Length: 0\r\n\r\n")
}

// A redirect is followed for the client, to where the rules let the cache go;
// what comes is kept under the name that was asked for. Everything else is an
// error of this mirror, told in words, after one try.
func TestRedirects(t *testing.T) {
	other := newRaw(t, "127.0.0.1", says(whole))
	page := newRaw(t, "127.0.0.1", says("HTTP/1.1 200 OK\r\nContent-Length: 6\r\nContent-Type: text/html; charset=utf-8\r\n\r\nlog in"))
	private := newRaw(t, "127.0.0.2", says(whole))
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/down" {
			http.Redirect(w, r, "http://"+other.host+"/distfiles/f.tar", http.StatusFound)
			return
		}
		_, _ = io.WriteString(w, "tarball")
	}))
	t.Cleanup(secure.Close)
	for name, tt := range map[string]struct {
		location string
		code     int
		says     string // an error, in part
		asked    int32  // of the first upstream; 0: once
	}{
		"relative":                   {location: "real/f.tar", code: 200, asked: 2},
		"absolute path":              {location: "/real/f.tar?x=y", code: 200, asked: 2},
		"another host":               {location: "http://OTHER/distfiles/f.tar", code: 200},
		"without a scheme":           {location: "//OTHER/f.tar", code: 200},
		"another name":               {location: "http://OTHER/objects/5d41402a?token=1", code: 200},
		"escaped line ends":          {location: "/real/a%0d%0aX-Y:%20z", code: 200, asked: 2},
		"https":                      {location: "SECURE/f.tar", code: 200},
		"https, then back":           {location: "SECURE/down", code: 502, says: "redirect from https"},
		"a login page":               {location: "http://PAGE/login?from=f.tar", code: 502, says: "leads elsewhere"},
		"itself":                     {location: "/distfiles/f.tar", code: 502, says: "redirect back"},
		"for ever":                   {location: "NEXT", code: 502, says: "more than 10 redirects", asked: 11},
		"a private address":          {location: "http://PRIVATE/f.tar", code: 403, says: "private hosts"},
		"loopback in another script": {location: "http://[::ffff:127.0.0.2]:PPORT/f.tar", code: 403, says: "private hosts"},
		"a strange port":             {location: "http://192.0.2.1:22/f.tar", code: 403, says: "port 22"},
		"the common store":           {location: "s3://OTHER/bucket/secret", code: 403, says: "redirect to s3:"},
		"a file":                     {location: "file:///etc/passwd", code: 403, says: "redirect to file:"},
		"ftp":                        {location: "ftp://PRIVATE/f.tar", code: 403, says: "redirect to ftp:"},
		"a control character":        {location: "/real/\x01f.tar", code: 502, asked: -1},
		"another control character":  {location: "/real/f\x7f.tar", code: 502, asked: -1},
		"nowhere":                    {location: "", code: 502, says: "302"},
		"no address":                 {location: "http://%zz/", code: 502, asked: -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, port, _ := net.SplitHostPort(private.host)
			location := strings.NewReplacer("OTHER", other.host, "PAGE", page.host, "PRIVATE", private.host, "PPORT", port, "SECURE", secure.URL).Replace(tt.location)
			var up *raw
			up = newRaw(t, "127.0.0.1", func(c net.Conn, r *http.Request) {
				switch {
				case tt.location == "NEXT":
					to(fmt.Sprintf("/f%d.tar", up.asked.Load()))(c, r)
				case strings.HasPrefix(r.URL.Path, "/real/") || strings.HasPrefix(r.URL.Path, "/distfiles/real/"):
					says(whole)(c, r)
				default:
					to(location)(c, r)
				}
			})
			f := newFront(t, nil)
			trust(f, secure)
			a := f.get(t, "http://"+up.host+"/distfiles/f.tar")
			want, kept := "tarball", "distfiles/f.tar"
			if tt.code != 200 {
				want, kept = tt.says, ""
			}
			if a.code != tt.code || a.err != nil || !strings.Contains(a.body, want) || f.kept(t) != kept {
				t.Errorf("%d %q, %v, kept %q; want %d %q, kept %q", a.code, a.body, a.err, f.kept(t), tt.code, want, kept)
			}
			if n := up.asked.Load(); tt.asked >= 0 && n != max(tt.asked, 1) {
				t.Errorf("asked %d times", n)
			}
			if a.header.Get("Location") != "" || a.header.Get("X-Y") != "" {
				t.Errorf("the client is told %v", a.header)
			}
		})
	}
	t.Cleanup(func() {
		if n := private.conns.Load(); n > 0 {
			t.Errorf("a private address was reached %d times", n)
		}
	})
}

// trust has a cache trust a server of the test.
func trust(f *front, srv *httptest.Server) {
	pool := x509.NewCertPool()
	pool.AddCert(srv.Certificate())
	f.fills.Client.(*http.Client).Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: pool}
}

// An https server that nobody vouches for gives no files.
func TestRedirectUntrusted(t *testing.T) {
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "tarball") }))
	t.Cleanup(secure.Close)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains of a client that hangs up
	up := newRaw(t, "127.0.0.1", to(secure.URL+"/f.tar"))
	f := newFront(t, nil)
	if a := f.get(t, "http://"+up.host+"/distfiles/f.tar"); a.code != 502 || !strings.Contains(a.body, "certificate") || f.kept(t) != "" {
		t.Errorf("%+v, kept %q", a, f.kept(t))
	}
}
