package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"

	sd "github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"github.com/empegsync/empegsync/pkg/rsync/conf"
	"github.com/empegsync/empegsync/pkg/rsync/daemon"
)

// listen returns the socket that systemd or the like has opened for us, so that
// not even the port needs root, else it opens the one that is configured.
func (c *serveCmd) listen(ctx context.Context, g conf.Global) (net.Listener, error) {
	n, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	if pid := os.Getenv("LISTEN_PID"); err != nil || pid != strconv.Itoa(os.Getpid()) {
		return daemon.Listen(ctx, g, c.Address)
	}
	if n != 1 {
		return nil, fmt.Errorf("the service manager hands over %d sockets: one is served, which takes IPv4 and IPv6 as well (ListenStream=873)", n)
	}
	f := os.NewFile(firstHanded, "the service manager's socket")
	defer f.Close() // the listener has a copy
	ln, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("take over the service manager's socket: %w (it has to listen: Accept=no, ListenStream=)", err)
	}
	return ln, nil
}

// firstHanded is the first descriptor of those that are handed over
// (sd_listen_fds(3)). go-systemd's package for this would link all of TLS.
const firstHanded = 3

// tell says to the service manager how we are; without one, nobody hears it.
func tell(state string) { _, _ = sd.SdNotify(false, state) }

// monotonic is the time of CLOCK_MONOTONIC in microseconds, by which systemd
// tells one reload from the next.
func monotonic() int64 {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) != nil {
		return 0
	}
	return ts.Nano() / 1000
}
