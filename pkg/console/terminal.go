package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrInterrupted is the answer of somebody who has typed ^C.
var ErrInterrupted = errors.New("ended by ^C; nothing was changed")

// longestLine bounds an answer, in bytes. More is not taken.
const longestLine = 250

// Terminal is a person at a terminal, or a file of answers.
type Terminal struct {
	ctx   context.Context
	bytes <-chan byte
	err   error // of reading; set before bytes is closed
	out   io.Writer
	echo  bool // the terminal leaves echoing to us
	sawCR bool // a LF now belongs to that CR
	stop  func() error
}

// NewTerminal reads from in and writes to out. If in is a terminal, its own line
// editing is switched off until Close: what the kernel makes of backspaces and
// ends of lines depends on settings that nobody knows on a serial line.
func NewTerminal(ctx context.Context, in io.Reader, out io.Writer) (*Terminal, error) {
	bytes := make(chan byte)
	t := &Terminal{ctx: ctx, bytes: bytes, out: out, stop: func() error { return nil }}
	if f, ok := in.(*os.File); ok {
		restore, err := rawInput(int(f.Fd()))
		switch {
		case err == nil:
			t.echo, t.stop = true, restore
		case !errors.Is(err, unix.ENOTTY) && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENODEV):
			return nil, fmt.Errorf("set up the terminal: %w", err)
		}
	}
	go t.pump(in, bytes)
	return t, nil
}

// Close gives the terminal its settings back.
func (t *Terminal) Close() error { return t.stop() }

// pump reads ahead by one byte at most, so that what is typed for the next program
// stays for it.
func (t *Terminal) pump(in io.Reader, bytes chan<- byte) {
	defer close(bytes)
	var one [1]byte
	for {
		n, err := in.Read(one[:])
		if n == 1 {
			select {
			case bytes <- one[0]:
			case <-t.ctx.Done():
				return
			}
		}
		if err != nil {
			t.err = err
			return
		}
	}
}

// rawInput has a terminal hand over every byte as it comes. Its output settings
// stay as they are.
func rawInput(fd int) (restore func() error, err error) {
	old, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, err
	}
	raw := *old
	raw.Lflag &^= unix.ICANON | unix.ECHO | unix.ISIG | unix.IEXTEN
	raw.Iflag &^= unix.ICRNL | unix.INLCR | unix.IGNCR | unix.ISTRIP
	raw.Cc[unix.VMIN], raw.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &raw); err != nil {
		return nil, err
	}
	return func() error { return unix.IoctlSetTermios(fd, unix.TCSETSW, old) }, nil
}

// Print writes text. On a terminal every line ends in CR and LF, whatever its
// settings.
func (t *Terminal) Print(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if t.echo {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	_, _ = io.WriteString(t.out, text) // a terminal that is gone is noticed when reading
}

// ReadLine reads one line without its end. A backspace takes one character back,
// ^U all of them. Of hidden lines only stars are shown. What is no character of
// ASCII that one can see is passed over, whole escape sequences too.
func (t *Terminal) ReadLine(hidden bool) (string, error) {
	var line []byte
	for {
		b, err := t.next()
		if err != nil {
			return "", err
		}
		switch {
		case b == '\r' || b == '\n':
			t.sawCR = b == '\r'
			t.shown("\r\n")
			return strings.TrimSpace(string(line)), nil
		case b == 3:
			t.shown("^C\r\n")
			return "", ErrInterrupted
		case b == 4 && len(line) == 0:
			return "", io.EOF
		case b == '\b' || b == 0x7f:
			line = t.erase(line, 1)
		case b == 0x15:
			line = t.erase(line, len(line))
		case b == 0x1b:
			if err := t.skipEscape(); err != nil {
				return "", err
			}
		case b < ' ' || b > '~':
		case len(line) == longestLine:
			t.shown("\a")
		default:
			line = append(line, b)
			if hidden {
				b = '*'
			}
			t.shown(string(rune(b)))
		}
	}
}

// next is the next byte; the LF of a CR LF is none.
func (t *Terminal) next() (byte, error) {
	for {
		select {
		case b, ok := <-t.bytes:
			if !ok {
				if t.err == nil {
					return 0, t.ctx.Err()
				}
				return 0, t.err
			}
			skip := t.sawCR && (b == '\n' || b == 0)
			t.sawCR = false
			if !skip {
				return b, nil
			}
		case <-t.ctx.Done():
			return 0, context.Cause(t.ctx)
		}
	}
}

// skipEscape passes over what an arrow key sends: ESC [ A, ESC O P, ESC [ 3 ~.
func (t *Terminal) skipEscape() error {
	b, err := t.next()
	if err != nil || b != '[' && b != 'O' {
		return err
	}
	for range 16 {
		if b, err = t.next(); err != nil || b >= '@' && b <= '~' {
			return err
		}
	}
	return nil
}

// erase takes n characters back.
func (t *Terminal) erase(line []byte, n int) []byte {
	n = min(n, len(line))
	t.shown(strings.Repeat("\b \b", n))
	return line[:len(line)-n]
}

// shown writes what a terminal that echoes would have shown.
func (t *Terminal) shown(text string) {
	if t.echo {
		_, _ = io.WriteString(t.out, text)
	} else if text == "\r\n" {
		_, _ = io.WriteString(t.out, "\n") // a pipe does not echo the end of the answer
	}
}
