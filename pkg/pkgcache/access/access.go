// Package access decides by address who may use a package cache, before a byte
// of what they say is read.
package access

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"sync"
)

// List is a set of addresses. The zero value holds this machine only.
type List struct {
	prefixes []netip.Prefix
	patterns []*regexp.Regexp
}

// Add adds what a user writes: an address, a prefix as 10.13.18.0/24, or a
// pattern as http-replicator has it, where "*" stands for one or more digits and
// "?" for one: 10.13.18.*
func (l *List) Add(s string) error {
	if p, err := netip.ParsePrefix(s); err == nil {
		l.prefixes = append(l.prefixes, p.Masked())
		return nil
	}
	if a, err := netip.ParseAddr(s); err == nil {
		a = a.Unmap()
		l.prefixes = append(l.prefixes, netip.PrefixFrom(a, a.BitLen()))
		return nil
	}
	if !pattern().MatchString(s) {
		return fmt.Errorf("%q is no address: write one as 10.13.18.7, 10.13.18.0/24, 10.13.18.* or 2001:db8::/32", s)
	}
	// Anchored as a whole: 10.13.18.1 must not admit 10.13.18.199.
	digits := strings.NewReplacer(".", `\.`, "*", "[0-9]+", "?", "[0-9]").Replace(s)
	re, err := regexp.Compile("^(?:" + digits + ")$")
	if err != nil {
		return fmt.Errorf("%q is no address: %w", s, err)
	}
	l.patterns = append(l.patterns, re)
	return nil
}

// pattern is four groups of digits and wildcards.
var pattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9*?]{1,5}(?:\.[0-9*?]{1,5}){3}$`) })

// Allows reports whether an address is in the list. Loopback always is.
func (l *List) Allows(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if a.IsLoopback() {
		return true
	}
	for _, p := range l.prefixes {
		if p.Contains(a) {
			return true
		}
	}
	for _, re := range l.patterns {
		if re.MatchString(a.String()) {
			return true
		}
	}
	return false
}

// Listener accepts connections from the list's addresses only; others are
// closed at once.
type Listener struct {
	net.Listener
	List *List
	Log  *slog.Logger
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from, err := netip.ParseAddrPort(c.RemoteAddr().String())
		if err == nil && l.List.Allows(from.Addr()) {
			return c, nil
		}
		l.Log.Warn("refused: the address is not allowed (--ip)", "from", c.RemoteAddr().String())
		c.Close()
	}
}
