package console

import (
	"bytes"
	"context"
	"fmt"
	"strings"
)

// echoTries is how often a line is typed until its echo is right.
const echoTries = 5

// enter types a line for the shell, and ends it only when the echo shows that it
// has come over as it was meant: noise must not make another command of it. A shell
// that has never echoed a line right is one that echoes in another way; it gets the
// line all the same. What the command says is left for the next hear.
func (l *Link) enter(ctx context.Context, line string) error {
	for range echoTries {
		if err := l.write(line); err != nil {
			return err
		}
		heard, err := l.hear(ctx, l.times().Probe, func(b []byte) bool { return echoed(b, line) })
		if err != nil {
			return err
		}
		if echoed(heard, line) {
			l.echoes = true
			if err := l.write("\n"); err != nil {
				return err
			}
			ended := func(b []byte) bool { return bytes.IndexByte(b, '\n') >= 0 }
			if heard, err = l.hear(ctx, l.times().Probe, ended); err != nil {
				return err
			}
			if ended(heard) {
				l.rest = heard
				return nil
			}
		}
		if err := l.discard(ctx); err != nil {
			return err
		}
	}
	if l.echoes {
		return fmt.Errorf("%s: the line is too noisy to type this: %w with what was typed", line, ErrSilent)
	}
	return l.write(line + "\n")
}

// discard leads out of a half-typed line, a quote that noise has opened, a transfer.
func (l *Link) discard(ctx context.Context) error {
	if err := l.write("\x03\x15\n"); err != nil {
		return err
	}
	return l.quiet(ctx)
}

// echoed reports whether a line is in what was heard, as the shell's line editor
// shows it. At the end of the screen's line that editor writes the next character,
// or a blank, goes back to the margin, and writes it again; so blanks do not count.
func echoed(heard []byte, line string) bool {
	var once []byte
	heard = escapes().ReplaceAll(heard, nil)
	for i, b := range heard {
		if b == '\r' && len(once) > 0 && i+1 < len(heard) && once[len(once)-1] == heard[i+1] {
			once = once[:len(once)-1]
		}
		if b != '\r' {
			once = append(once, b)
		}
	}
	return strings.Contains(solid(clean(once)), solid(line))
}

// solid is text without its blanks.
func solid(text string) string { return strings.Join(strings.Fields(text), "") }
