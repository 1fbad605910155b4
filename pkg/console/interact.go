package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"

	"golang.org/x/sys/unix"
)

// Keyboard hands over what is typed as it is typed, for Interact. Its Close gives
// the terminal its settings back.
type Keyboard struct {
	typed chan []byte
	stop  func() error
}

// OpenKeyboard reads from in; if that is a terminal, every key goes through, ^C
// too.
func OpenKeyboard(in io.Reader) (*Keyboard, error) {
	k := &Keyboard{typed: make(chan []byte), stop: func() error { return nil }}
	if f, ok := in.(*os.File); ok {
		if restore, err := rawInput(int(f.Fd())); err == nil {
			k.stop = restore
		} else if !errors.Is(err, unix.ENOTTY) && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENODEV) {
			return nil, fmt.Errorf("set up the terminal: %w", err)
		}
	}
	go func() {
		defer close(k.typed)
		for {
			buf := make([]byte, 256)
			n, err := in.Read(buf)
			if n > 0 {
				k.typed <- buf[:n]
			}
			if err != nil {
				return
			}
		}
	}()
	return k, nil
}

// Close gives the terminal its settings back.
func (k *Keyboard) Close() error { return k.stop() }

// leaver finds "~." at the beginning of a line, by which one leaves a terminal, as
// with ssh and cu. What is typed goes through but for that; "~~" is one "~".
type leaver struct{ state int }

// The states of a leaver.
const (
	lineStart = iota
	inLine
	afterTilde
)

// filter returns what goes through, and whether to leave.
func (v *leaver) filter(typed []byte) (through []byte, leave bool) {
	for _, b := range typed {
		if v.state == afterTilde {
			v.state = inLine
			switch b {
			case '.':
				return through, true
			case '~':
				through = append(through, '~')
				continue
			}
			through = append(through, '~')
		} else if v.state == lineStart && b == '~' {
			v.state = afterTilde
			continue
		}
		through = append(through, b)
		v.state = inLine
		if b == '\r' || b == '\n' || b == 3 || b == 4 || b == 0x15 {
			v.state = lineStart
		}
	}
	return through, false
}

// Interact connects the keyboard and out with the player until "~." is typed.
func (l *Link) Interact(ctx context.Context, k *Keyboard, out io.Writer) error {
	_, err := l.interact(ctx, k, out, nil)
	return err
}

// RunFor has a person answer what a command of the shell asks, until it has ended;
// it returns the command's exit code, -1 for somebody who has left with "~.".
func (l *Link) RunFor(ctx context.Context, k *Keyboard, out io.Writer, command string) (code int, err error) {
	l.turn++
	if err := l.write(fmt.Sprintf("%s; echo E''ND%d:$?:\n", command, l.turn)); err != nil {
		return -1, err
	}
	return l.interact(ctx, k, out, regexp.MustCompile(fmt.Sprintf(`END%d:([0-9]{1,3}):`, l.turn)))
}

// interact also ends when mark comes, and returns the number in it.
func (l *Link) interact(ctx context.Context, k *Keyboard, out io.Writer, mark *regexp.Regexp) (int, error) {
	var v leaver
	var tail []byte
	for {
		select {
		case chunk, ok := <-l.in:
			if !ok {
				return -1, l.err
			}
			if _, err := out.Write(chunk); err != nil {
				return -1, err
			}
			if mark == nil {
				continue
			}
			tail = append(tail, chunk...)
			if m := mark.FindSubmatch(tail); m != nil {
				code := 0
				_, err := fmt.Sscan(string(m[1]), &code)
				return code, err
			}
			tail = bytes.Clone(tail[max(0, len(tail)-64):])
		case typed, ok := <-k.typed:
			if !ok {
				return -1, nil
			}
			through, leave := v.filter(typed)
			if err := l.write(string(through)); err != nil || leave {
				return -1, err
			}
		case <-ctx.Done():
			return -1, context.Cause(ctx)
		}
	}
}
