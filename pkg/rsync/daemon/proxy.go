package daemon

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/conf"
)

// proxyTime is how long a proxy may take to say for whom it calls.
const proxyTime = 10 * time.Second

// Limits of the PROXY protocol's head, in bytes: version 1 is a line, version 2
// says its length, most of which would be extensions.
const (
	maxProxyLine = 107
	maxProxyHead = 2048
	proxyStart   = 12 // what is read before the version is known
)

// proxyMark begins version 2.
var proxyMark = [proxyStart]byte{'\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q', 'U', 'I', 'T', '\n'}

var errProxy = errors.New("no PROXY protocol head")

// readProxy reads a proxy's head and not a byte more. The address is not valid
// when the proxy speaks for itself, as when it looks whether we are there.
// // clientserver.c:read_proxy_protocol_header
func readProxy(r io.Reader) (netip.Addr, error) {
	var start [proxyStart]byte
	if _, err := io.ReadFull(r, start[:]); err != nil {
		return netip.Addr{}, fmt.Errorf("read the PROXY protocol's head: %w", err)
	}
	if start == proxyMark {
		return readProxy2(r)
	}
	line := start[:]
	if !bytes.HasPrefix(line, []byte("PROXY ")) {
		return netip.Addr{}, fmt.Errorf("%w: it begins with %q", errProxy, start)
	}
	for !bytes.HasSuffix(line, []byte("\r\n")) {
		var b [1]byte
		if len(line) >= maxProxyLine {
			return netip.Addr{}, fmt.Errorf("%w: a line of more than %d bytes", errProxy, maxProxyLine)
		}
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return netip.Addr{}, fmt.Errorf("read the PROXY protocol's head: %w", err)
		}
		line = append(line, b[0])
	}
	return parseProxyLine(strings.TrimSuffix(string(line), "\r\n"))
}

// parseProxyLine reads "PROXY TCP4 FROM TO PORT PORT".
func parseProxyLine(line string) (netip.Addr, error) {
	words := strings.Split(line, " ")
	if len(words) >= 2 && words[1] == "UNKNOWN" {
		return netip.Addr{}, nil
	}
	if len(words) != 6 || words[1] != "TCP4" && words[1] != "TCP6" {
		return netip.Addr{}, fmt.Errorf("%w: %q", errProxy, line)
	}
	from, err := netip.ParseAddr(words[2])
	if err != nil || from.Is4() != (words[1] == "TCP4") || from.Zone() != "" {
		return netip.Addr{}, fmt.Errorf("%w: %q has no address of its kind", errProxy, line)
	}
	return from.Unmap(), nil
}

// readProxy2 reads what follows the mark of version 2.
func readProxy2(r io.Reader) (netip.Addr, error) {
	var head [4]byte // version and command, family, length
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return netip.Addr{}, fmt.Errorf("read the PROXY protocol's head: %w", err)
	}
	length := int(binary.BigEndian.Uint16(head[2:]))
	if head[0]>>4 != 2 || head[0]&15 > 1 || length > maxProxyHead {
		return netip.Addr{}, fmt.Errorf("%w: version and command 0x%02x, %d bytes", errProxy, head[0], length)
	}
	rest := make([]byte, length)
	if _, err := io.ReadFull(r, rest); err != nil {
		return netip.Addr{}, fmt.Errorf("read the PROXY protocol's head: %w", err)
	}
	if head[0]&15 == 0 {
		return netip.Addr{}, nil // the proxy itself
	}
	switch {
	case head[1] == 0x11 && length >= 12: // TCP over IPv4
		return netip.AddrFrom4([4]byte(rest[:4])), nil
	case head[1] == 0x21 && length >= 36: // TCP over IPv6
		return netip.AddrFrom16([16]byte(rest[:16])).Unmap(), nil
	}
	return netip.Addr{}, fmt.Errorf("%w: family 0x%02x with %d bytes", errProxy, head[1], length)
}

// trustsProxy reports whether a connection comes from a proxy that may say for
// whom it calls. Without a list nobody may: who could say anything could be
// anyone.
func (s *Server) trustsProxy(ctx context.Context, g conf.Global, conn net.Conn) bool {
	var allow []hostPattern
	for _, word := range conf.Hosts(g.ProxyHosts) {
		p, err := parseHost(word)
		if err != nil {
			return false // Check has told
		}
		allow = append(allow, p)
	}
	who := newCaller(host(conn))
	return len(allow) > 0 && hostRules{allow: allow}.admits(ctx, s.resolver(), &who)
}

// announced returns for whom a proxy calls.
func (s *Server) announced(ctx context.Context, g conf.Global, conn net.Conn) (string, error) {
	if !s.trustsProxy(ctx, g, conn) {
		return "", errors.New("it is not among the \"proxy protocol hosts\"")
	}
	if err := conn.SetReadDeadline(time.Now().Add(proxyTime)); err != nil {
		return "", err
	}
	addr, err := readProxy(conn)
	if err != nil {
		return "", err
	}
	who := host(conn)
	if addr.IsValid() {
		who = addr.String()
	}
	return who, conn.SetReadDeadline(time.Time{})
}

// checkProxy looks at what is said of proxies.
func checkProxy(g conf.Global) error {
	var errs []error
	for _, word := range conf.Hosts(g.ProxyHosts) {
		if _, err := parseHost(word); err != nil {
			errs = append(errs, fmt.Errorf("proxy protocol hosts: %w", err))
		}
	}
	if g.ProxyProtocol && g.ProxyHosts == "" {
		errs = append(errs, errors.New("proxy protocol: name the proxies in \"proxy protocol hosts\"; whoever else may say for whom he calls can be anyone"))
	}
	return errors.Join(errs...)
}
