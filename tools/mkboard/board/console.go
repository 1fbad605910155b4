package board

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Console is a board's serial line, as somebody sits at it who reads everything.
// One goroutine may use it at a time.
type Console struct {
	input io.Writer
	log   io.Writer

	mu      sync.Mutex
	unread  []byte
	line    []byte // the last, for the log
	closed  bool
	arrived chan struct{} // has room for one
}

// ErrPowerOff is the error of a board that has ended while something was expected.
var ErrPowerOff = errors.New("the board is off")

func newConsole(input, log io.Writer) *Console {
	if log == nil {
		log = io.Discard
	}
	return &Console{input: input, log: log, arrived: make(chan struct{}, 1)}
}

// escapes are what a shell's line editor and programs for terminals send besides text.
func escapes() *regexp.Regexp {
	return regexp.MustCompile("\x1b\\[[0-9;?]*[A-Za-z]|\r|\x07")
}

// kernelLine is a message of the kernel, which may come in the midst of a line.
const kernelLine = `\[ *[0-9]+\.[0-9]{6}\] [^\n]*\n`

// unfinished is the beginning of one or of an escape sequence, at the end of what
// has come so far.
func unfinished() *regexp.Regexp {
	return regexp.MustCompile(`(\x1b(\[[0-9;?]*)?|\[ *[0-9]*\.?[0-9]*\]?|\[ *[0-9]+\.[0-9]{6}\] [^\n]*)$`)
}

// read takes what the board says until it ends.
func (c *Console) read(output io.Reader) {
	buf := make([]byte, 4096)
	strip, hold := escapes(), unfinished()
	var text []byte
	for {
		n, err := output.Read(buf)
		text = append(text, buf[:n]...)
		whole := len(text)
		if at := hold.FindIndex(text); at != nil && err == nil {
			whole = at[0]
		}
		said := strip.ReplaceAll(text[:whole], nil)
		text = append([]byte(nil), text[whole:]...)
		c.mu.Lock()
		c.unread = appendSaid(c.unread, said)
		c.closed = err != nil
		c.mu.Unlock()
		c.toLog(said, err != nil)
		select {
		case c.arrived <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

// appendSaid adds what was said to b; the kernel's messages get lines of their own,
// before the line that they have come into.
func appendSaid(b, said []byte) []byte {
	kernel := regexp.MustCompile(kernelLine)
	for {
		at := kernel.FindIndex(said)
		if at == nil {
			return append(b, said...)
		}
		b = append(b, said[:at[0]]...)
		b = slices.Insert(b, bytes.LastIndexByte(b, '\n')+1, said[at[0]:at[1]]...)
		said = said[at[1]:]
	}
}

// toLog hands over whole lines.
func (c *Console) toLog(text []byte, end bool) {
	c.line = appendSaid(c.line, text)
	if end && len(c.line) > 0 {
		c.line = append(c.line, '\n')
	}
	if i := bytes.LastIndexByte(c.line, '\n'); i >= 0 {
		_, _ = c.log.Write(c.line[:i+1]) // a log that fails is no reason to stop
		c.line = append([]byte(nil), c.line[i+1:]...)
	}
}

// Expect waits until what the board has said since the last Expect matches the
// regular expression, and returns the match and its groups. What stood before is
// taken as read. A kernel that panics is an error at once.
func (c *Console) Expect(ctx context.Context, pattern string) ([]string, error) {
	re, err := regexp.Compile("(?m)" + pattern)
	if err != nil {
		return nil, err
	}
	for {
		match, closed, err := c.look(re)
		if match != nil || err != nil {
			return match, err
		}
		if closed {
			return nil, fmt.Errorf("expecting %q: %w; last it said:\n%s", pattern, ErrPowerOff, c.tail())
		}
		select {
		case <-c.arrived:
		case <-ctx.Done():
			return nil, fmt.Errorf("expecting %q: %w; last it said:\n%s", pattern, context.Cause(ctx), c.tail())
		}
	}
}

// ExpectAll waits until each of the regular expressions has matched, in whatever
// order. What stood before the last match is taken as read.
func (c *Console) ExpectAll(ctx context.Context, patterns ...string) error {
	var seen []byte
	for len(patterns) > 0 {
		re, err := regexp.Compile("(?m)" + patterns[0])
		if err != nil {
			return err
		}
		if re.Match(seen) {
			patterns = patterns[1:]
			continue
		}
		match, err := c.Expect(ctx, "(?s:.*?)"+patterns[0])
		if err != nil {
			return err
		}
		seen = append(seen, match[0]...)
		patterns = patterns[1:]
	}
	return nil
}

func (c *Console) look(re *regexp.Regexp) (match []string, closed bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at := re.FindSubmatchIndex(c.unread); at != nil {
		for i := 0; i < len(at); i += 2 {
			group := ""
			if at[i] >= 0 {
				group = string(c.unread[at[i]:at[i+1]])
			}
			match = append(match, group)
		}
		c.unread = append([]byte(nil), c.unread[at[1]:]...)
		return match, false, nil
	}
	if bytes.Contains(c.unread, []byte("Kernel panic")) {
		return nil, false, fmt.Errorf("the kernel panics:\n%s", c.unread)
	}
	return nil, c.closed, nil
}

func (c *Console) tail() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.unread[max(0, len(c.unread)-2000):]
}

// Type types a line.
func (c *Console) Type(line string) error {
	_, err := io.WriteString(c.input, line+"\n")
	return err
}

// Prompt is the shell's, as a player has it.
const Prompt = `^empeg:\S*[#$] `

// Run types a command at the shell's prompt and waits for the next one. It returns
// what the command said and its exit code.
func (c *Console) Run(ctx context.Context, command string) (output string, code int, err error) {
	if err := c.Type(command + `; echo "exit=$?"`); err != nil {
		return "", 0, err
	}
	match, err := c.Expect(ctx, `((?s:.*?))^exit=(\d+)\n(?:`+kernelLine+`)*`+Prompt[1:])
	if err != nil {
		return "", 0, err
	}
	// The shell echoes what is typed, of a line longer than the screen only the end.
	output = match[1]
	if _, after, ok := strings.Cut(output, "?\"\n"); ok {
		output = after
	}
	code, err = strconv.Atoi(match[2])
	return output, code, err
}
