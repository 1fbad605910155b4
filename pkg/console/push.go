package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"time"
)

// cancelTransfer is what ends a ZMODEM transfer on the other side.
const cancelTransfer = "\x18\x18\x18\x18\x18\x18\x18\x18\b\b\b\b\b\b\b\b"

// keepsParts asks whether the player's rz can be told to keep what has come over
// when a transfer breaks off. By itself it removes that.
func (l *Link) keepsParts(ctx context.Context) (bool, error) {
	res, err := l.Run(ctx, "rz --help </dev/null 2>&1 | grep unrestrict >/dev/null", 0)
	return res.Code == 0, err
}

// Push sends a file of this machine into a folder of the player, with sz here and
// rz there. What has come over before is gone on from. sent is told how many bytes have been given to the line in this try. A transfer that breaks off
// is an error; the shell is at its prompt again, unless the line has dropped.
func (l *Link) Push(ctx context.Context, file, folder string, sent func(int64)) error {
	rz := "rz -b -r"
	if keeps, err := l.keepsParts(ctx); err != nil {
		return err
	} else if keeps {
		rz += " -U"
	}
	if err := l.quiet(ctx); err != nil {
		return err
	}
	if err := l.enter(ctx, "(cd "+folder+" && "+rz+")"); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sz", "-b", "-r", "-q", file)
	toSz, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	fromSz, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%w (the package lrzsz has it)", err)
	}
	written := make(chan error, 1)
	go func() { written <- l.feed(fromSz, sent, cancel) }()
	dropped := l.relay(ctx, toSz, written)
	toSz.Close()
	waitErr := cmd.Wait()
	switch {
	case errors.Is(dropped, ErrDropped):
		return dropped
	case waitErr == nil && dropped == nil:
		return l.quiet(ctx)
	}
	if err := l.write(cancelTransfer + "\n"); err != nil {
		return err
	}
	back := context.WithoutCancel(ctx) // the shell must come back also for who has had enough
	if err := l.quiet(back); err != nil {
		return err
	}
	return errors.Join(dropped, fmt.Errorf("the transfer broke off (%w) %s", waitErr, bytes.TrimSpace(said.Bytes())))
}

// feed writes to the line what sz says.
func (l *Link) feed(from io.Reader, sent func(int64), cancel func()) error {
	var total int64
	buf := make([]byte, 1024) // small, so that progress moves at 4800 baud too
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if _, werr := l.port.Write(buf[:n]); werr != nil {
				cancel()
				return fmt.Errorf("%w: %w", ErrDropped, werr)
			}
			total += int64(n)
			sent(total)
		}
		if err != nil {
			return nil // sz has ended: its exit code says how
		}
	}
}

// relay hands to sz what comes from the line, until sz has ended.
func (l *Link) relay(ctx context.Context, to io.Writer, written <-chan error) error {
	_, _ = to.Write(l.rest)
	l.rest = nil
	for {
		select {
		case chunk, ok := <-l.in:
			if !ok {
				return l.err
			}
			_, _ = to.Write(chunk) // sz may have ended just now
		case err := <-written:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
