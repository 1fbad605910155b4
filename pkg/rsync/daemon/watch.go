package daemon

import (
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Doing is what a client is about.
type Doing string

// What clients do, in the order in which it happens.
const (
	Talking   Doing = "talks" // has not said what it wants, or logs in
	Listing   Doing = "lists modules"
	Waiting   Doing = "waits for a place"
	Receiving Doing = "downloads"
	Sending   Doing = "uploads"
)

// Visit is a connection, as far as it is known.
type Visit struct {
	Number  uint64 // of the session
	Since   time.Time
	Address string // of the client
	Host    string // its name, "" if it was not asked for
	User    string // who has logged in, "" for nobody
	Module  string // "" until it is known
	Request string // the paths, as the client asks for them
	Doing   Doing
	// Moved gives the bytes that have come from the client and that it has
	// acknowledged so far. It may be called at any time, also after the end.
	Moved func() (in, out int64)
}

// Watcher hears of a server's visits. Its methods are called from the goroutines
// of the sessions and must not block for long.
type Watcher interface {
	// Seen is called with a visit that has begun or of which more is known.
	Seen(Visit)
	// Left is called at a visit's end, once for each; exit is its code.
	Left(v Visit, exit int)
	// Refused is called for a connection for which there was no room.
	Refused(address, why string)
}

// seen tells the watcher what has become known.
func (c *session) seen(change func(*Visit)) {
	if c.Watch == nil {
		return
	}
	change(&c.visit)
	c.Watch.Seen(c.visit)
}

// moved asks the kernel what has passed over a connection, which it knows for
// the connections of workers as well; 0 where it does not (before Linux 4.2).
func moved(conn net.Conn) func() (in, out int64) {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return func() (in, out int64) { return 0, 0 }
	}
	var lastIn, lastOut atomic.Int64
	return func() (in, out int64) {
		if raw, err := sc.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) { // a closed connection has what it had
				if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
					lastIn.Store(int64(info.Bytes_received))
					lastOut.Store(int64(info.Bytes_acked))
				}
			})
		}
		return lastIn.Load(), lastOut.Load()
	}
}
