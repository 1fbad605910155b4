package pkgcache

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/pkgcache/store"
)

// What clients say in the fields that the cache itself reads never brings it
// down, and its own name in a Via line is always found.
func FuzzRequestFields(f *testing.F) {
	f.Add("1.1 other, 1.0 test (x)", "no-cache", "no-cache", "bytes=5-", `"v1"`, "Thu, 10 Dec 2009 12:00:00 GMT")
	f.Add(",, 1.1", "max-age=0, x=\"", "", "bytes=-0,1-", `W/"`, "0")
	s, err := store.Open(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	if err := os.WriteFile(s.Dir()+"/f.tar", text, 0o644); err != nil {
		f.Fatal(err)
	}
	c := &Cache{
		Store: s, Mode: Offline, Log: slog.New(slog.DiscardHandler), Rules: fixed{}, Name: "test", Local: http.NotFoundHandler(),
		Peers: &Peers{Self: "test", Others: []string{"other"}, Log: slog.New(slog.DiscardHandler)},
	}
	f.Fuzz(func(t *testing.T, via, control, pragma, span, tag, date string) {
		r := httptest.NewRequest(http.MethodGet, "http://h/f.tar", nil)
		for name, v := range map[string]string{
			"Via": via, "Cache-Control": control, "Pragma": pragma, "Range": span, "If-Range": tag, "If-None-Match": tag, "If-Modified-Since": date,
		} {
			r.Header.Set(name, v)
		}
		w := httptest.NewRecorder()
		c.ServeHTTP(w, r)
		switch w.Code {
		case 200, 206, 304, 412, 416, 508:
		default:
			t.Errorf("%d", w.Code)
		}
		if w.Code == 200 && !bytes.Equal(w.Body.Bytes(), text) {
			t.Errorf("200 with %d bytes", w.Body.Len())
		}
		_ = c.Peers.sent(r)
		_ = reload(r)
		r.Header.Set("Via", strings.ReplaceAll(via, "\n", "")+", 1.1 test")
		if !c.loops(r) {
			t.Errorf("%q is not seen as a loop", r.Header.Get("Via"))
		}
	})
}

// fixed has one file.
type fixed struct{}

func (fixed) Decide(u *url.URL, _ http.Header) Decision {
	return Decision{Class: Immutable, Key: "f.tar", URLs: []*url.URL{u}}
}

// What upstream says of how long an answer is good: whatever it is, an answer
// that has just been checked is not older than one that was checked long ago.
func FuzzFresh(f *testing.F) {
	f.Add("max-age=60", "", "")
	f.Add("s-maxage=99999999999999999999, no-cache=\"x", "Thu, 10 Dec 2009 12:00:00 GMT", "Thu, 10 Dec 2009 11:00:00 GMT")
	now := time.Unix(1_700_000_000, 0)
	c := &Cache{Now: func() time.Time { return now }}
	f.Fuzz(func(t *testing.T, control, expires, date string) {
		o := &store.Object{Known: true, Meta: store.Meta{CacheControl: control, Expires: expires, Date: date, Checked: now.Add(-time.Hour)}}
		old := c.fresh(o, Decision{MaxAge: time.Minute})
		o.Meta.Checked = now
		if old && !c.fresh(o, Decision{MaxAge: time.Minute}) {
			t.Error("older is fresher")
		}
	})
}

// said is a connection on which the other end has said all it will.
type said struct {
	io.Reader
	net.Conn // nil: no other method is called
}

func (s said) Read(p []byte) (int, error)    { return s.Reader.Read(p) }
func (said) Write(p []byte) (int, error)     { return len(p), nil }
func (said) Close() error                    { return nil }
func (said) SetDeadline(time.Time) error     { return nil }
func (said) SetReadDeadline(time.Time) error { return nil }
func (said) RemoteAddr() net.Addr            { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 21} }

// An FTP server may say anything.
func FuzzFTP(f *testing.F) {
	f.Add([]byte("220 hello\r\n331 password\r\n230 in\r\n211-\r\n MDTM\r\n211 end\r\n200 binary\r\n200 utf8\r\n213 5\r\n213 20091210120000\r\n229 (|||9|)\r\n150 comes\r\n226 all\r\n"), []byte("hello"))
	f.Add([]byte("220-hello\r\n220 x\r\n230 in\r\n500 x\r\n200 x\r\n213 99999999999999999999\r\n500 x\r\n227 (1,2,3,4,999,9)\r\n"), []byte(""))
	f.Fuzz(func(t *testing.T, control, data []byte) {
		calls := 0
		way := &FTP{Dial: func(context.Context, string, string) (net.Conn, error) {
			if calls++; calls == 1 {
				return said{Reader: bytes.NewReader(control)}, nil
			}
			return said{Reader: bytes.NewReader(data)}, nil
		}}
		way.dialData = way.Dial
		resp, err := way.RoundTrip(httptest.NewRequest(http.MethodGet, "ftp://h/f.tar", nil))
		if err != nil {
			return
		}
		defer resp.Body.Close()
		got, err := io.ReadAll(resp.Body)
		if err == nil && resp.StatusCode == 200 && resp.ContentLength > int64(len(got)) {
			t.Errorf("%d of %d bytes end well", len(got), resp.ContentLength)
		}
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("the body ends with %v", err)
		}
	})
}
