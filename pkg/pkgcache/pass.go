package pkgcache

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"time"
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
			return nil
		},
		Transport: c.Transport,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			code := http.StatusBadGateway
			if errors.Is(err, ErrForbidden) {
				code = http.StatusForbidden
			}
			refuse(w, code, err.Error())
		},
	}
	p.ServeHTTP(w, r)
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
