package session

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// end is one end of a connection.
type end struct {
	net.Conn
	r *wire.Reader
	w *wire.Writer
}

func newEnd(c net.Conn) end { return end{c, wire.NewReader(c, 0), wire.NewWriter(c, 0)} }

// pipe is a connection without buffers, made for synctest's clock.
func pipe(t testing.TB) (client, server end) {
	a, b := net.Pipe()
	t.Cleanup(func() { a.Close(); b.Close() })
	return newEnd(a), newEnd(b)
}

// loopback is a real connection. It breaks off after ten seconds, so that no
// test hangs.
func loopback(t testing.TB) (client, server end) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	a, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []net.Conn{a, b} {
		t.Cleanup(func() { c.Close() })
		if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	return newEnd(a), newEnd(b)
}

// said makes a reader over what a peer says, and a writer over what it hears.
func said(text string) (*wire.Reader, *wire.Writer, *bytes.Buffer) {
	var heard bytes.Buffer
	return wire.NewReader(strings.NewReader(text), 0), wire.NewWriter(&heard, 0), &heard
}

func capsOf(t testing.TB, version int) proto.Caps {
	t.Helper()
	c, err := proto.New(version)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// wantError checks an error's text and exit code; no text means no error.
func wantError(t *testing.T, err error, text string, code proto.Exit) {
	t.Helper()
	switch {
	case text == "" && err != nil:
		t.Errorf("error %v", err)
	case text != "" && (err == nil || !strings.Contains(err.Error(), text)):
		t.Errorf("error %v, want one about %q", err, text)
	case proto.ExitCode(err) != code:
		t.Errorf("%v: exit code %d, want %d", err, proto.ExitCode(err), code)
	}
}

// forever is a text without an end.
type forever byte

func (f forever) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(f)
	}
	return len(p), nil
}

var _ io.Reader = forever(0)

// serveOnce accepts one connection, for ten seconds at most, and lets f serve
// it.
func serveOnce(t *testing.T, f func(end)) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		if c.SetDeadline(time.Now().Add(10*time.Second)) == nil {
			f(newEnd(c))
		}
	}()
	t.Cleanup(func() { ln.Close(); <-done })
	return ln.Addr().String()
}
