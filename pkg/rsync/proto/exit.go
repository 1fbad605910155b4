package proto

import (
	"context"
	"errors"
	"fmt"
)

// Exit is an rsync exit code (errcode.h). It is an error value: 0 is none.
type Exit int

// The exit codes.
const (
	ExitOK          Exit = 0
	ExitSyntax      Exit = 1
	ExitProtocol    Exit = 2
	ExitFileSelect  Exit = 3
	ExitUnsupported Exit = 4
	ExitStartClient Exit = 5
	ExitLog         Exit = 6
	ExitSocketIO    Exit = 10
	ExitFileIO      Exit = 11
	ExitStreamIO    Exit = 12
	ExitMessageIO   Exit = 13
	ExitIPC         Exit = 14
	ExitSignal      Exit = 20
	ExitMalloc      Exit = 22
	ExitPartial     Exit = 23
	ExitVanished    Exit = 24
	ExitDelLimit    Exit = 25
	ExitTimeout     Exit = 30
	ExitConnTimeout Exit = 35
)

// Error returns what the code means, in a few words.
func (e Exit) Error() string {
	for _, t := range []struct {
		code Exit
		text string
	}{
		{ExitOK, "success"},
		{ExitSyntax, "syntax or usage error"},
		{ExitProtocol, "protocol incompatibility"},
		{ExitFileSelect, "errors selecting input/output files or folders"},
		{ExitUnsupported, "requested action not supported"},
		{ExitStartClient, "error starting client-server protocol"},
		{ExitLog, "daemon unable to append to its log file"},
		{ExitSocketIO, "error in socket I/O"},
		{ExitFileIO, "error in file I/O"},
		{ExitStreamIO, "error in the protocol data stream"},
		{ExitMessageIO, "errors with program diagnostics"},
		{ExitIPC, "error between the parts of this program"},
		{ExitSignal, "stopped by a signal"},
		{ExitMalloc, "out of memory"},
		{ExitPartial, "some files could not be transferred"},
		{ExitVanished, "some source files vanished before they could be transferred"},
		{ExitDelLimit, "the --max-delete limit stopped deletions"},
		{ExitTimeout, "timeout in data send/receive"},
		{ExitConnTimeout, "timeout waiting for daemon connection"},
	} {
		if t.code == e {
			return t.text
		}
	}
	return fmt.Sprintf("unknown exit code %d", int(e))
}

// Failure is an error that ends a session, with the exit code it maps to.
// Unwrap gives the cause, which may hold more than a peer should see.
type Failure struct {
	Code Exit
	Err  error
}

// Fail wraps err with an exit code; a nil err stays nil. The innermost code
// wins: an error that already has one, as a [Failure] or an [Exit], keeps it. A
// stream that has ended ([Gone]) is no breach of the protocol: 12 takes the place
// of 2.
func Fail(code Exit, err error) error {
	if err == nil {
		return nil
	}
	var f *Failure
	if errors.As(err, &f) {
		return err
	}
	var e Exit
	if errors.As(err, &e) {
		code = e
	}
	if code == ExitProtocol && IsGone(err) {
		code = ExitStreamIO
	}
	return &Failure{code, err}
}

// Failf is [Fail] with a text; a code inside an error behind %w wins, too.
func Failf(code Exit, format string, args ...any) error {
	return Fail(code, fmt.Errorf(format, args...))
}

func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// ExitCode returns the code that err maps to: 0 for nil, the code of a
// [Failure] or [Exit] inside it, 20 for a cancelled context, 30 for whatever
// says of itself that it is a timeout, else 12 as for a broken stream. A
// failure never ends in 0, nor in a number that no process can end with: such
// codes, which a peer may have sent, count as 12.
func ExitCode(err error) Exit {
	var (
		f       *Failure
		e       Exit
		timeout interface{ Timeout() bool }
	)
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &f):
		return f.Code.orStream(ExitSyntax)
	case errors.As(err, &e):
		return e.orStream(ExitOK)
	case errors.Is(err, context.Canceled):
		return ExitSignal
	case errors.As(err, &timeout) && timeout.Timeout():
		return ExitTimeout
	}
	return ExitStreamIO
}

// orStream returns e if it lies within least and what a process can end with,
// else 12.
func (e Exit) orStream(least Exit) Exit {
	if e < least || e > 255 {
		return ExitStreamIO
	}
	return e
}
