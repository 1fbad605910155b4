package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/conf"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	proc "github.com/empegsync/empegsync/pkg/rsync/session"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// session is one connection's.
type session struct {
	*Server
	Config *conf.Config // the one that was there when the client came
	conn   net.Conn
	who    caller
	user   string // who has logged in, "" for nobody
	log    *slog.Logger
	r      *wire.Reader
	w      *wire.Writer
	caps   proto.Caps
	// digests are those that the client can prove a password with, "" if it
	// names none.
	digests string
	until   time.Time   // when the client must have got to its transfer
	number  uint64      // of the session
	early5k []byte      // what the client has for "early exec"
	exit    proto.Exit  // the session's code, -1 if its worker was killed
	raw     int         // how the kernel says that, -1 if it is not known
	settle  func() bool // says that it has; false: it must go
	handed  bool        // a worker goes on with it
	asked   bool        // its client has said what it wants
	release func()      // gives a place back that is held since before the transfer
	visit   Visit       // what the watcher has been told
}

// Sizes of buffers, in bytes: before a module is named, and from then on.
const (
	helloBuffer = 1024
)

// session handles one connection, which it leaves open.
func (s *Server) session(ctx context.Context, conn net.Conn, who caller, settle func() bool) {
	c := &session{
		Server: s, Config: s.Current(), conn: conn, who: who, log: s.Log.With("from", who.text),
		until: time.Now().Add(s.patience()), settle: settle,
		number: s.sessions.Add(1),
	}
	c.visit = Visit{Number: c.number, Since: time.Now(), Address: who.text, Doing: Talking, Moved: moved(conn)}
	c.seen(func(*Visit) {})
	if c.Watch != nil {
		defer func() { c.Watch.Left(c.visit, int(c.exit)) }()
	}
	c.whole(ctx, func() error { return c.run(ctx) })
}

// patience is how long a client may take to get to its transfer.
func (s *Server) patience() time.Duration {
	if s.HelloTimeout <= 0 {
		return DefaultHelloTimeout
	}
	return s.HelloTimeout
}

// whole runs a session with what belongs around it: a deadline, an end when
// ctx ends, the log of how it ended, and last words that are read. A panic is
// logged and stays in the session.
func (c *session) whole(ctx context.Context, run func() error) {
	conn := c.conn // which limits may be put around
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	defer func() {
		if p := recover(); p != nil {
			c.log.Error("session ended by a fault of this program", "fault", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
	}()
	if err := c.conn.SetDeadline(c.until); err != nil {
		return // closed already: the daemon stops
	}
	err := run()
	switch {
	case err == nil:
	case ctx.Err() != nil:
		c.log.Warn("session ended because the daemon stops")
	default:
		var fault *transfer.Fault
		if errors.As(err, &fault) {
			c.log.Error(err.Error(), "stack", string(fault.Stack))
			break
		}
		c.log.Error(err.Error())
	}
	if !c.handed {
		most := int64(strangerBytes)
		if c.asked {
			most = lingerBytes
		}
		linger(c.conn, most)
	}
}

// linger lets the client read what was sent last: closing a connection on
// which something unread has come in makes its system drop that. From a client
// that does not read, even so, the kernel takes back what is still to go.
func linger(conn net.Conn, most int64) {
	half, ok := conn.(interface {
		CloseWrite() error
		SetLinger(sec int) error
	})
	if !ok || half.CloseWrite() != nil || conn.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	if n, err := io.CopyN(io.Discard, conn, most); n == most || !errors.Is(err, io.EOF) {
		_ = half.SetLinger(0) // if it fails, the kernel's own time limit holds
	}
}

// grow gives the session the buffers of a transfer. early is what the client
// has sent ahead of its turn.
func (c *session) grow(early []byte) {
	c.r, c.w = wire.NewReader(bytes.NewReader(early), wire.ReadBuffer), wire.NewWriter(c.conn, wire.WriteBuffer)
	if len(early) > 0 {
		_, _ = c.r.Prime() // takes all of it: it is shorter than the buffer
	}
	c.r.Replace(c.conn)
}

// run goes through a session: greeting, module, arguments, transfer.
func (c *session) run(ctx context.Context) error {
	c.r, c.w = wire.NewReader(c.conn, helloBuffer), wire.NewWriter(c.conn, helloBuffer)
	name, err := c.hello()
	if err != nil {
		return quiet(err)
	}
	if c.Config.Defaults.ReverseLookup {
		c.who.ask(ctx, c.resolver())
	}
	c.note("connect from %s", &c.who)
	if name == "" || name == "#list" {
		c.note("module-list request from %s", &c.who)
		c.seen(func(v *Visit) { v.Doing, v.Host = Listing, c.who.name })
		return c.list()
	}
	if size, ok := strings.CutPrefix(name, "#early_input="); ok {
		if name, err = c.earlyInput(size); name == "" {
			return err
		}
	}
	if strings.HasPrefix(name, "#") {
		return c.refuse("Unknown command '%s'", name)
	}
	m, ok := c.Config.Module(name)
	if !ok {
		c.note("unknown module '%s' tried from %s", name, &c.who)
		return c.refuse("Unknown module '%s'", name)
	}
	c.log = c.log.With("module", m.Name)
	return c.module(ctx, m)
}

// variable gives the values that rsyncd.conf may refer to and only a
// connection has (rsyncd.conf(5), pre-xfer exec).
func (c *session) variable(m *conf.Module) func(name string) (string, bool) {
	return func(name string) (string, bool) {
		switch name {
		case "RSYNC_MODULE_NAME":
			return m.Name, true
		case "RSYNC_MODULE_PATH":
			return m.Path, true
		case "RSYNC_HOST_ADDR":
			return c.who.text, true
		case "RSYNC_HOST_NAME":
			return c.who.name, true
		case "RSYNC_USER_NAME":
			return c.user, true
		case "RSYNC_PID":
			return strconv.Itoa(os.Getpid()), true
		}
		return "", false
	}
}

// note writes a line of rsync's own log.
func (c *session) note(format string, args ...any) {
	c.event(fmt.Sprintf(format, args...))
}

// event writes a line of rsync's own log with what it says as attributes.
func (c *session) event(line string, attrs ...slog.Attr) {
	c.log.LogAttrs(context.Background(), LevelAccess, line, attrs...)
}

// quiet drops the error of a client that leaves before it has asked for
// anything, or never asks, as port scanners do.
func quiet(err error) error {
	for _, e := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE, net.ErrClosed, os.ErrDeadlineExceeded} {
		if errors.Is(err, e) {
			return nil
		}
	}
	return err
}

// hello exchanges greetings and reads the module's name.
func (c *session) hello() (string, error) {
	motd := ""
	if c.Motd != nil {
		motd = c.Motd()
	}
	ours := c.Version
	if ours == 0 {
		ours = proto.MaxVersion
	}
	greeting, err := proc.GreetClient(c.r, c.w, ours, motd, func(t time.Time) {
		if t.IsZero() {
			t = c.until
		}
		_ = c.conn.SetReadDeadline(t) // if it fails, the read will, too
	})
	if err != nil {
		return "", err
	}
	c.digests = greeting.Digests
	if c.caps, err = proto.New(greeting.Version); err != nil {
		return "", err
	}
	name := c.r.Line('\n', 1024, "module name")
	if c.r.Err() != nil {
		return "", fmt.Errorf("read the module's name: %w", c.r.Err())
	}
	return name, nil
}

// earlyInput reads what a client has for "early exec", and then the module's
// name; "" ends the session.
func (c *session) earlyInput(size string) (name string, err error) {
	n, err := strconv.ParseUint(size, 10, 16)
	if err != nil || n == 0 || n > maxEarlyInput {
		return "", c.refuse("invalid early_input length")
	}
	c.early5k = c.r.Bytes(int64(n), maxEarlyInput, "early input")
	name = c.r.Line('\n', 1024, "module name")
	return name, c.r.Err()
}

// refuse ends a session before its transfer with a line for the user.
func (c *session) refuse(format string, args ...any) error {
	if _, err := fmt.Fprintf(c.w, "@ERROR: "+format+"\n", args...); err != nil {
		return err
	}
	return c.w.Flush()
}

// list sends the modules that may be listed (clientserver.c:send_listing).
func (c *session) list() error {
	for i := range c.Config.Modules {
		m := c.Config.Modules[i].Expanded(c.variable(&c.Config.Modules[i]))
		if m.List {
			fmt.Fprintf(c.w, "%-15s\t%s\n", m.Name, m.Comment)
		}
	}
	if c.caps.ListEndsWithExit {
		fmt.Fprint(c.w, "@RSYNCD: EXIT\n")
	}
	return c.w.Flush()
}
