package access

import (
	"io"
	"log/slog"
	"net"
	"net/netip"
	"testing"
)

func TestList(t *testing.T) {
	var l List
	for _, s := range []string{"10.13.18.1", "10.13.19.*", "10.13.20.1?", "192.168.0.0/24", "2001:db8::/32", "fe80::1"} {
		if err := l.Add(s); err != nil {
			t.Error(err)
		}
	}
	for a, want := range map[string]bool{
		"10.13.18.1": true, "10.13.18.199": false, "110.13.18.1": false, "10.13.18.10": false,
		"10.13.19.0": true, "10.13.19.255": true, "10.13.1.9": false,
		"10.13.20.10": true, "10.13.20.1": false, "10.13.20.100": false,
		"192.168.0.77": true, "192.168.1.77": false, "::ffff:192.168.0.77": true,
		"2001:db8:1::1": true, "2001:db9::1": false, "fe80::1%eth0": true,
		"127.0.0.1": true, "127.9.9.9": true, "::1": true,
	} {
		if got := l.Allows(netip.MustParseAddr(a)); got != want {
			t.Errorf("%s: %v", a, got)
		}
	}
	for _, bad := range []string{"", "10.13.18", "10.13.18.1.5", "name", "10.13.18.a", "10.0.0.0/33", "10.13.18.*|.*"} {
		if err := l.Add(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// from is a connection with a made-up peer.
type from struct {
	net.Conn
	addr net.Addr
}

func (f from) RemoteAddr() net.Addr { return f.addr }

type calls struct {
	net.Listener
	conns []net.Conn
}

func (c *calls) Accept() (net.Conn, error) {
	if len(c.conns) == 0 {
		return nil, net.ErrClosed
	}
	first := c.conns[0]
	c.conns = c.conns[1:]
	return first, nil
}

func TestListener(t *testing.T) {
	stranger, far := net.Pipe()
	friend, _ := net.Pipe()
	in := &calls{conns: []net.Conn{
		from{stranger, &net.TCPAddr{IP: net.IPv4(203, 0, 113, 9), Port: 1}},
		from{friend, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 2}},
	}}
	l := &Listener{Listener: in, List: &List{}, Log: slog.New(slog.DiscardHandler)}
	c, err := l.Accept()
	if err != nil || c.RemoteAddr().String() != "127.0.0.1:2" {
		t.Errorf("accepted %v, %v", c, err)
	}
	if _, err := far.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the stranger's connection: %v", err)
	}
}

func FuzzAdd(f *testing.F) {
	f.Add("10.13.18.*", "10.13.18.1")
	f.Add("::/0", "1.2.3.4")
	f.Fuzz(func(t *testing.T, s, addr string) {
		var l List
		a, err := netip.ParseAddr(addr)
		if l.Add(s) != nil || err != nil {
			return
		}
		if l.Allows(a) != l.Allows(a.Unmap()) {
			t.Errorf("%q: %q depends on how it is written", s, addr)
		}
	})
}
