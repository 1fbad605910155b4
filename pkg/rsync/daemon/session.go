package daemon

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/conf"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
	proc "github.com/empegsync/empegsync/pkg/rsync/session"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// session is one connection's.
type session struct {
	*Server
	conn net.Conn
	from string // the client's address
	log  *slog.Logger
	r    *wire.Reader
	w    *wire.Writer
	caps proto.Caps
	// digests are those that the client can prove a password with, "" if it
	// names none.
	digests string
	until   time.Time   // when the client must have got to its transfer
	settle  func() bool // says that it has; false: it must go
	handed  bool        // a worker goes on with it
}

// Sizes of buffers, in bytes: before a module is named, and from then on.
const (
	helloBuffer = 1024
)

// session handles one connection, which it leaves open.
func (s *Server) session(ctx context.Context, conn net.Conn, settle func() bool) {
	hello := s.HelloTimeout
	if hello <= 0 {
		hello = DefaultHelloTimeout
	}
	from := host(conn)
	c := &session{
		Server: s, conn: conn, from: from, log: s.Log.With("from", from),
		until: time.Now().Add(hello), settle: settle,
	}
	c.whole(ctx, func() error { return c.run(ctx) })
}

// whole runs a session with what belongs around it: a deadline, an end when
// ctx ends, the log of how it ended, and last words that are read. A panic is
// logged and stays in the session.
func (c *session) whole(ctx context.Context, run func() error) {
	defer context.AfterFunc(ctx, func() { c.conn.Close() })()
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
		linger(c.conn)
	}
}

// linger lets the client read what was sent last: closing a connection on
// which something unread has come in makes its system drop that. From a client
// that does not read, even so, the kernel takes back what is still to go.
func linger(conn net.Conn) {
	half, ok := conn.(interface {
		CloseWrite() error
		SetLinger(sec int) error
	})
	if !ok || half.CloseWrite() != nil || conn.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	if n, err := io.CopyN(io.Discard, conn, lingerBytes); n == lingerBytes || !errors.Is(err, io.EOF) {
		_ = half.SetLinger(0) // if it fails, the kernel's own time limit holds
	}
}

// grow gives the session the buffers of a transfer. early is what the client
// has sent ahead of its turn.
func (c *session) grow(early []byte) {
	var src io.Reader = c.conn
	if len(early) > 0 {
		// The first read takes all of it, before any Replace: it is shorter
		// than the buffer.
		src = io.MultiReader(bytes.NewReader(early), c.conn)
	}
	c.r, c.w = wire.NewReader(src, wire.ReadBuffer), wire.NewWriter(c.conn, wire.WriteBuffer)
}

// run goes through a session: greeting, module, arguments, transfer.
func (c *session) run(ctx context.Context) error {
	c.r, c.w = wire.NewReader(c.conn, helloBuffer), wire.NewWriter(c.conn, helloBuffer)
	name, err := c.hello()
	if err != nil {
		return quiet(err)
	}
	if name == "" || name == "#list" {
		c.log.Info("module-list request")
		return c.list()
	}
	if strings.HasPrefix(name, "#") {
		return c.refuse("Unknown command '%s'", name)
	}
	m, ok := c.Config.Module(name)
	if !ok {
		c.log.Warn("unknown module", "module", name)
		return c.refuse("Unknown module '%s'", name)
	}
	c.log = c.log.With("module", m.Name)
	expanded := m.Expanded(c.variable(m))
	return c.module(ctx, &expanded)
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
			return c.from, true
		case "RSYNC_HOST_NAME":
			return "UNDETERMINED", true // as with "reverse lookup = no"
		case "RSYNC_USER_NAME":
			return "", true
		case "RSYNC_PID":
			return strconv.Itoa(os.Getpid()), true
		}
		return "", false
	}
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

// module serves a session with one module, here or in a worker of another
// user.
func (c *session) module(ctx context.Context, m *conf.Module) error {
	who, idErr := identify(m)
	if idErr != nil {
		c.log.Error(idErr.Error())
		return c.refuse("invalid %s %s", idErr.what, idErr.name)
	}
	err := who.check()
	if err == nil && !who.same && c.Worker == nil {
		err = &switchError{"setuid", "the module wants another user than the daemon's, and this daemon has no workers for that"}
	}
	if err != nil {
		c.log.Error(err.Error())
		return c.refuse("%s failed", err.call)
	}
	if !c.settle() {
		return nil // its connection is closed
	}
	if !who.same {
		return c.hand(ctx, m, who)
	}
	if log := c.openLog(m); log != nil {
		defer log.Close()
	}
	early, earlyErr := c.early()
	if earlyErr != nil {
		return earlyErr
	}
	c.grow(early)
	return c.serve(ctx, m, func() *switchError { return nil })
}

// serve goes on from where the module's name is known. The module's folder
// and rules are the administrator's, so they are opened before become.
func (c *session) serve(ctx context.Context, m *conf.Module, become func() *switchError) error {
	root, err := rootfs.Open(m.Path)
	if err != nil {
		c.log.Error("cannot open the module's path", "err", err)
		return c.refuse("chdir failed")
	}
	defer root.Close()
	rules, err := moduleRules(m)
	if err != nil {
		c.log.Error("the module's filter rules", "err", err)
		return c.refuse("the module's filter rules cannot be read")
	}
	if err := become(); err != nil {
		c.log.Error(err.Error())
		return c.refuse("%s failed", err.call)
	}
	if _, err := io.WriteString(c.w, "@RSYNCD: OK\n"); err != nil {
		return err
	}
	if err := c.w.Flush(); err != nil {
		return err
	}
	args, err := proc.ReadArgs(c.r, c.caps)
	if err != nil {
		return err
	}
	return c.agree(ctx, &served{session: c, module: m, root: root, daemonRules: rules}, args)
}

// agree makes of the client's arguments what both sides will do, and does it.
func (c *session) agree(ctx context.Context, t *served, args []string) error {
	refusal, _ := options.NewRefusal(t.module.RefuseOptions)
	opt, optErr := options.ParseServer(args, refusal)
	if optErr != nil {
		opt = &options.Options{ClientInfo: letters(args), Sender: slices.Contains(args, "--sender")}
	}
	opt.Verbose = min(opt.Verbose, t.module.MaxVerbosity)
	t.opt = opt
	var err error
	t.agreed, err = proc.Setup{
		Caps: c.caps, Server: true, Sender: opt.Sender, Choice: opt.ChecksumChoice, Lists: opt.Checksum,
		Letters: opt.ClientInfo, Seed: seed(opt),
	}.WithCompression(opt).Run(c.r, c.w)
	if err != nil {
		return err
	}
	if optErr != nil {
		var oe *options.Error
		code := proto.ExitSyntax
		if errors.As(optErr, &oe) {
			code = proto.Exit(oe.ExitCode())
		}
		return t.giveUp(proto.Fail(code, optErr))
	}
	return t.run(ctx)
}

// letters finds the capability letters in arguments that could not be parsed.
func letters(args []string) string {
	for _, a := range args {
		if a == "." {
			break // paths follow
		}
		if strings.HasPrefix(a, "-") && !strings.HasPrefix(a, "--") {
			if _, after, ok := strings.Cut(a, "e"); ok {
				if _, l, ok := strings.Cut(after, "."); ok {
					return l
				}
			}
		}
	}
	return ""
}

// seed returns the checksum seed: what the client asks for, or chance.
func seed(opt *options.Options) int32 {
	if opt.ChecksumSeed != 0 {
		return opt.ChecksumSeed
	}
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return int32(binary.LittleEndian.Uint32(b[:]) | 1)
}
