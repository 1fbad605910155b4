package daemon

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// Limits that a [Server] has where its fields name none.
const (
	// DefaultMaxConnections is more than a network of players needs.
	DefaultMaxConnections = 256
	// DefaultMaxPerAddress leaves room for several networks behind one address.
	DefaultMaxPerAddress = 64
	// DefaultHelloTimeout is C rsync's for a client that must answer.
	DefaultHelloTimeout = 60 * time.Second
)

const (
	// filesPerSession is what one session may need in file descriptors: the
	// connection, a worker's pipes, folders and files that are open.
	filesPerSession = 16
	// maxFarewells is how many turned-away clients are told why at a time.
	maxFarewells = 16
	// lingerTime and lingerBytes bound how long a session that is over waits
	// for its client to read the last words; strangerBytes is for those who have
	// not said what they want.
	lingerTime    = 2 * time.Second
	lingerBytes   = 4 << 20
	strangerBytes = 16 << 10
)

// guests keeps count of the connections and decides who may stay.
type guests struct {
	mu         sync.Mutex
	max        int
	perAddress int
	all        []*guest // oldest first
	byAddress  map[netip.Prefix]int
	closed     bool
}

// guest is one connection.
type guest struct {
	conn    net.Conn
	from    netip.Prefix
	settled bool // its transfer has begun
	gone    bool // no longer counted
}

func newGuests(maximum, perAddress int) *guests {
	g := &guests{byAddress: map[netip.Prefix]int{}}
	g.limit(maximum, perAddress)
	return g
}

// limit sets the bounds, 0 for the defaults. Those who are there may stay.
func (g *guests) limit(maximum, perAddress int) {
	if maximum <= 0 {
		maximum = DefaultMaxConnections
	}
	if perAddress <= 0 {
		perAddress = DefaultMaxPerAddress
	}
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err == nil {
		maximum = int(min(uint64(maximum), max(uint64(lim.Cur)/filesPerSession, 1)))
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.max, g.perAddress = maximum, perAddress
}

// origin is whom a client at an address is counted for.
func origin(from string) netip.Prefix {
	addr, err := netip.ParseAddr(from)
	if err != nil {
		return netip.Prefix{}
	}
	return household(addr)
}

// household is an IPv4 address or a network of 64 bits, which in IPv6 one
// household has to itself.
func household(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := 32
	if addr.Is6() {
		bits = 64
	}
	p, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// admit counts a new connection. Where a limit is reached, one that has not begun
// its transfer has to go, see evict; if there is none, the new one is turned away
// with the reason.
func (g *guests) admit(conn net.Conn, from string) (*guest, string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := &guest{conn: conn, from: origin(from)}
	if g.byAddress[n.from] >= g.perAddress && !g.evict(&n.from) {
		return nil, fmt.Sprintf("max connections from one address (%d) reached -- try again later", g.perAddress)
	}
	if len(g.all) >= g.max && !g.evict(nil) {
		return nil, fmt.Sprintf("max connections (%d) reached -- try again later", g.max)
	}
	g.all = append(g.all, n)
	g.byAddress[n.from]++
	return n, ""
}

// evict closes a connection without a transfer: of an address, or of the one
// that has the most of them, so that a swarm from few addresses drives out its
// own and not who comes alone. The oldest has to go first.
func (g *guests) evict(from *netip.Prefix) bool {
	idle := make(map[netip.Prefix]int)
	var victim *guest
	for _, o := range g.all {
		if !o.settled {
			idle[o.from]++
		}
	}
	for _, o := range g.all {
		if !o.settled && (from == nil || o.from == *from) && (victim == nil || idle[o.from] > idle[victim.from]) {
			victim = o
		}
	}
	if victim == nil {
		return false
	}
	victim.conn.Close()
	g.forget(victim)
	return true
}

// forget takes a guest out of the counts; g.mu is held.
func (g *guests) forget(o *guest) {
	if o.gone {
		return
	}
	o.gone = true
	for i := range g.all {
		if g.all[i] == o {
			g.all = append(g.all[:i], g.all[i+1:]...)
			break
		}
	}
	if g.byAddress[o.from]--; g.byAddress[o.from] <= 0 {
		delete(g.byAddress, o.from)
	}
}

// settle notes that a guest's transfer begins; false if it must not, since the
// guest had to make room or the daemon stops.
func (g *guests) settle(o *guest) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	o.settled = !o.gone && !g.closed
	return o.settled
}

func (g *guests) leave(o *guest) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.forget(o)
}

// close sends away everyone whose transfer has not begun, and lets none begin.
func (g *guests) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	for _, o := range g.all {
		if !o.settled {
			o.conn.Close()
		}
	}
}
