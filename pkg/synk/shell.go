package synk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Shell is the remote shell.
type Shell struct {
	// Words are the command and its first arguments; none for ssh.
	Words []string
	// Trace, if not nil, is told each command line.
	Trace func(words []string)
}

// connectSeconds is how long ssh may take to connect: a peer that is switched off
// answers nothing at all.
const connectSeconds = "30"

// to returns the words that lead to a peer, without its name. Nobody is there to
// be asked for a password, least of all by fifty peers at once.
func (s Shell) to(p Peer) []string {
	words := append([]string{}, s.Words...)
	if len(words) == 0 {
		words = []string{"ssh"}
	}
	if path.Base(words[0]) == "ssh" {
		words = append(words, "-o", "BatchMode=yes", "-o", "ConnectTimeout="+connectSeconds)
	}
	if p.Port != 0 {
		words = append(words, "-p", strconv.Itoa(p.Port))
	}
	return words
}

// endWait is how long a command may take to end after it has said something
// wrong.
const endWait = 5 * time.Second

// shellFailure is how ssh ends when the connection is what failed.
const shellFailure = 255

// commandError is how a command on a peer ended, if not well.
type commandError struct {
	status int
	said   string // on standard error, perhaps nothing
}

func (e *commandError) Error() string {
	if e.said != "" {
		return e.said
	}
	return fmt.Sprintf("the remote shell ended with status %d", e.status)
}

// maxSaid bounds what is kept of a standard error, in bytes.
const maxSaid = 4 << 10

// run runs a command on a peer with this input. Its output goes to read, which
// is called once and need not read all of it.
func (s Shell) run(ctx context.Context, p Peer, command string, in io.Reader, read func(io.Reader) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	words := append(s.to(p), p.Host, command)
	if s.Trace != nil {
		s.Trace(words)
	}
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	said := &tail{}
	cmd.Stdin, cmd.Stderr = in, said
	var told atomic.Bool // to end, by us: how it ends then says nothing
	cmd.Cancel = func() error {
		told.Store(true)
		return cmd.Process.Signal(syscall.SIGTERM)
	}
	cmd.WaitDelay = 2 * time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("make a pipe: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the remote shell: %w", err)
	}
	rerr := read(out)
	if rerr != nil { // how it ends by itself may tell why
		defer time.AfterFunc(endWait, stop).Stop()
	}
	_, _ = io.Copy(io.Discard, out) // else it could not end
	werr := cmd.Wait()
	if st := cmd.ProcessState.ExitCode(); werr != nil && st > 0 && !(rerr != nil && told.Load()) {
		return &commandError{st, said.String()}
	}
	switch {
	case rerr != nil && said.String() != "":
		return fmt.Errorf("%w (%s)", rerr, said)
	case rerr != nil:
		return rerr
	case werr != nil && !errors.Is(werr, exec.ErrWaitDelay):
		return fmt.Errorf("the remote shell: %w", werr)
	}
	return nil
}

// tail keeps the end of what is written.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if n := len(t.buf) - maxSaid; n > 0 {
		t.buf = append(t.buf[:0], t.buf[n:]...)
	}
	return len(p), nil
}

// String is the text on one line.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := bytes.FieldsFunc(t.buf, func(r rune) bool { return r == '\n' || r == '\r' })
	return string(bytes.TrimSpace(bytes.Join(lines, []byte("; "))))
}

// plain are the characters that mean nothing to any shell and nothing to rsync.
const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./-_"

// isPlain reports whether no shell makes anything else of a word.
func isPlain(word string) bool {
	return word != "" && strings.Trim(word, plain) == ""
}

// quote writes a word for a POSIX shell.
func quote(word string) string {
	if isPlain(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// join writes a command line for a POSIX shell.
func join(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = quote(w)
	}
	return strings.Join(quoted, " ")
}
