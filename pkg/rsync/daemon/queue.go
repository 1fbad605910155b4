package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/empegsync/empegsync/pkg/rsync/conf"
)

// lines are the queues for the places of "max connections", one for each lock
// file. Who has come first is served first. The zero value is ready.
type lines struct {
	mu sync.Mutex
	by map[string][]*waiter
}

// waiter is one client; it has a size so that no two have one address.
type waiter struct{ _ byte }

// errQueueFull is returned by join when as many wait as may.
var errQueueFull = errors.New("the queue is full")

// join takes a place at the end of a queue, unless most are waiting already.
func (l *lines) join(name string, most int) (*waiter, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.by[name]) >= most {
		return nil, errQueueFull
	}
	if l.by == nil {
		l.by = map[string][]*waiter{}
	}
	w := new(waiter)
	l.by[name] = append(l.by[name], w)
	return w, nil
}

// ahead is how many come before w, or how many there are if w is nil.
func (l *lines) ahead(name string, w *waiter) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w == nil {
		return len(l.by[name])
	}
	return slices.Index(l.by[name], w)
}

func (l *lines) leave(name string, w *waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.by[name] = slices.DeleteFunc(l.by[name], func(o *waiter) bool { return o == w }); len(l.by[name]) == 0 {
		delete(l.by, name)
	}
}

const (
	// queueLook is how often those who wait look whether it is their turn.
	queueLook = 100 * time.Millisecond
	// queueNews is how often they hear of it while nothing changes, so that no
	// timeout of theirs or of a router between ends the wait, and queueChange
	// how often at most when something does.
	queueNews   = 30 * time.Second
	queueChange = 5 * time.Second
	// queueHello is how long who has got a place out of the queue may take until
	// the transfer: the place is held already.
	queueHello = 15 * time.Second
)

// errGone is the end of a session whose client has left, or must leave, while it
// waited.
var errGone = errors.New("the client has gone")

// await looks whether the module has a place. Where it has no queue that is all:
// the place is taken when there is something to transfer, so that those who
// merely talk hold none. With a queue whose turn it is has the place, and little
// time to use it. Clients see what they wait for: they show lines that come
// before the module's answer.
func (c *session) await(ctx context.Context, m *conf.Module) error {
	if m.MaxQueue == 0 || m.MaxConnections <= 0 {
		release, err := c.slots.claim(m.LockFile, m.MaxConnections)
		if err == nil {
			release()
		}
		return err
	}
	if c.lines.ahead(m.LockFile, nil) == 0 {
		release, err := c.slots.claim(m.LockFile, m.MaxConnections)
		if !errors.Is(err, errFull) {
			c.release = release
			return errors.Join(err, c.hurry())
		}
	}
	w, err := c.lines.join(m.LockFile, m.MaxQueue)
	if err != nil {
		return err
	}
	defer c.lines.leave(m.LockFile, w)
	until := time.Now().Add(time.Duration(m.QueueTime) * time.Second)
	if !c.settle() || c.conn.SetDeadline(until.Add(queueHello)) != nil {
		return errGone
	}
	c.note("%s waits for a place in module %s", &c.who, m.Name)
	c.seen(func(v *Visit) { v.Doing = Waiting })
	if err := c.turn(ctx, m, w, until); err != nil {
		return err
	}
	return c.hurry()
}

// hurry gives the client a little time to get to its transfer.
func (c *session) hurry() error {
	c.until = time.Now().Add(min(queueHello, c.patience()))
	return c.conn.SetDeadline(c.until)
}

// turn waits until w is the first in its queue and there is a place.
func (c *session) turn(ctx context.Context, m *conf.Module, w *waiter, until time.Time) error {
	tick := time.NewTicker(queueLook)
	defer tick.Stop()
	told, toldAt := -1, time.Time{}
	for {
		ahead := c.lines.ahead(m.LockFile, w)
		if ahead == 0 {
			release, err := c.slots.claim(m.LockFile, m.MaxConnections)
			if !errors.Is(err, errFull) {
				c.release = release
				return err
			}
		}
		now := time.Now()
		if now.After(until) {
			return errFull
		}
		if since := now.Sub(toldAt); since > queueNews || ahead != told && since > queueChange {
			told, toldAt = ahead, now
			fmt.Fprintf(c.w, "All %d places are taken. You are number %d of those who wait: it goes on by itself.\n", m.MaxConnections, ahead+1)
			if c.w.Flush() != nil {
				return errGone
			}
		}
		select {
		case <-ctx.Done():
			return errGone
		case <-tick.C:
		}
		if !c.settle() || hungUp(c.conn) {
			return errGone
		}
	}
}

// hungUp reports whether the peer has closed a connection. Nothing is read.
func hungUp(conn net.Conn) bool {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return true
	}
	gone := false
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		n, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		gone = n == 0 && err == nil || err != nil && err != unix.EAGAIN && err != unix.EINTR
	})
	return gone || err != nil
}

// noPlace logs why there is no place and returns what the client is told.
func (c *session) noPlace(m *conf.Module, err error) string {
	switch {
	case errors.Is(err, errQueueFull):
		c.note("max connections (%d) reached, and %d wait", m.MaxConnections, m.MaxQueue)
		return fmt.Sprintf("max connections (%d) reached, and as many as may are waiting (%d) -- try again later", m.MaxConnections, m.MaxQueue)
	case errors.Is(err, errFull):
		c.note("max connections (%d) reached", m.MaxConnections)
		return fmt.Sprintf("max connections (%d) reached -- try again later", m.MaxConnections)
	}
	c.log.Error("failed to open lock file "+quoted(m.LockFile), "err", err)
	return "failed to open lock file"
}
