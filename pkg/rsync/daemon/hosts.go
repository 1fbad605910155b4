package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/conf"
	"github.com/empegsync/empegsync/pkg/rsync/filter"
)

// Resolver turns names into addresses and back; [net.Resolver] is one. Its
// methods are called from several goroutines.
type Resolver interface {
	LookupAddr(ctx context.Context, addr string) (names []string, err error)
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// lookupTime bounds what one client may cost in questions to name servers.
const lookupTime = 10 * time.Second

// What stands for a client's name where there is none: nobody has asked, or
// there was no answer to believe (clientname.c:client_name).
const (
	undetermined = "UNDETERMINED"
	unknown      = "UNKNOWN"
)

// caller is who a client is, as far as its address tells.
type caller struct {
	text   string     // the address, for messages
	addr   netip.Addr // not valid if the connection has none
	name   string     // verified, undetermined or unknown
	asked  bool       // name is the answer
	broken bool       // the name servers could not be asked
}

func newCaller(text string) caller {
	addr, err := netip.ParseAddr(text)
	if err == nil {
		addr = addr.Unmap()
		text = addr.String()
	}
	return caller{text: text, addr: addr, name: undetermined}
}

// String is how rsync's log names a client.
func (c *caller) String() string { return c.name + " (" + c.text + ")" }

// origin is whom the client's attempts are counted for.
func (c *caller) origin() netip.Prefix { return household(c.addr) }

// ask looks for the client's name. One that does not lead back to the address
// is not believed.
func (c *caller) ask(ctx context.Context, r Resolver) {
	if c.asked || !c.addr.IsValid() {
		return
	}
	c.asked, c.name = true, unknown
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	names, err := r.LookupAddr(ctx, c.addr.String())
	if err != nil || len(names) == 0 {
		c.broken = unanswered(err)
		return
	}
	name := strings.ToLower(strings.TrimSuffix(names[0], "."))
	addrs, err := r.LookupNetIP(ctx, "ip", name)
	if err != nil {
		c.broken = unanswered(err)
		return
	}
	plain := c.addr.WithZone("")
	if slices.ContainsFunc(addrs, func(a netip.Addr) bool { return a.Unmap().WithZone("") == plain }) {
		c.name = name
	}
}

// unanswered reports whether a lookup failed without an answer, which another
// time might be given.
func unanswered(err error) bool {
	var de *net.DNSError
	return err != nil && !(errors.As(err, &de) && de.IsNotFound)
}

// hostPattern is an element of "hosts allow" or "hosts deny".
type hostPattern struct {
	text string       // in lower case
	net  netip.Prefix // where it is an address or a network
	zone string       // its scope
	name bool         // a host's plain name, which has addresses
}

// parseHost reads a pattern. // access.c:match_address
func parseHost(text string) (hostPattern, error) {
	p := hostPattern{text: text}
	if strings.HasPrefix(text, "@") {
		return p, fmt.Errorf("%q: netgroups are not supported; name the hosts or their network", text)
	}
	base, mask, masked := strings.Cut(text, "/")
	base, p.zone, _ = strings.Cut(base, "%")
	addr, err := netip.ParseAddr(base)
	if err != nil {
		switch {
		case masked || strings.Contains(base, ":") && !strings.ContainsAny(base, "*?["):
			return p, fmt.Errorf("%q is no address or network", text)
		case strings.Trim(base, ".0123456789") == "":
			return p, fmt.Errorf("%q is no whole address; for a network write it like 192.168.1.0/24", text)
		}
		p.name = !strings.ContainsAny(text, ":/*?[")
		return p, nil
	}
	bits := addr.BitLen()
	if masked {
		if bits, err = maskBits(mask, addr); err != nil {
			return p, fmt.Errorf("%q: %w", text, err)
		}
	}
	p.net, err = addr.Prefix(bits)
	if was := addr; was.Is4In6() && bits >= 96 && err == nil {
		p.net, err = was.Unmap().Prefix(bits - 96)
	}
	return p, err
}

// maskBits reads the part behind the slash: a count of bits or a mask whose
// ones come first.
func maskBits(mask string, addr netip.Addr) (int, error) {
	if n, err := strconv.ParseUint(mask, 10, 8); err == nil && int(n) <= addr.BitLen() {
		return int(n), nil
	}
	m, err := netip.ParseAddr(mask)
	if err != nil || m.BitLen() != addr.BitLen() {
		return 0, fmt.Errorf("%q is no mask for such an address", mask)
	}
	ones, size := net.IPMask(m.AsSlice()).Size()
	if size == 0 {
		return 0, fmt.Errorf("the ones of mask %q are not all in front", mask)
	}
	return ones, nil
}

// hostRules are the two lists of a module.
type hostRules struct {
	allow, deny []hostPattern
	forward     bool // ask for the addresses of names
}

// hostRulesOf reads a module's lists.
func hostRulesOf(m *conf.Module) (hostRules, error) {
	h := hostRules{forward: m.ForwardLookup}
	var errs []error
	for _, l := range []struct {
		name, text string
		to         *[]hostPattern
	}{{"hosts allow", m.HostsAllow, &h.allow}, {"hosts deny", m.HostsDeny, &h.deny}} {
		for _, word := range conf.Hosts(l.text) {
			p, err := parseHost(word)
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", l.name, err))
			}
			*l.to = append(*l.to, p)
		}
	}
	return h, errors.Join(errs...)
}

// admits decides about a client: whoever is allowed comes in, then whoever is
// denied stays out, and of the others all come in unless there is a list of
// those who are allowed and no other. Where a name cannot be looked up, it is
// taken as no reason to allow, and as one to deny. // access.c:allow_access
func (h hostRules) admits(ctx context.Context, r Resolver, c *caller) bool {
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	for _, p := range h.allow {
		if h.fits(ctx, r, p, c, false) {
			return true
		}
	}
	if len(h.allow) > 0 && len(h.deny) == 0 {
		return false
	}
	for _, p := range h.deny {
		if h.fits(ctx, r, p, c, true) {
			return false
		}
	}
	return true
}

// fits reports whether a client is meant by a pattern; doubt is the answer
// where that cannot be found out.
func (h hostRules) fits(ctx context.Context, r Resolver, p hostPattern, c *caller, doubt bool) bool {
	if p.net.IsValid() {
		return p.net.Contains(c.addr.WithZone("")) && (p.zone == "" || p.zone == strings.ToLower(c.addr.Zone()))
	}
	switch {
	case filter.Glob(p.text, strings.ToLower(c.name)):
		return true
	case doubt && c.broken:
		return true
	case !p.name || !h.forward:
		return false
	}
	addrs, err := r.LookupNetIP(ctx, "ip", p.text)
	if err != nil {
		return doubt
	}
	for _, a := range addrs {
		if a.Unmap().WithZone("") == c.addr.WithZone("") {
			if c.name == undetermined {
				c.name = p.text
			}
			return true
		}
	}
	return false
}
