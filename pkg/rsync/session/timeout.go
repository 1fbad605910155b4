package session

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// idleConn ends a connection on which nothing moves for too long.
type idleConn struct {
	net.Conn
	idle time.Duration
	last atomic.Int64 // time of the last success, in ns since start
	zero time.Time
	deaf atomic.Bool
}

// IdleTimeout wraps a connection so that a read or a write fails with
// os.ErrDeadlineExceeded when neither has moved anything for d; a write that
// stops in its middle may take twice as long to tell. It sets c's deadlines for
// each read and write: those that others set are lost.
func IdleTimeout(c net.Conn, d time.Duration) net.Conn {
	return &idleConn{Conn: c, idle: d, zero: time.Now()}
}

// Touch counts as something that moved on a connection of IdleTimeout: this side
// is at work, and the peer has no way to be heard meanwhile.
func Touch(c net.Conn) {
	if idle, ok := c.(*idleConn); ok {
		idle.last.Store(int64(time.Since(idle.zero)))
	}
}

// Deafen has reads from a connection fail from now on, also those that wait, and
// leaves writing as it is. A deadline for reading that is set later, on what is
// below an IdleTimeout, ends that.
func Deafen(c net.Conn) error {
	if idle, ok := c.(*idleConn); ok {
		idle.deaf.Store(true)
	}
	return c.SetReadDeadline(time.Unix(1, 0))
}

func (c *idleConn) Read(p []byte) (int, error) {
	return c.try(func() (int, error) {
		if c.deaf.Load() {
			return 0, net.ErrClosed
		}
		return c.Conn.Read(p)
	}, c.SetReadDeadline)
}

func (c *idleConn) Write(p []byte) (int, error) {
	written := 0
	for {
		n, err := c.try(func() (int, error) { return c.Conn.Write(p[written:]) }, c.SetWriteDeadline)
		if written += n; err != nil || written == len(p) {
			return written, err
		}
	}
}

// try repeats f past its deadline as long as the other direction moves.
func (c *idleConn) try(f func() (int, error), deadline func(time.Time) error) (int, error) {
	start := time.Since(c.zero)
	for {
		from := max(start, time.Duration(c.last.Load()))
		if err := deadline(c.zero.Add(from + c.idle)); err != nil {
			return 0, err
		}
		n, err := f()
		if n > 0 || err == nil {
			c.last.Store(int64(time.Since(c.zero)))
			return n, nil
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		if time.Duration(c.last.Load()) <= from {
			return n, fmt.Errorf("nothing has moved on the connection for %v: %w", c.idle, err)
		}
	}
}
