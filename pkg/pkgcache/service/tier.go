package service

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/empegsync/empegsync/pkg/pkgcache/tier"
)

// openTier makes the common store one of the places that the transport reaches,
// if there is one.
func (s *Service) openTier(t *http.Transport) error {
	if s.set.Common == nil {
		return nil
	}
	access, secret, err := s.keys()
	if err != nil {
		return err
	}
	s.tier, err = tier.New(tier.Settings{
		Endpoint: s.set.Common, Region: s.set.CommonRegion, Access: access, Secret: secret, Log: s.log,
		Transport: &http.Transport{
			// The administrator has named it: it may be private.
			DialContext: (&net.Dialer{Timeout: 3 * time.Second}).DialContext, MaxIdleConnsPerHost: 16, IdleConnTimeout: 90 * time.Second,
			TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: s.set.Stall, MaxResponseHeaderBytes: 256 << 10, DisableCompression: true,
		},
	})
	if err != nil {
		return err
	}
	t.RegisterProtocol(tier.Scheme, s.tier)
	return nil
}

// keys reads the common store's access key and secret.
func (s *Service) keys() (access, secret string, err error) {
	if s.set.CommonKeys == "" {
		access, secret = os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY")
		if access == "" || secret == "" {
			return "", "", fmt.Errorf("the keys of %s are not known: name a file with \"s3 keys\"", s.set.Common.Redacted())
		}
		return access, secret, nil
	}
	text, err := os.ReadFile(s.set.CommonKeys)
	if err != nil {
		return "", "", fmt.Errorf("read the common store's keys: %w", err)
	}
	words := strings.Fields(string(text))
	if len(words) != 2 {
		return "", "", fmt.Errorf("%s has to hold two words, the access key and the secret", s.set.CommonKeys)
	}
	return words[0], words[1], nil
}
