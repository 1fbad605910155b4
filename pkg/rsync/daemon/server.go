package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/conf"
	"github.com/empegsync/empegsync/pkg/rsync/sockopts"
)

// Server is a daemon. Its fields are set before [Server.Serve] and then left
// alone.
type Server struct {
	// Config says what is served. References like %RSYNC_HOST_ADDR% in a
	// module, which only a connection has a value for, are replaced for each
	// client; those to the environment are for whoever reads the file.
	Config *conf.Config
	// Log gets a few lines for each session; lines of a module with a log
	// file of its own go there.
	Log *slog.Logger
	// Lines makes a handler for a module's own log file; nil: NewLogHandler.
	Lines func(io.Writer) slog.Handler
	// Version is the highest protocol version to speak, 0 for the newest.
	Version int
	// Umask holds for uploads whose client does not ask for permissions.
	Umask uint32
	// Motd returns the message of the day, with its newlines; nil: none. It
	// is called for each client, from several goroutines.
	Motd func() string
	// Grace is how long running transfers may go on after Serve is told to
	// stop.
	Grace time.Duration
	// Worker serves a session under another user id; see [Spawn]. Without one,
	// modules whose uid or gid is not the daemon's own are refused.
	Worker func(ctx context.Context, conn *os.File, job Job) error

	// MaxConnections and MaxPerAddress bound the connections at a time, of
	// all clients and of one IPv4 address or IPv6 /64 network; 0 stands for
	// the defaults. A low limit of file descriptors lowers the first further.
	MaxConnections, MaxPerAddress int
	// HelloTimeout is how long a client may take to get to its transfer; 0
	// stands for the default.
	HelloTimeout time.Duration
	// LoginPause is how long an address has to wait after a few failed logins;
	// each further one doubles it. 0 stands for the default, less for none.
	LoginPause time.Duration
	// Resolver answers questions about the names of hosts; nil stands for the
	// system's.
	Resolver Resolver

	// Watch, if not nil, hears who comes and goes.
	Watch Watcher

	sessions atomic.Uint64
	backoff  backoff
	slots    slots
	lines    lines
	rations  rations
	guests   atomic.Pointer[guests]      // nil before Serve
	current  atomic.Pointer[conf.Config] // nil: Config
}

// Reload has clients that come from now on served by another configuration.
// With an error, all stays as it is. What concerns the socket, the pid file
// and the log does not change.
func (s *Server) Reload(cfg *conf.Config) error {
	if err := s.Check(cfg); err != nil {
		return err
	}
	s.current.Store(cfg)
	if g := s.guests.Load(); g != nil {
		g.limit(s.limits(cfg.Global))
	}
	return nil
}

// limits are the bounds of all connections and of those of one address: the
// configuration's, else the server's.
func (s *Server) limits(g conf.Global) (maximum, perAddress int) {
	return cmp.Or(g.TotalConnections, s.MaxConnections), cmp.Or(g.PerAddress, s.MaxPerAddress)
}

// Current is the configuration that holds for whoever comes now.
func (s *Server) Current() *conf.Config {
	if c := s.current.Load(); c != nil {
		return c
	}
	return s.Config
}

func (s *Server) resolver() Resolver {
	if s.Resolver == nil {
		return net.DefaultResolver
	}
	return s.Resolver
}

// Serve accepts connections until ctx ends. Then those who have not got to a
// transfer are sent away, and those who have may go on for Grace, after which
// they are cut off, too. It returns when all sessions have ended, with an
// error if it could not start, or no more clients could be accepted. It closes
// ln.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	defer ln.Close()
	if err := s.Check(s.Config); err != nil {
		return err
	}
	sessions, abort := context.WithCancel(context.WithoutCancel(ctx))
	defer abort()
	stop := context.AfterFunc(ctx, func() { ln.Close() })
	defer stop()
	h := &house{
		Server: s, guests: newGuests(s.limits(s.Config.Global)), farewells: make(chan struct{}, maxFarewells),
	}
	s.guests.Store(h.guests)
	h.proxies = make(chan struct{}, h.guests.max)
	err := h.accept(ctx, sessions, ln)
	h.guests.close()
	s.drain(&h.wg, abort)
	return err
}

// ServeConn serves one connection that is there already, such as the pipes of
// a remote shell, and closes it. from is the client's address, "" if it is not
// known. It returns when the session is over; what went wrong in it has been
// told to the client, and an error is about the configuration.
func (s *Server) ServeConn(ctx context.Context, conn net.Conn, from string) error {
	defer conn.Close()
	if err := s.Check(s.Config); err != nil {
		return err
	}
	s.session(ctx, conn, newCaller(cmp.Or(from, host(conn))), func() bool { return true })
	return nil
}

// house is a server at work.
type house struct {
	*Server
	guests    *guests
	farewells chan struct{} // a token each for telling somebody that there is no room
	proxies   chan struct{} // a token each for hearing for whom a proxy calls
	wg        sync.WaitGroup
}

// accept takes connections until ctx ends or an error comes that will not pass.
func (h *house) accept(ctx, sessions context.Context, ln net.Listener) error {
	for {
		conn, err := ln.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				conn.Close()
			}
			return nil
		case err == nil:
			h.receive(sessions, conn)
		case errors.Is(err, net.ErrClosed) || !h.pause(ctx, err):
			return fmt.Errorf("accept a connection: %w", err)
		}
	}
}

// receive finds out who calls.
func (h *house) receive(ctx context.Context, conn net.Conn) {
	g := h.Current().Global
	if !g.ProxyProtocol {
		h.welcome(ctx, conn, host(conn))
		return
	}
	select {
	case h.proxies <- struct{}{}:
	default:
		conn.Close() // as many proxies as there may be guests keep us waiting
		return
	}
	h.wg.Go(func() {
		stop := context.AfterFunc(ctx, func() { conn.Close() })
		who, err := h.announced(ctx, g, conn)
		stop()
		<-h.proxies
		if err != nil {
			h.Log.Warn("connection refused: "+err.Error(), "from", host(conn))
			conn.Close()
			return
		}
		h.welcome(ctx, conn, who)
	})
}

// welcome starts a session for a client at an address if there is room.
func (h *house) welcome(ctx context.Context, conn net.Conn, from string) {
	g, refusal := h.guests.admit(conn, from)
	if g == nil {
		h.turnAway(conn, from, refusal)
		return
	}
	h.wg.Go(func() {
		defer h.guests.leave(g)
		defer conn.Close()
		h.session(ctx, conn, newCaller(from), func() bool { return h.guests.settle(g) })
	})
}

// turnAway tells a client why it cannot come in, unless too many are being
// told already.
func (h *house) turnAway(conn net.Conn, from, why string) {
	if h.Watch != nil {
		h.Watch.Refused(from, why)
	}
	select {
	case h.farewells <- struct{}{}:
	default:
		conn.Close()
		return
	}
	h.Log.Warn("connection refused: "+why, "from", from)
	h.wg.Go(func() {
		defer func() { <-h.farewells }()
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(lingerTime)); err != nil {
			return
		}
		if _, err := fmt.Fprintf(conn, "@ERROR: %s\n", why); err == nil {
			linger(conn, strangerBytes)
		}
	})
}

// pause waits a moment after an error that passes, such as a lack of file
// descriptors or memory; false if the error will not pass.
func (h *house) pause(ctx context.Context, err error) bool {
	passes := errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOBUFS) ||
		errors.Is(err, syscall.ENOMEM) || errors.Is(err, syscall.ECONNABORTED) || errors.Is(err, syscall.EINTR)
	if !passes {
		return false
	}
	h.Log.Warn("cannot accept a connection now", "err", err)
	select {
	case <-ctx.Done():
	case <-time.After(100 * time.Millisecond):
	}
	return true
}

// drain waits for the sessions under way.
func (s *Server) drain(wg *sync.WaitGroup, abort func()) {
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	grace := time.NewTimer(s.Grace)
	defer grace.Stop()
	select {
	case <-done:
		return
	case <-grace.C:
	}
	abort()
	<-done
}

// host is the peer's address without its port.
func host(conn net.Conn) string {
	a := conn.RemoteAddr()
	if a == nil {
		return "unknown"
	}
	if h, _, err := net.SplitHostPort(a.String()); err == nil {
		return h
	}
	return a.String()
}

// Listen opens the daemon's socket. address overrides what the configuration
// says; a port of 0 in it lets the system choose.
func Listen(ctx context.Context, g conf.Global, address string) (net.Listener, error) {
	if address == "" {
		port := g.Port
		if port == 0 {
			port = 873
		}
		address = net.JoinHostPort(g.Address, fmt.Sprint(port))
	}
	options, err := sockopts.Parse(g.SocketOptions)
	if err != nil {
		return nil, fmt.Errorf("socket options: %w", err)
	}
	lc := net.ListenConfig{Control: sockopts.Control(options, nil)}
	ln, err := lc.Listen(ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("listen on %s: %w (ports below 1024 need root; give another one with --address HOST:PORT)", address, syscall.EACCES)
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("listen on %s: %w (is a daemon running already?)", address, syscall.EADDRINUSE)
	case err != nil:
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	if err := setBacklog(ln, g.ListenBacklog); err != nil {
		ln.Close()
		return nil, fmt.Errorf("listen backlog: %w", err)
	}
	return ln, nil
}

// setBacklog bounds how many connections may wait; listening once more is how
// that is done on a socket that listens.
func setBacklog(ln net.Listener, n int) error {
	tcp, ok := ln.(*net.TCPListener)
	if !ok || n == 0 {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return err
	}
	var listenErr error
	if err := raw.Control(func(fd uintptr) { listenErr = syscall.Listen(int(fd), n) }); err != nil {
		return err
	}
	return listenErr
}
