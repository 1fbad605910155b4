package status

import (
	"net/netip"
	"slices"
	"strings"
)

// Allowed reports whether a page may be shown under the name that a request's
// Host field gives: an address, localhost, or one of names. Any other name may be
// one that somebody has led here to have a browser read the page for him (DNS
// rebinding); the answer is then 421 Misdirected Request (RFC 9110, 15.5.20).
func Allowed(host string, names []string) bool {
	var port string
	if inner, ok := strings.CutPrefix(host, "["); ok {
		host, port, _ = strings.Cut(inner, "]")
		if port != "" && port[0] != ':' {
			return false
		}
		port = strings.TrimPrefix(port, ":")
	} else if strings.Count(host, ":") == 1 {
		host, port, _ = strings.Cut(host, ":")
	}
	if strings.Trim(port, "0123456789") != "" {
		return false
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if _, err := netip.ParseAddr(host); err == nil || host == "localhost" {
		return true
	}
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(strings.TrimSuffix(n, "."), host) })
}
