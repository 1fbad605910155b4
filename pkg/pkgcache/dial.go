package pkgcache

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/empegsync/empegsync/pkg/pkgcache/fill"
)

// ErrForbidden is in the error of a connection that the cache must not make.
var ErrForbidden = fill.ErrForbidden

// Reach says what the cache may connect to.
type Reach struct {
	// Ports are those of upstream servers; empty: 80, 443 and 21.
	Ports []uint16
	// Private are addresses that may be reached although they are loopback,
	// private or link-local ones: else a client could use the cache to reach
	// services that are not for it.
	Private []netip.Prefix
}

// DialContext is for http.Transport. It looks at the address that a name led
// to, so that no name server can lead it elsewhere.
func (p Reach) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	d := &net.Dialer{Timeout: 30 * time.Second, Control: func(_, address string, _ syscall.RawConn) error { return p.check(address) }}
	return d.DialContext(ctx, network, address)
}

// check decides over a numeric address with a port.
func (p Reach) check(address string) error {
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return err
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return err
	}
	ip = ip.Unmap().WithZone("")
	private := ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast() || ip.IsUnspecified() || ip.IsMulticast() ||
		ip.IsInterfaceLocalMulticast() || shared.Contains(ip)
	if private && !slices.ContainsFunc(p.Private, func(n netip.Prefix) bool { return n.Contains(ip) }) {
		return fmt.Errorf("connect to %s: %w: it is a private address (parameter \"private hosts\")", address, ErrForbidden)
	}
	ports := p.Ports
	if len(ports) == 0 {
		ports = []uint16{80, 443, 21}
	}
	if !private && !slices.Contains(ports, uint16(port)) {
		return fmt.Errorf("connect to %s: %w: port %d is not among %v (parameter \"ports\")", address, ErrForbidden, port, ports)
	}
	return nil
}

// shared is the address space of carriers (RFC 6598).
var shared = netip.MustParsePrefix("100.64.0.0/10")
