package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync"

	"github.com/empegsync/empegsync/pkg/rsync/daemon"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	farend "github.com/empegsync/empegsync/pkg/rsync/server"
)

// stdio makes a connection of the streams that whoever started us holds.
func stdio(s *streams) (net.Conn, func(), error) {
	in, inOK := s.in.(*os.File)
	out, outOK := s.out.(*os.File)
	if !inOK || !outOK {
		return nil, nil, proto.Failf(proto.ExitIPC, "--server needs a real standard input and output")
	}
	conn, restore, err := farend.Stdio(in, out)
	return conn, restore, proto.Fail(proto.ExitIPC, err)
}

// serveStdio is the far end of somebody else's transfer.
func serveStdio(ctx context.Context, opt *options.Options, words []string, s *streams) int {
	conn, restore, err := stdio(s)
	if err != nil {
		return rsyncError(s.err, "rsync: "+err.Error(), proto.ExitCode(err), "server")
	}
	defer restore()
	if opt.Incomplete {
		if opt, err = farend.ReadSecluded(ctx, conn, words); err != nil {
			return rsyncError(s.err, "rsync: "+err.Error(), proto.ExitCode(err), "server")
		}
	}
	session := &farend.Session{Options: opt, Conn: conn, Err: s.err, Umask: umask()}
	return int(proto.ExitCode(session.Run(ctx)))
}

// shellConfig is what a daemon behind a remote shell reads for a user other
// than root, in the directory where it starts (rsync(1), --config).
const shellConfig = "rsyncd.conf"

// daemonStdio is a daemon for one connection, which a remote shell brings.
func daemonStdio(ctx context.Context, opt *options.Options, s *streams) int {
	c := &serveCmd{Config: opt.Config}
	c.Root = "/"
	if c.Config == "" {
		c.Config = "/etc/rsyncd.conf"
		if os.Geteuid() != 0 {
			c.Config = shellConfig
		}
	}
	cfg, _, err := c.load()
	if err != nil {
		return rsyncError(s.err, "rsync: "+err.Error(), proto.ExitSyntax, "daemon")
	}
	conn, restore, err := stdio(s)
	if err != nil {
		return rsyncError(s.err, "rsync: "+err.Error(), proto.ExitCode(err), "daemon")
	}
	defer restore()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// What goes wrong is told to the client; its terminal is no place for a log.
	log := slog.New(daemon.NewLogHandler(&logFile{name: cfg.Global.LogFile, spare: io.Discard}))
	srv := &daemon.Server{Config: cfg, Log: log, Umask: umask(), Grace: grace, Motd: motd(cfg.Global.MotdFile, log)}
	if err := srv.Serve(ctx, newOneCall(conn, cancel)); err != nil {
		return rsyncError(s.err, "rsync: "+err.Error(), proto.ExitSyntax, "daemon")
	}
	return exitOK
}

// oneCall is a listener for a connection that is there already: the first
// Accept returns it, the next waits until it is over.
type oneCall struct {
	calls chan net.Conn
	over  chan struct{}
	once  sync.Once
	addr  net.Addr
}

// newOneCall returns the listener; ended is called when the connection has been
// closed.
func newOneCall(conn net.Conn, ended func()) *oneCall {
	l := &oneCall{calls: make(chan net.Conn, 1), over: make(chan struct{}), addr: conn.LocalAddr()}
	l.calls <- &onlyCall{Conn: conn, ended: ended}
	return l
}

// Accept implements net.Listener.
func (l *oneCall) Accept() (net.Conn, error) {
	select {
	case c := <-l.calls:
		return c, nil
	case <-l.over:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *oneCall) Close() error {
	l.once.Do(func() { close(l.over) })
	return nil
}

// Addr implements net.Listener.
func (l *oneCall) Addr() net.Addr { return l.addr }

// onlyCall is the connection of a oneCall.
type onlyCall struct {
	net.Conn
	ended func()
}

// Close implements net.Conn.
func (c *onlyCall) Close() error {
	err := c.Conn.Close()
	c.ended()
	return err
}

// CloseWrite ends what the client reads, while what it says still comes in.
func (c *onlyCall) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// runDaemon is "rsync --daemon": the verb serve in rsync's words, always in the
// foreground.
func runDaemon(ctx context.Context, opt *options.Options, s *streams) int {
	if !opt.NoDetach {
		return rsyncError(s.err, "rsync: a daemon in the background is not supported: add --no-detach, and \"&\" in the shell",
			proto.ExitUnsupported, "daemon")
	}
	c := &serveCmd{Config: opt.Config}
	c.Root = "/"
	cfg, _, err := c.load()
	if err == nil && (opt.Port != 0 || opt.Address != "") {
		host, port := opt.Address, opt.Port
		if host == "" {
			host = cfg.Global.Address
		}
		if port == 0 {
			port = cfg.Global.Port
		}
		if port == 0 {
			port = 873
		}
		c.Address = net.JoinHostPort(host, strconv.Itoa(port))
	}
	if err == nil {
		err = c.Run(ctx, &streams{s.in, io.Discard, s.err})
	}
	if err != nil {
		return rsyncError(s.err, "rsync: "+err.Error(), proto.ExitSocketIO, "daemon")
	}
	return exitOK
}
