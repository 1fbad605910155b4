package synk

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
)

// ConfFile is read when no peer is named.
const ConfFile = "/etc/synk.conf"

// OldPort is the TCP port of synk 1.1, which peers in its configurations may have:
// here a port is always ssh's.
const OldPort = 9723

// Peer is another machine.
type Peer struct {
	// Host is what ssh takes: a name, an address, an alias of ssh's own
	// configuration, with USER@ in front or not.
	Host string
	Port int // of ssh, 0 for its default
}

// ParsePeer checks a host and a port, "" for none.
func ParsePeer(host, port string) (Peer, error) {
	p := Peer{Host: host}
	name := host
	if user, rest, ok := strings.Cut(host, "@"); ok {
		if user == "" || strings.HasPrefix(user, "-") {
			return p, fmt.Errorf("host %q: the user's name is missing or begins with a dash", host)
		}
		name = rest
	}
	if in, ok := strings.CutPrefix(name, "["); ok {
		name = strings.TrimSuffix(in, "]")
		p.Host = strings.TrimSuffix(strings.Replace(host, "[", "", 1), "]")
	}
	addr, err := netip.ParseAddr(name)
	switch {
	case err == nil && isPlain(addr.Zone()+"0"): // an address may have colons
	case name == "" || strings.HasPrefix(name, "-"):
		return p, fmt.Errorf("host %q: the name is missing or begins with a dash", host)
	case strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r == 0x7f }) || strings.ContainsAny(name, `:/'"\$;&|<>()*?[]{}!#~@`+"`"):
		return p, fmt.Errorf("host %q: that is no host's name", host)
	}
	if p.Host == Localhost {
		return p, fmt.Errorf("host %q: this machine takes part anyway", host)
	}
	if port == "" {
		return p, nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return p, fmt.Errorf("port %q: a number from 1 to 65535 is wanted", port)
	}
	p.Port = int(n)
	return p, nil
}

// address is the host in front of a path, as rsync wants it.
func (p Peer) address() string {
	user, host, ok := strings.Cut(p.Host, "@")
	if !ok {
		user, host = "", p.Host
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if ok {
		return user + "@" + host
	}
	return host
}

// ReadConf reads a configuration, called name in errors: a line "peer HOST
// [PORT]" each; # begins a comment.
func ReadConf(name string, r io.Reader) ([]Peer, error) {
	var peers []Peer
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		words := strings.Fields(text)
		if len(words) == 0 {
			continue
		}
		if words[0] != "peer" || len(words) < 2 || len(words) > 3 {
			return nil, fmt.Errorf("%s:%d: want \"peer HOST [PORT]\"", name, n)
		}
		p, err := ParsePeer(words[1], strings.Join(words[2:], ""))
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, n, err)
		}
		peers = append(peers, p)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return peers, nil
}

// Unique drops peers that are named twice and returns the rest in order.
func Unique(peers []Peer) []Peer {
	seen := make(map[string]bool)
	var out []Peer
	for _, p := range peers {
		if !seen[p.Host] {
			seen[p.Host] = true
			out = append(out, p)
		}
	}
	return out
}
