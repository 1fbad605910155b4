package pkgcache

import (
	"encoding/base64"
	"net/http"
	"net/url"
)

// Parent has a parent proxy fetch what http.Transport asks no proxy for, such as
// ftp://. It is for http.Transport.RegisterProtocol.
type Parent struct {
	// URL is http://[user:password@]host:port of the proxy, or https://...
	URL *url.URL
	// Way reaches the proxy itself. It speaks HTTP/1.1, whose requests have room
	// for a whole URL (RFC 9112, 3.2.2).
	Way http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (p *Parent) RoundTrip(r *http.Request) (*http.Response, error) {
	out := r.Clone(r.Context())
	out.URL = &url.URL{Scheme: p.URL.Scheme, Host: p.URL.Host, Opaque: r.URL.String()}
	out.Host = r.URL.Host
	if u := p.URL.User; u != nil {
		password, _ := u.Password()
		out.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password)))
	}
	resp, err := p.Way.RoundTrip(out)
	if err == nil {
		resp.Request = r
	}
	return resp, err
}
