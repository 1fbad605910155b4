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
	if err := l.enter(ctx, fmt.Sprintf("%s; echo E''ND%d:$?:", command, l.turn)); err != nil {
		return -1, err
	}
	return l.interact(ctx, k, out, regexp.MustCompile(fmt.Sprintf(`END%d:([0-9]{1,3}):`, l.turn)))
}

// interact also ends when mark comes, and returns the number in it.
func (l *Link) interact(ctx context.Context, k *Keyboard, out io.Writer, mark *regexp.Regexp) (int, error) {
	var v leaver
	w := watcher{out: out, mark: mark}
	rest := l.rest
	l.rest = nil
	if code, found, err := w.show(rest); found || err != nil {
		return code, err
	}
	for {
		select {
		case chunk, ok := <-l.in:
			if !ok {
				return -1, l.err
			}
			if code, found, err := w.show(chunk); found || err != nil {
				return code, err
			}
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

// watcher shows what comes from the player and looks for a mark in it.
type watcher struct {
	out  io.Writer
	mark *regexp.Regexp // has a number in it; nil for none
	tail []byte
}

// show returns the number when the mark has come.
func (w *watcher) show(chunk []byte) (code int, found bool, err error) {
	if _, err := w.out.Write(chunk); err != nil {
		return -1, false, err
	}
	if w.mark == nil {
		return 0, false, nil
	}
	w.tail = append(w.tail, chunk...)
	if m := w.mark.FindSubmatch(w.tail); m != nil {
		_, err := fmt.Sscan(string(m[1]), &code)
		return code, true, err
	}
	w.tail = bytes.Clone(w.tail[max(0, len(w.tail)-64):])
	return 0, false, nil
}
