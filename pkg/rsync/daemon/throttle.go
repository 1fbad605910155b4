package daemon

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/empegsync/empegsync/pkg/rsync/conf"
)

// rations are the limits on bandwidth that transfers share: those of a module,
// and those of an address in a module. The zero value is ready.
type rations struct {
	mu sync.Mutex
	by map[rationKey]*ration
}

// rationKey names a ration; all addresses together have the zero prefix.
type rationKey struct {
	module string
	from   netip.Prefix
	rate   int64 // bytes per second; transfers under way keep theirs
}

// ration bounds each direction for itself.
type ration struct {
	in, out *rate.Limiter
	users   int
}

// The least and the most that is moved at once under a limit, in bytes, and how
// many such portions a second has if they lie between.
const (
	minPortion, maxPortion = 512, 16 << 10
	portionsPerSecond      = 8
)

func portion(bytesPerSecond int64) int {
	return int(min(max(bytesPerSecond/portionsPerSecond, minPortion), maxPortion))
}

// take gets a share of a ration; release gives it back.
func (r *rations) take(k rationKey) (share *ration, release func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	share = r.by[k]
	if share == nil {
		limiter := func() *rate.Limiter { return rate.NewLimiter(rate.Limit(k.rate), portion(k.rate)) }
		share = &ration{in: limiter(), out: limiter()}
		if r.by == nil {
			r.by = map[rationKey]*ration{}
		}
		r.by[k] = share
	}
	share.users++
	return share, sync.OnceFunc(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if share.users--; share.users == 0 {
			delete(r.by, k)
		}
	})
}

// throttle puts the module's limits around the session's connection, if it has
// any. release is for the session's end.
func (c *session) throttle(ctx context.Context, m *conf.Module) (release func()) {
	var done []func()
	t := &throttled{Conn: c.conn, portion: maxPortion}
	for _, k := range []rationKey{{m.Name, netip.Prefix{}, m.Bandwidth}, {m.Name, origin(c.who.text), m.BandwidthPerAddress}} {
		if k.rate == 0 {
			continue
		}
		share, release := c.rations.take(k)
		done = append(done, release)
		t.in, t.out = append(t.in, share.in), append(t.out, share.out)
		t.portion = min(t.portion, portion(k.rate))
	}
	if len(done) == 0 {
		return func() {}
	}
	t.ctx, t.stop = context.WithCancel(ctx)
	c.conn = t
	return func() {
		t.stop()
		for _, f := range done {
			f()
		}
	}
}

// throttled is a connection under limits. Time that is spent on waiting for
// them does not count against a deadline for writing.
type throttled struct {
	net.Conn
	in, out []*rate.Limiter
	portion int
	ctx     context.Context // ends when the connection is closed
	stop    context.CancelFunc

	mu       sync.Mutex
	deadline time.Time // for writing
}

// spend waits until n bytes may pass.
func (t *throttled) spend(limits []*rate.Limiter, n int) error {
	for _, l := range limits {
		if l.WaitN(t.ctx, n) != nil {
			return net.ErrClosed
		}
	}
	return nil
}

// Read implements net.Conn. What has come is paid for before the next comes.
func (t *throttled) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p[:min(len(p), t.portion)])
	if n > 0 && t.spend(t.in, n) != nil {
		return n, net.ErrClosed
	}
	return n, err
}

// Write implements net.Conn.
func (t *throttled) Write(p []byte) (int, error) {
	written := 0
	for written < len(p) {
		part := p[written:min(len(p), written+t.portion)]
		began := time.Now()
		if err := t.spend(t.out, len(part)); err != nil {
			return written, err
		}
		if err := t.postpone(time.Since(began)); err != nil {
			return written, err
		}
		n, err := t.Conn.Write(part)
		written += n
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// postpone moves the deadline for writing.
func (t *throttled) postpone(by time.Duration) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.deadline.IsZero() {
		return nil
	}
	t.deadline = t.deadline.Add(by)
	return t.Conn.SetWriteDeadline(t.deadline)
}

// SetWriteDeadline implements net.Conn.
func (t *throttled) SetWriteDeadline(at time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.deadline = at
	return t.Conn.SetWriteDeadline(at)
}

// SetDeadline implements net.Conn.
func (t *throttled) SetDeadline(at time.Time) error {
	return errors.Join(t.Conn.SetReadDeadline(at), t.SetWriteDeadline(at))
}

// Close implements net.Conn; whoever waits for a limit returns.
func (t *throttled) Close() error {
	t.stop()
	return t.Conn.Close()
}

// CloseWrite and SetLinger are those of TCP connections.

func (t *throttled) CloseWrite() error {
	if half, ok := t.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

func (t *throttled) SetLinger(sec int) error {
	if half, ok := t.Conn.(interface{ SetLinger(int) error }); ok {
		return half.SetLinger(sec)
	}
	return errors.ErrUnsupported
}
