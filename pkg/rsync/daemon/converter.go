package daemon

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// Limits of what is said to and by a name converter.
const (
	converterTime  = 30 * time.Second // for an answer
	maxNameLine    = 1024             // bytes of a line
	maxAccountName = 255              // bytes of a name, as it travels
)

// startConverter starts the module's "name converter" as the daemon's user. names is
// the session's end of the way to it; when the session has closed that and done
// is called, the program has a moment to end (clientserver.c:rsync_module).
func (h hooks) startConverter(ctx context.Context, args []string) (names *os.File, done func(), err error) {
	cmd, err := h.command(context.WithoutCancel(ctx), h.module.NameConverter, h.request(args))
	if err != nil {
		return nil, nil, err
	}
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	names, theirs := os.NewFile(uintptr(pair[0]), "name converter"), os.NewFile(uintptr(pair[1]), "session")
	defer theirs.Close()
	cmd.Stdin, cmd.Stdout = theirs, theirs
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		names.Close()
		return nil, nil, err
	}
	return names, func() {
		names.Close()
		kill := time.AfterFunc(hookDelay, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
		_ = cmd.Wait() // how it ends says nothing any more
		kill.Stop()
	}, nil
}

// converter asks a running name converter. It implements [transfer.Accounts];
// where the program fails nobody has a name any more, and the session ends
// (clientserver.c:namecvt_call).
type converter struct {
	mu     sync.Mutex
	conn   net.Conn
	r      *bufio.Reader
	err    error
	failed func(error)
}

// newConverter takes over the session's end.
func newConverter(f *os.File) (*converter, error) {
	conn, err := net.FileConn(f)
	f.Close()
	if err != nil {
		return nil, fmt.Errorf("name converter: %w", err)
	}
	return &converter{conn: conn, r: bufio.NewReaderSize(conn, maxNameLine), failed: func(error) {}}, nil
}

func (c *converter) close() { c.conn.Close() }

// guard has the session end when the converter fails. broken replaces the error of
// a transfer that was ended so.
func (c *converter) guard(ctx context.Context) (guarded context.Context, broken func(error) error) {
	if c == nil {
		return ctx, func(err error) error { return err }
	}
	guarded, end := context.WithCancelCause(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed = func(err error) { end(err) }
	return guarded, func(err error) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		end(nil)
		if c.err != nil {
			return proto.Fail(proto.ExitSocketIO, fmt.Errorf("the name converter has failed: %w", c.err))
		}
		return err
	}
}

// ask puts a question and returns the answer, "" for none.
func (c *converter) ask(what, about string) string {
	if len(about) > maxAccountName || strings.ContainsFunc(about, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "" // no such name is anybody's, and a line break would be two questions
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return ""
	}
	answer, err := c.exchange(what + " " + about + "\n")
	if err != nil {
		c.err = err
		c.failed(err)
	}
	return answer
}

// errConverterGone is what is known of a program that cannot be asked any more.
var errConverterGone = errors.New("it has ended without an answer; try its command by hand")

func (c *converter) exchange(question string) (string, error) {
	if err := c.conn.SetDeadline(time.Now().Add(converterTime)); err != nil {
		return "", err
	}
	switch _, err := io.WriteString(c.conn, question); {
	case errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNRESET):
		return "", errConverterGone
	case err != nil:
		return "", err
	}
	line, err := c.r.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return "", fmt.Errorf("a line of more than %d bytes came for %q", maxNameLine, strings.TrimSuffix(question, "\n"))
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return "", errConverterGone
	case err != nil:
		return "", err
	}
	return strings.TrimRight(string(line), "\r\n"), nil
}

func (c *converter) name(what string, id uint32) string {
	name := c.ask(what, strconv.FormatUint(uint64(id), 10))
	if len(name) > maxAccountName || strings.Contains(name, "\x00") {
		return ""
	}
	return name
}

// id takes nothing but a whole number for one: what is none must not become root's.
func (c *converter) id(what, name string) (uint32, bool) {
	answer := c.ask(what, name)
	n, err := strconv.ParseUint(answer, 10, 32)
	return uint32(n), err == nil && n != math.MaxUint32 && strings.Trim(answer, "0123456789") == ""
}

// UserName implements [transfer.Accounts].
func (c *converter) UserName(id uint32) string { return c.name("uid", id) }

// GroupName implements [transfer.Accounts].
func (c *converter) GroupName(id uint32) string { return c.name("gid", id) }

// UserID implements [transfer.Accounts].
func (c *converter) UserID(name string) (uint32, bool) { return c.id("usr", name) }

// GroupID implements [transfer.Accounts].
func (c *converter) GroupID(name string) (uint32, bool) { return c.id("grp", name) }
