// Package web serves a status page over HTTP.
package web

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/empegsync/empegsync/pkg/status"
)

// Page serves a page at /, metrics at /metrics and a sign of life at /health. It
// changes nothing, whatever it is asked, and answers only under an address,
// localhost and its own names (see [status.Allowed]).
type Page struct {
	Names []string
	// HTML and Metrics give what is shown now. They may be called from many
	// goroutines.
	HTML, Metrics func() []byte
}

// ServeHTTP implements http.Handler.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	switch {
	case !status.Allowed(r.Host, p.Names):
		http.Error(w, "this page is not shown under that name: use its address, or name it in the configuration", http.StatusMisdirectedRequest)
		return
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "there is nothing to change here", http.StatusMethodNotAllowed)
		return
	}
	var body []byte
	switch r.URL.Path {
	case "/":
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", status.Policy)
		body = p.HTML()
	case "/metrics":
		h.Set("Content-Type", status.ContentType)
		body = p.Metrics()
	case "/health":
		h.Set("Content-Type", "text/plain; charset=utf-8")
		body = []byte("ok\n")
	default:
		http.NotFound(w, r)
		return
	}
	_, _ = w.Write(body)
}

// Clients of a page cost a server a little each.
const (
	maxClients   = 16
	readTimeout  = 30 * time.Second
	writeTimeout = time.Minute
	maxHeader    = 16 << 10
)

// Serve serves a page until ctx ends, and closes ln. No more than a few clients
// are heard at a time; the others wait.
func Serve(ctx context.Context, ln net.Listener, page http.Handler) {
	srv := &http.Server{
		Handler: page, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: log.New(io.Discard, "", 0), // what strangers do wrong is no news
	}
	defer srv.Close()
	defer context.AfterFunc(ctx, func() { srv.Close() })()
	_ = srv.Serve(&few{Listener: ln, places: make(chan struct{}, maxClients), closed: make(chan struct{})}) // the end of ctx, or of the listener
}

// few is a listener with a bound on what it has accepted.
type few struct {
	net.Listener
	places chan struct{}
	closed chan struct{}
	once   sync.Once
}

// Close implements net.Listener.
func (f *few) Close() error {
	f.once.Do(func() { close(f.closed) })
	return f.Listener.Close()
}

// Accept implements net.Listener.
func (f *few) Accept() (net.Conn, error) {
	select {
	case f.places <- struct{}{}:
	case <-f.closed:
		return nil, net.ErrClosed
	}
	conn, err := f.Listener.Accept()
	if err != nil {
		<-f.places
		return nil, err
	}
	return &client{Conn: conn, places: f.places}, nil
}

// client gives its place back when it is closed, once.
type client struct {
	net.Conn
	places chan struct{}
	gone   atomic.Bool
}

// Close implements net.Conn.
func (c *client) Close() error {
	if c.gone.CompareAndSwap(false, true) {
		<-c.places
	}
	return c.Conn.Close()
}
