package daemon

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/conf"
)

// zone is a Resolver made of tables.
type zone struct {
	names map[string]string   // address: name
	addrs map[string][]string // name: addresses
}

func (z zone) LookupAddr(_ context.Context, addr string) ([]string, error) {
	switch n, ok := z.names[addr]; {
	case n == "broken":
		return nil, errors.New("server misbehaving")
	case ok:
		return []string{n}, nil
	}
	return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
}

func (z zone) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	list, ok := z.addrs[host]
	if !ok {
		return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
	}
	var addrs []netip.Addr
	for _, a := range list {
		addrs = append(addrs, netip.MustParseAddr(a))
	}
	return addrs, nil
}

func testZone() zone {
	return zone{
		names: map[string]string{
			"10.0.0.1": "One.Example.org.", "10.0.0.2": "liar.example.org.", "10.0.0.3": "broken", "10.0.0.4": "gone.example.org",
			"2001:db8::1": "six.example.org",
		},
		addrs: map[string][]string{
			"one.example.org": {"10.9.9.9", "10.0.0.1"}, "liar.example.org": {"10.0.0.1"}, "six.example.org": {"2001:db8::1"},
			"mapped.example.org": {"::ffff:10.0.0.5"},
		},
	}
}

func TestHosts(t *testing.T) {
	const one, liar, broken, nameless, six = "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.5", "2001:db8::1"
	for _, tt := range []struct {
		allow, deny, from string
		want              bool
	}{
		{"", "", one, true},
		{"10.0.0.1", "", one, true},
		{"10.0.0.1", "", liar, false},
		{"10.0.0.2 , 10.0.0.1", "", one, true},
		{"10.0.0.2", "10.0.0.9", one, true},
		{"10.0.0.2", "*", one, false},
		{"10.0.0.0/30", "*", one, true},
		{"10.0.0.0/31", "", liar, false},
		{"10.0.0.0/255.255.255.254", "", one, true},
		{"0.0.0.0/0", "*", one, true},
		{"0.0.0.0/0", "*", six, false},
		{"::/0", "*", six, true},
		{"::/0", "*", one, false},
		{"2001:db8::/32", "", six, true},
		{"2001:DB8::/ffff:ffff::", "", six, true},
		{"2001:db8:0:0::1", "", six, true},
		{"2001:db8::2", "", six, false},
		{"fe80::/64", "", "fe80::1%eth0", true},
		{"fe80::1%ETH0", "", "fe80::1%eth0", true},
		{"fe80::%eth1/64", "", "fe80::1%eth0", false},
		{"10.0.0.1", "", "::ffff:10.0.0.1", true},
		{"::ffff:10.0.0.1", "", "10.0.0.1", true},
		{"::ffff:10.0.0.0/120", "", "10.0.0.1", true},
		{"ONE.example.ORG", "", one, true},
		{"*.example.org", "", one, true},
		{"*.EXAMPLE.org", "", liar, false}, // not believed
		{"[a-o]*.example.org", "", one, true},
		{"*.example.org", "", nameless, false},
		{"mapped.example.org", "", nameless, true}, // the name's address
		{"", "*.example.org", one, false},
		{"", "*.example.org", nameless, true},
		{"", "*.example.org", broken, false}, // who knows?
		{"*.example.org", "", broken, false},
		{"", "liar.example.org", one, false}, // has the address of one
		{"", "no.such.host", one, false},     // nobody knows whom that means
		{"no.such.host", "", one, false},
		{"10.0.0.1", "no.such.host", one, true},
		{"", "*", one, false},
	} {
		rules, err := hostRulesOf(&conf.Module{HostsAllow: tt.allow, HostsDeny: tt.deny, ForwardLookup: true})
		if err != nil {
			t.Errorf("%q, %q: %v", tt.allow, tt.deny, err)
			continue
		}
		c := newCaller(tt.from)
		c.ask(t.Context(), testZone())
		if got := rules.admits(t.Context(), testZone(), &c); got != tt.want {
			t.Errorf("allow %q, deny %q: %s is let in: %v", tt.allow, tt.deny, &c, got)
		}
	}
}

func TestHostPatternErrors(t *testing.T) {
	for _, list := range []string{
		"10.0.0", "10.", "10.0.0.0/33", "10.0.0.0/255.0.255.0", "10.0.0.0/x", "::1/129", "::/255.0.0.0", "name/8", "1:2:3", "@group", "300.1.1.1", "10.0.0.0/",
	} {
		if rules, err := hostRulesOf(&conf.Module{HostsDeny: list}); err == nil {
			t.Errorf("%q is taken: %+v", list, rules)
		}
	}
}

func TestCallerName(t *testing.T) {
	for from, want := range map[string]string{
		"10.0.0.1": "one.example.org (10.0.0.1)", "10.0.0.2": "UNKNOWN (10.0.0.2)", "10.0.0.3": "UNKNOWN (10.0.0.3)",
		"10.0.0.4": "UNKNOWN (10.0.0.4)", "::ffff:10.0.0.1": "one.example.org (10.0.0.1)", "2001:db8:0:0::1": "six.example.org (2001:db8::1)",
		"unknown": "UNDETERMINED (unknown)",
	} {
		c := newCaller(from)
		c.ask(t.Context(), testZone())
		if c.String() != want {
			t.Errorf("%s is %s, want %s", from, &c, want)
		}
	}
}

func FuzzHosts(f *testing.F) {
	f.Add("10.0.0.0/8 *.x,[::1] fe80::%e/10", "10.0.0.1")
	f.Add("::ffff:10.0.0.0/90 @x / % a/b", "fe80::1%eth0")
	f.Fuzz(func(t *testing.T, list, from string) {
		c := newCaller(from)
		for _, word := range conf.Hosts(list) {
			if p, err := parseHost(word); err == nil {
				(hostRules{allow: []hostPattern{p}, forward: true}).admits(t.Context(), zone{}, &c)
			}
		}
	})
}
