package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/session"
)

// Shell says how the other side is started where no daemon waits.
type Shell struct {
	// Default is the remote shell where the options name none, as from
	// RSYNC_RSH; "" stands for ssh.
	Default string
	// Connect, as from RSYNC_CONNECT_PROG, is a command for /bin/sh that takes
	// the place of a connection to a daemon; %H in it is the host, %% a
	// percent sign.
	Connect string
	// Runs, as from RSYNC_SHELL, takes the place of /bin/sh there.
	Runs string
	// Stderr is where the shell's messages go; nil drops them.
	Stderr io.Writer
}

func (s Shell) stderr() io.Writer {
	if s.Stderr == nil {
		return io.Discard
	}
	return s.Stderr
}

// How long a shell may take to end once its streams are closed after an error,
// or it has been told to end. After a session that ended well it may take its
// time, as with rsync.
const (
	shellGrace = 5 * time.Second
	shellKill  = 2 * time.Second
)

// process is a connection to a program that this one has started.
type process struct {
	net.Conn
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed once the process has been waited for
	stop context.CancelFunc
	// program is what the shell runs on the other side, "" for rsync.
	program string
	errors  *overheard
	told    atomic.Bool // to end, by us: how it ends then says nothing

	mu    sync.Mutex
	first []byte // the beginning of what has come
}

// mostFirst is how much of the beginning is kept, in bytes.
const mostFirst = 64

// Read implements net.Conn.
func (p *process) Read(b []byte) (int, error) {
	n, err := p.Conn.Read(b)
	p.mu.Lock()
	defer p.mu.Unlock()
	if room := mostFirst - len(p.first); room > 0 {
		p.first = append(p.first, b[:min(n, room)]...)
	}
	return n, err
}

// overheard is a process's standard error on its way to the user, whose end is
// kept.
type overheard struct {
	from *os.File
	done chan struct{}
	tail []byte // read once done is closed
}

// mostOverheard is how much of it is kept, in bytes, mostPiped is how much a pipe
// holds; lingering is how long what the process has left behind may keep the
// standard error open.
const (
	mostOverheard = 1024
	mostPiped     = 64 << 10
	lingering     = 200 * time.Millisecond
)

// overhear passes on what comes from a pipe.
func overhear(from *os.File, to io.Writer) *overheard {
	o := &overheard{from: from, done: make(chan struct{})}
	go func() {
		defer close(o.done)
		buf := make([]byte, mostOverheard)
		for {
			n, err := from.Read(buf)
			o.pass(buf[:n], to)
			if err != nil {
				o.rest(buf, to)
				return
			}
		}
	}()
	return o
}

func (o *overheard) pass(p []byte, to io.Writer) {
	_, _ = to.Write(p) // nobody else could be told
	o.tail = append(o.tail, p...)
	o.tail = o.tail[max(len(o.tail)-mostOverheard, 0):]
}

// rest passes on what is in the pipe already: past its deadline a read fails even
// so, and a busy machine may have let it pass before anything was read.
func (o *overheard) rest(buf []byte, to io.Writer) {
	raw, err := o.from.SyscallConn()
	if err != nil || o.from.SetReadDeadline(time.Time{}) != nil {
		return
	}
	for left := mostPiped; left > 0; {
		n := 0
		err := raw.Read(func(fd uintptr) bool {
			n, _ = syscall.Read(int(fd), buf) // does not wait
			return true
		})
		if err != nil || n <= 0 {
			return
		}
		o.pass(buf[:n], to)
		left -= n
	}
}

// end returns the end of what was said by a process that has ended.
func (o *overheard) end() []byte {
	_ = o.from.SetReadDeadline(time.Now().Add(lingering))
	<-o.done
	o.from.Close()
	return o.tail
}

// start runs a program with a connection as its standard input and output. It
// is told to end when ctx ends, and killed if it does not.
func (s Shell) start(ctx context.Context, words []string, env ...string) (*process, error) {
	toRead, toWrite, child, err := fourEnds()
	if err != nil {
		return nil, proto.Fail(proto.ExitIPC, fmt.Errorf("make pipes: %w", err))
	}
	fromErr, toErr, err := os.Pipe()
	if err != nil {
		closeAll(toRead, toWrite, child[0], child[1])
		return nil, proto.Fail(proto.ExitIPC, fmt.Errorf("make pipes: %w", err))
	}
	ctx, stop := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = child[0], child[1], toErr
	cmd.Env = append(os.Environ(), env...)
	p := &process{name: words[0], cmd: cmd, done: make(chan struct{}), stop: stop}
	cmd.Cancel = func() error {
		p.told.Store(true)
		return cmd.Process.Signal(syscall.SIGTERM)
	}
	cmd.WaitDelay = shellKill
	err = cmd.Start()
	closeAll(child[0], child[1], toErr)
	if err != nil {
		stop()
		closeAll(toRead, toWrite, fromErr)
		return nil, proto.Failf(proto.ExitIPC, "start %q: %w (choose the remote shell with -e)", words[0], reason(err))
	}
	p.Conn, p.errors = session.Pipes(toRead, toWrite), overhear(fromErr, s.stderr())
	go func() {
		defer close(p.done)
		_ = cmd.Wait() // how it ended is in its state
	}()
	return p, nil
}

func closeAll(files ...*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// fourEnds makes two pipes: this side's ends, and the child's input and output.
func fourEnds() (toRead, toWrite *os.File, child [2]*os.File, err error) {
	in, toWrite, err := os.Pipe()
	if err != nil {
		return nil, nil, child, err
	}
	toRead, out, err := os.Pipe()
	if err != nil {
		in.Close()
		toWrite.Close()
		return nil, nil, child, err
	}
	return toRead, toWrite, [2]*os.File{in, out}, nil
}

// wait waits until the process has ended and returns its exit status, 128 and
// the number of the signal that killed it.
func (p *process) wait() int {
	<-p.done
	p.stop()
	st := p.cmd.ProcessState
	if st == nil {
		return 0
	}
	if ws, ok := st.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return st.ExitCode()
}

// reason strips an error of the path that the message already names.
func reason(err error) error {
	var ee *exec.Error
	if errors.As(err, &ee) {
		return ee.Err
	}
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// Command returns the words that start the remote shell for a place; remote
// are those that it runs there.
func (s Shell) Command(r Remote, opt *options.Options, remote []string) ([]string, error) {
	words, err := s.words(r, opt)
	return append(words, remote...), err
}

// command is Command for rsync with these arguments.
func (s Shell) command(r Remote, opt *options.Options, args []string) ([]string, error) {
	program := opt.RsyncPath
	if program == "" {
		program = "rsync"
	}
	return s.Command(r, opt, append([]string{program}, args...))
}

// words start the remote shell.
func (s Shell) words(r Remote, opt *options.Options) ([]string, error) {
	shell := opt.Shell
	if shell == "" {
		shell = s.Default
	}
	if shell == "" {
		shell = "ssh"
	}
	words, err := SplitCommand(shell)
	if err != nil {
		return nil, err
	}
	isSSH := path.Base(words[0]) == "ssh"
	if r.User != "" {
		words = append(words, "-l", r.User)
	}
	if isSSH && opt.Family != options.FamilyAny {
		words = append(words, map[options.Family]string{options.FamilyIPv4: "-4", options.FamilyIPv6: "-6"}[opt.Family])
	}
	return append(words, r.Host), nil
}

// dialDaemon starts a daemon for this connection alone, over the remote shell.
func (s Shell) dialDaemon(ctx context.Context, r Remote, opt *options.Options) (*process, error) {
	words, err := s.command(r, opt, []string{"--server", "--daemon", "."})
	if err != nil {
		return nil, err
	}
	return s.start(ctx, words, "RSYNC_PORT="+strconv.Itoa(r.Port)) // 0: the usual one
}

// dialProgram runs the program that stands for a connection.
func (s Shell) dialProgram(ctx context.Context, r Remote) (*process, error) {
	line := strings.NewReplacer("%%", "%", "%H", r.Host).Replace(s.Connect)
	return s.start(ctx, []string{cmp.Or(s.Runs, "/bin/sh"), "-c", line}, "RSYNC_PORT="+strconv.Itoa(r.port()))
}

// ended joins the error of a session with how its shell ended: what failed of its
// own accord counts. Where that is the far end, before it could say so, the higher
// number is the code (cleanup.c:exit_cleanup).
func (p *process) ended(err error) error {
	if err != nil {
		defer time.AfterFunc(shellGrace, p.stop).Stop()
	}
	status := p.wait()
	if err != nil && p.told.Load() {
		status = 0
	}
	said := p.errors.end()
	var u *session.UncleanError
	if errors.As(err, &u) {
		return diagnose(u, Answer{Err: said, Status: status, Program: p.program}, p.name, err)
	}
	p.mu.Lock()
	err = echoed(p.first, err)
	p.mu.Unlock()
	switch {
	case status <= int(proto.ExitCode(err)):
		return err
	case err != nil && !Partial(err) && !proto.IsGone(err):
		return err // the far end has met with our hanging up
	case proto.IsGone(err) && (status == int(proto.ExitStreamIO) || status == int(proto.ExitSocketIO)):
		return err // it says that it has lost us, too
	}
	if e := proto.Exit(status); err == nil && Partial(e) {
		return proto.Fail(e, e) // the far end has said what is missing
	}
	text := fmt.Sprintf("%s ended with status %d", p.name, status)
	if err != nil {
		text = err.Error() + "; " + text
	}
	return &proto.Failure{Code: proto.Exit(status), Err: errors.New(text)}
}
