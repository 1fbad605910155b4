package pkgcache

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/empegsync/empegsync/pkg/pkgcache/fill"
)

// mostRedirects is how often upstream may lead on.
const mostRedirects = 10

// CheckRedirect is for the http.Client that fetches: where upstream may lead. The
// addresses and ports that follow are for [Reach] to judge, which sees them when
// a connection is made.
func CheckRedirect(req *http.Request, via []*http.Request) error {
	to, from := req.URL, via[len(via)-1].URL
	switch {
	case to.Scheme != "http" && to.Scheme != "https":
		// Else upstream could have the cache use its own keys of a common store.
		return fmt.Errorf("%w: a redirect to %s: %w", fill.ErrMisled, redacted(to), ErrForbidden)
	case from.Scheme == "https" && to.Scheme != "https":
		return fmt.Errorf("%w: a redirect from https to %s", fill.ErrMisled, redacted(to))
	case slices.ContainsFunc(via, func(r *http.Request) bool { return r.URL.String() == to.String() }):
		return fmt.Errorf("%w: a redirect back to %s", fill.ErrMisled, redacted(to))
	case len(via) > mostRedirects:
		return fmt.Errorf("%w: more than %d redirects", fill.ErrMisled, mostRedirects)
	}
	return nil
}

// redacted is a URL in an error: upstream may make it long, and secret.
func redacted(u *url.URL) string {
	const most = 200
	s := u.Redacted()
	if len(s) > most {
		s = s[:most] + "..."
	}
	return s
}
