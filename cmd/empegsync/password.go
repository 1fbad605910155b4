package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/empegsync/empegsync/pkg/rsync/client"
)

// secrets gives passwords from the environment, the standard input, or the
// terminal.
func secrets(ctx context.Context, s *streams) client.Secrets {
	return client.Secrets{Env: os.LookupEnv, Stdin: s.in, Ask: func() (string, error) {
		tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
		if err != nil {
			return "", errors.New("the daemon asks for a password, and there is no terminal: give it with --password-file or in RSYNC_PASSWORD")
		}
		defer tty.Close()
		return askHidden(ctx, tty, "Password: ")
	}}
}

// maxTyped bounds a password that is typed, in bytes.
const maxTyped = 1024

// askHidden reads a line from a terminal that does not show it. The terminal is
// as it was afterwards, also when ctx ends meanwhile.
func askHidden(ctx context.Context, tty *os.File, prompt string) (string, error) {
	old, err := echo(tty, nil)
	if err != nil {
		return "", fmt.Errorf("hide what is typed: %w", err)
	}
	defer func() { _, _ = echo(tty, old) }()
	if _, err := io.WriteString(tty, prompt); err != nil {
		return "", err
	}
	defer fmt.Fprintln(tty)
	typed := make(chan typedLine, 1)
	go func() { typed <- readTyped(tty) }()
	select {
	case t := <-typed:
		return t.text, t.err
	case <-ctx.Done(): // whoever still reads ends with the program
		return "", context.Cause(ctx)
	}
}

// typedLine is what came of reading from a terminal.
type typedLine struct {
	text string
	err  error
}

// readTyped reads a line, byte by byte, so that what is typed behind it is left
// to others.
func readTyped(tty io.Reader) typedLine {
	var line []byte
	for len(line) < maxTyped {
		var b [1]byte
		n, err := tty.Read(b[:])
		switch {
		case n == 0 || err != nil:
			return typedLine{err: fmt.Errorf("read the password: %w", errors.Join(err, io.ErrUnexpectedEOF))}
		case b[0] == '\n':
			return typedLine{text: string(line)}
		}
		line = append(line, b[0])
	}
	return typedLine{err: fmt.Errorf("the password has more than %d bytes", maxTyped)}
}

// echo stops a terminal from showing what is typed and returns how it was set
// before; a state from before is put back.
func echo(tty *os.File, state *unix.Termios) (old *unix.Termios, err error) {
	raw, err := tty.SyscallConn()
	if err != nil {
		return nil, err
	}
	ctlErr := raw.Control(func(fd uintptr) {
		if state == nil {
			if old, err = unix.IoctlGetTermios(int(fd), unix.TCGETS); err != nil {
				return
			}
			hidden := *old
			hidden.Lflag &^= unix.ECHO
			hidden.Lflag |= unix.ICANON | unix.ISIG
			state = &hidden
		}
		err = unix.IoctlSetTermios(int(fd), unix.TCSETSF, state)
	})
	return old, errors.Join(ctlErr, err)
}
