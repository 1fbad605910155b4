package console

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"
)

// Found is a player that has answered.
type Found struct {
	Name    string // its own name, "" if it told none
	Address netip.Addr
}

// discoveryPort is where a player's program listens; it answers a question mark.
const discoveryPort = 8300

// Discover asks the whole local network which players there are, and listens for
// as long as patience says. Own addresses are left out. A network that cannot be
// asked holds no players.
func Discover(ctx context.Context, patience time.Duration) []Found {
	targets := []netip.AddrPort{netip.AddrPortFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), discoveryPort)}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		addresses = nil
	}
	var own []netip.Addr
	for _, a := range addresses {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue
		}
		own = append(own, prefix.Addr())
		if b, ok := broadcast(prefix); ok {
			targets = append(targets, netip.AddrPortFrom(b, discoveryPort))
		}
	}
	return slices.DeleteFunc(discover(ctx, targets, patience), func(f Found) bool { return slices.Contains(own, f.Address) })
}

// broadcast is the last address of an IPv4 network.
func broadcast(p netip.Prefix) (netip.Addr, bool) {
	if !p.Addr().Is4() || p.Addr().IsLoopback() || p.Bits() >= 31 {
		return netip.Addr{}, false
	}
	b := p.Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	return netip.AddrFrom4(b), true
}

// mostFound bounds how many answers are kept.
const mostFound = 64

// discover asks each target and collects the answers.
func discover(ctx context.Context, targets []netip.AddrPort, patience time.Duration) []Found {
	conn, err := net.ListenUDP("udp4", nil)
	if err != nil {
		return nil
	}
	defer conn.Close()
	for _, target := range targets {
		_, _ = conn.WriteToUDPAddrPort([]byte("?"), target) // one that cannot be reached does not answer
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return nil
	}
	var found []Found
	buf := make([]byte, 1500)
	for len(found) < mostFound {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed) {
			break
		}
		if err != nil {
			continue // such as one target's "nobody listens here"
		}
		f := Found{Address: from.Addr().Unmap()}
		var ok bool
		if f.Name, ok = parseReply(buf[:n]); ok && !slices.Contains(found, f) {
			found = append(found, f)
		}
	}
	slices.SortFunc(found, func(a, b Found) int {
		return strings.Compare(a.Name+"\x00"+a.Address.String(), b.Name+"\x00"+b.Address.String())
	})
	return found
}

// parseReply reads "id=<n>\nname=<name>". Of the name only what can be shown on
// any terminal is kept, at most 40 characters.
func parseReply(reply []byte) (name string, ok bool) {
	for line := range strings.Lines(string(reply)) {
		key, value, found := strings.Cut(strings.TrimRight(line, "\r\n\x00"), "=")
		switch {
		case !found:
		case key == "id":
			ok = true
		case key == "name":
			ok = true
			name = strings.Map(func(r rune) rune {
				if r < ' ' || r > '~' {
					return -1
				}
				return r
			}, value)
			name = name[:min(len(name), 40)]
		}
	}
	return name, ok
}
