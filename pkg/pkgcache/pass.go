package pkgcache

import (
	"cmp"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"time"

	"github.com/empegsync/empegsync/pkg/pkgcache/fill"
)

// pass sends a request on and its answer back, and keeps neither.
func (c *Cache) pass(w http.ResponseWriter, r *http.Request) {
	if c.Mode == Offline {
		refuse(w, http.StatusGatewayTimeout, "the cache is offline")
		return
	}
	p := &httputil.ReverseProxy{
		Rewrite: func(pr *httputil.ProxyRequest) {
			pr.Out.Header.Add("Via", "1.1 "+c.Name)
			pr.Out.Host = pr.In.URL.Host
		},
		ModifyResponse: func(resp *http.Response) error {
			resp.Header.Add("Via", "1.1 "+c.Name)
			resp.Header.Set("X-Cache", "PASS")
			if resp.StatusCode == http.StatusSwitchingProtocols {
				return nil // its body is written to, too
			}
			var failed error
			if resp.StatusCode >= 400 {
				failed = &fill.StatusError{Code: resp.StatusCode, Header: resp.Header}
			}
			resp.Body = &toldBody{ReadCloser: resp.Body, over: func(n int64, err error) { c.passed(r, n, cmp.Or(failed, err)) }}
			return nil
		},
		Transport: c.Transport,
		ErrorLog:  slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug),
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			code := http.StatusBadGateway
			if errors.Is(err, ErrForbidden) {
				code = http.StatusForbidden
			}
			c.passed(r, 0, err)
			refuse(w, code, err.Error())
		},
	}
	p.ServeHTTP(w, r)
}

// passed tells what came of a request that went past the cache.
func (c *Cache) passed(r *http.Request, bytes int64, err error) {
	if c.Fills.Tell != nil && r.Context().Err() == nil { // a client that leaves is nobody's fault
		c.Fills.Tell(fill.Event{Host: r.URL.Host, Key: r.URL.Path, Bytes: bytes, Err: err})
	}
}

// toldBody tells at its end how many bytes it had, and why it broke off if it
// did.
type toldBody struct {
	io.ReadCloser
	n    int64
	err  error
	over func(n int64, err error)
}

// Read implements io.Reader.
func (b *toldBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n += int64(n)
	if err != nil && err != io.EOF {
		b.err = err
	}
	return n, err
}

// Close implements io.Closer.
func (b *toldBody) Close() error {
	b.over(b.n, b.err)
	return b.ReadCloser.Close()
}

// connect tunnels to a host that the configuration names.
func (c *Cache) connect(w http.ResponseWriter, r *http.Request) {
	host := r.URL.Host
	if host == "" {
		host = r.Host
	}
	if c.Tunnel == nil || !c.Tunnel(host) {
		refuse(w, http.StatusForbidden, "no tunnel to "+host+": the configuration does not allow it")
		return
	}
	const patience = 30 * time.Second
	far, err := net.DialTimeout("tcp", host, patience)
	if err != nil {
		refuse(w, http.StatusBadGateway, err.Error())
		return
	}
	defer far.Close()
	near, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		refuse(w, http.StatusInternalServerError, "tunnel: "+err.Error())
		return
	}
	defer near.Close()
	_ = near.SetDeadline(time.Time{}) // the server's own deadlines were for a request
	if _, err := io.WriteString(near, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	over := make(chan struct{}, 2)
	go func() { // what the client has sent already is in the buffer
		_, _ = io.Copy(far, buffered)
		halfClose(far)
		over <- struct{}{}
	}()
	go func() {
		_, _ = io.Copy(near, far)
		halfClose(near)
		over <- struct{}{}
	}()
	<-over
	<-over
}

func halfClose(c net.Conn) {
	if h, ok := c.(interface{ CloseWrite() error }); ok {
		_ = h.CloseWrite()
	} else {
		_ = c.Close()
	}
}
