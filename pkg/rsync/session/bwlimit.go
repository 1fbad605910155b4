package session

import (
	"net"
	"sync"
	"time"
)

// limitedConn writes no faster than it may.
type limitedConn struct {
	net.Conn
	rate   float64 // bytes a second
	chunk  int     // bytes that are written at once
	free   time.Time
	closed chan struct{}
	once   sync.Once
}

// minChunk is the least that is written at once under a limit, in bytes
// (main.c: bwlimit_writemax).
const minChunk = 512

// LimitRate wraps a connection so that it writes at most so many KiB a second,
// in portions of an eighth of a second (io.c:sleep_for_bwlimit). Time in which
// nothing is written is not made up for. One goroutine may write at a time.
func LimitRate(c net.Conn, kib int64) net.Conn {
	if kib <= 0 {
		return c
	}
	const most = 1 << 20 // of a second's eighth, in KiB
	return &limitedConn{
		Conn: c, rate: float64(kib) * 1024, chunk: max(int(min(kib, most))*128, minChunk), closed: make(chan struct{}),
	}
}

// Write implements net.Conn.
func (l *limitedConn) Write(p []byte) (int, error) {
	written := 0
	for written < len(p) {
		if !l.wait() {
			return written, net.ErrClosed
		}
		n, err := l.Conn.Write(p[written:min(len(p), written+l.chunk)])
		written += n
		l.free = l.free.Add(time.Duration(float64(n) / l.rate * float64(time.Second)))
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// wait waits until more may be written; false if the connection is closed.
func (l *limitedConn) wait() bool {
	now := time.Now()
	if l.free.Before(now) {
		l.free = now
		return true
	}
	t := time.NewTimer(l.free.Sub(now))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-l.closed:
		return false
	}
}

// Close implements net.Conn; a writer that waits returns.
func (l *limitedConn) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Conn.Close()
}
