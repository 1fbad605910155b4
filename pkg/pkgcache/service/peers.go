package service

import (
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/empegsync/empegsync/pkg/pkgcache"
)

// peers are the caches that share their files with this one, nil if there are
// none.
func (s *Service) peers() (*pkgcache.Peers, error) {
	if len(s.set.Peers) == 0 && s.set.Self == "" {
		return nil, nil
	}
	if !slices.Contains(s.set.Peers, s.set.Self) {
		return nil, errors.New("which of the peers is this one? \"self\" must be one of \"peers\", written alike")
	}
	others := slices.DeleteFunc(slices.Clone(s.set.Peers), func(p string) bool { return p == s.set.Self })
	return &pkgcache.Peers{
		Self: s.set.Self, Others: others, Log: s.log,
		Transport: func(peer *url.URL) http.RoundTripper {
			return &http.Transport{
				// The administrator has named it: it may be private. It must
				// answer soon, since the next one would.
				DialContext: (&net.Dialer{Timeout: 3 * time.Second}).DialContext, Proxy: http.ProxyURL(peer), DisableCompression: true,
				MaxIdleConnsPerHost: 16, IdleConnTimeout: 90 * time.Second, ResponseHeaderTimeout: 2 * s.set.Stall, MaxResponseHeaderBytes: 256 << 10,
			}
		},
	}, nil
}
