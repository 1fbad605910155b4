package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// ErrSilent is the error of a line on which nothing answers.
var ErrSilent = errors.New("nothing answers")

// ErrDropped is the error of a line that has gone, such as a cable pulled out.
var ErrDropped = errors.New("the line has dropped")

// State is what is at the other end of a line.
type State uint8

// The states.
const (
	Silent  State = iota // nothing, or at another rate
	Playing              // the player program: it takes single letters for commands
	Shell                // a shell, waiting
)

// Times say how patient a Link is. The zero value is that of a real line.
type Times struct {
	Probe   time.Duration // for an answer to an empty line
	Quit    time.Duration // for the player to quit, and the shell to come
	Command time.Duration // for a short command
}

func (t Times) withDefaults() Times {
	if t == (Times{}) {
		t = Times{Probe: 1500 * time.Millisecond, Quit: 30 * time.Second, Command: 20 * time.Second}
	}
	return t
}

// Link is a conversation with the player at the other end of a line. Its methods
// are called one at a time.
type Link struct {
	Times Times
	port  io.ReadWriter
	in    chan []byte
	err   error // of reading; set before in is closed
	turn  int   // counts commands, for their marks

	echoes bool   // the shell has echoed a line as it was typed
	rest   []byte // heard already, for the next hear
}

// NewLink starts to listen on a line. The port is closed by whoever opened it,
// which ends the listening.
func NewLink(port io.ReadWriter) *Link {
	l := &Link{port: port, in: make(chan []byte, 64)}
	go l.pump()
	return l
}

func (l *Link) pump() {
	defer close(l.in)
	for {
		buf := make([]byte, 4096)
		n, err := l.port.Read(buf)
		if n > 0 {
			l.in <- buf[:n]
		}
		if err != nil {
			l.err = fmt.Errorf("%w: %w", ErrDropped, err)
			return
		}
	}
}

// write sends text as it is.
func (l *Link) write(text string) error {
	if _, err := io.WriteString(l.port, text); err != nil {
		return fmt.Errorf("%w: %w", ErrDropped, err)
	}
	return nil
}

// mostHeard bounds what one look keeps of what has come in.
const mostHeard = 256 << 10

// hear collects what comes in until done is content with it, or patience ends,
// which is no error.
func (l *Link) hear(ctx context.Context, patience time.Duration, done func([]byte) bool) ([]byte, error) {
	heard := l.rest
	l.rest = nil
	if len(heard) > 0 && done(heard) {
		return heard, nil
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case chunk, ok := <-l.in:
			if !ok {
				return heard, l.err
			}
			heard = append(heard, chunk...)
			if len(heard) > mostHeard {
				heard = heard[len(heard)-mostHeard/2:]
			}
			if done(heard) {
				return heard, nil
			}
		case <-timer.C:
			return heard, nil
		case <-ctx.Done():
			return heard, context.Cause(ctx)
		}
	}
}

// quiet waits until nothing has come for a moment, and forgets what came.
func (l *Link) quiet(ctx context.Context) error {
	for {
		heard, err := l.hear(ctx, l.times().Probe/5, func(b []byte) bool { return true })
		if err != nil || len(heard) == 0 {
			return err
		}
	}
}

func (l *Link) times() Times { return l.Times.withDefaults() }

// escapes are what a shell sends besides text.
func escapes() *regexp.Regexp { return regexp.MustCompile("\x1b(\\[[0-9;?]*[@-~]|[^\\[])") }

// clean takes escape sequences and what a terminal does not show out of text.
func clean(text []byte) string {
	text = escapes().ReplaceAll(text, nil)
	return strings.Map(func(r rune) rune {
		if r == '\n' || r >= ' ' && r <= '~' {
			return r
		}
		return -1
	}, string(text))
}

// atPrompt reports whether text ends in a shell's prompt.
func atPrompt(text []byte) bool {
	s := clean(text)
	return strings.HasSuffix(s, "# ") || strings.HasSuffix(s, "$ ")
}

// readable reports whether text may be what somebody writes, not what a line at
// another rate makes of it.
func readable(text []byte) bool {
	odd := 0
	for _, b := range text {
		if b != '\r' && b != '\n' && b != '\t' && b != 0x1b && b != 7 && b != '\b' && (b < ' ' || b > '~') {
			odd++
		}
	}
	return odd*10 <= len(text)
}

// transferring reports whether text holds the beginning of a ZMODEM header: rz is
// still waiting there, after a line that has dropped.
func transferring(text []byte) bool { return bytes.Contains(text, []byte("**\x18B")) }

// Look sends an empty line and says who answers. Nothing else is typed, since a
// player takes letters for commands.
func (l *Link) Look(ctx context.Context) (State, error) {
	if err := l.quiet(ctx); err != nil {
		return Silent, err
	}
	if err := l.write("\n"); err != nil {
		return Silent, err
	}
	heard, err := l.hear(ctx, l.times().Probe, atPrompt)
	switch {
	case err != nil:
		return Silent, err
	case atPrompt(heard):
		return Shell, nil
	case transferring(heard):
		return Playing, l.write(cancelTransfer)
	case len(heard) > 0 && readable(heard):
		return Playing, nil
	}
	return Silent, nil
}

// Find looks at each speed and stays at the one where something answers, at the
// first if nothing does. If set is nil, the speed is as it is.
func (l *Link) Find(ctx context.Context, speeds []int, set func(int) error) (State, int, error) {
	for _, speed := range speeds {
		if set != nil {
			if err := set(speed); err != nil {
				return Silent, 0, err
			}
		}
		state, err := l.Look(ctx)
		if err != nil || state != Silent {
			return state, speed, err
		}
	}
	if set == nil || len(speeds) == 0 {
		return Silent, 0, nil
	}
	return Silent, speeds[0], set(speeds[0])
}

// Quit quits the player to its shell, and waits for the shell.
func (l *Link) Quit(ctx context.Context) error {
	if err := l.write("q\n"); err != nil {
		return err
	}
	deadline := time.Now().Add(l.times().Quit)
	for time.Now().Before(deadline) {
		heard, err := l.hear(ctx, l.times().Probe, atPrompt)
		if err != nil {
			return err
		}
		if atPrompt(heard) {
			return nil
		}
		// Perhaps rz still waits there, after a line that has dropped. To a shell
		// that is just coming up these are keys that do nothing.
		if err := l.write(cancelTransfer); err != nil {
			return err
		}
		state, err := l.Look(ctx)
		if err != nil || state == Shell {
			return err
		}
		if state == Playing { // noise has made another key of it; a shell would not mind
			if err := l.write("q\n"); err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("the player does not quit: %w at a prompt", ErrSilent)
}

// Result is what a command has said, and its exit code.
type Result struct {
	Output string
	Code   int
}

// notFound is a shell's exit code for a command that it does not have, or that
// noise has made of one.
const notFound = 127

// tries is how often a command is typed again after noise.
const tries = 4

// Run types a command for the shell and returns what it says. Noise may have
// changed it on the way: then it is typed again, so it must be one that may be
// repeated. patience is for each try; 0 stands for a short command.
func (l *Link) Run(ctx context.Context, command string, patience time.Duration) (Result, error) {
	if patience == 0 {
		patience = l.times().Command
	}
	var res Result
	var err error
	for range tries {
		res, err = l.once(ctx, command, patience)
		if errors.Is(err, ErrDropped) || ctx.Err() != nil {
			return res, err
		}
		if err == nil && res.Code != notFound {
			return res, nil
		}
		if derr := l.discard(ctx); derr != nil {
			return res, derr
		}
	}
	if err == nil {
		err = fmt.Errorf("%s: the shell does not know it: %s", command, strings.TrimSpace(res.Output))
	}
	return res, err
}

// Do is Run for a command that must succeed.
func (l *Link) Do(ctx context.Context, command string, patience time.Duration) (string, error) {
	res, err := l.Run(ctx, command, patience)
	if err == nil && res.Code != 0 {
		err = fmt.Errorf("%s: exit code %d: %s", command, res.Code, strings.TrimSpace(res.Output))
	}
	return res.Output, err
}

// once types a command between two marks. What the terminal echoes is not taken
// for them: there they stand with quotes inside.
func (l *Link) once(ctx context.Context, command string, patience time.Duration) (Result, error) {
	l.turn++
	begin, end := fmt.Sprintf("BEG%d:", l.turn), fmt.Sprintf("END%d:", l.turn)
	if err := l.enter(ctx, fmt.Sprintf("echo B''EG%d:; %s; echo E''ND%d:$?:", l.turn, command, l.turn)); err != nil {
		return Result{}, err
	}
	mark := regexp.MustCompile(regexp.QuoteMeta(end) + `([0-9]{1,3}):`)
	heard, err := l.until(ctx, patience, mark)
	if err != nil {
		return Result{}, err
	}
	at := mark.FindSubmatchIndex(heard)
	if at == nil {
		return Result{}, fmt.Errorf("%s: %w within %v", command, ErrSilent, patience)
	}
	code, err := strconv.Atoi(string(heard[at[2]:at[3]]))
	if err != nil {
		return Result{}, err
	}
	output := heard[:at[0]]
	if i := bytes.Index(output, []byte(begin)); i >= 0 {
		output = output[i+len(begin):]
	}
	return Result{Output: clean(output), Code: code}, nil
}

// until hears until the mark comes or patience ends. A shell that is at its prompt
// again has done what it was told: then noise has taken the mark.
func (l *Link) until(ctx context.Context, patience time.Duration, mark *regexp.Regexp) ([]byte, error) {
	var heard []byte
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		more, err := l.hear(ctx, min(l.times().Probe, time.Until(deadline)), func(b []byte) bool {
			return mark.Match(append(bytes.Clone(heard), b...))
		})
		heard = append(heard, more...)
		if err != nil || mark.Match(heard) || len(more) == 0 && atPrompt(heard) {
			return heard, err
		}
		heard = heard[max(0, len(heard)-mostHeard):]
	}
	return heard, nil
}

// Leave ends the player's shell, upon which the player starts again.
func (l *Link) Leave() error { return l.write("exit\n") }
