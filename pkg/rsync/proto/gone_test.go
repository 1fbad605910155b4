package proto

import (
	"context"
	"io"
	"io/fs"
	"testing"
)

// That a stream has ended is no breach of the protocol.
func TestGoneCode(t *testing.T) {
	for code, want := range map[Exit]Exit{ExitProtocol: ExitStreamIO, ExitStartClient: ExitStartClient, ExitStreamIO: ExitStreamIO} {
		if got := ExitCode(Failf(code, "read a head: %w", &Gone{io.EOF})); got != want {
			t.Errorf("the end of a stream, failed with %d: code %d, want %d", code, got, want)
		}
	}
}

// The end that has failed of its own accord is told, whatever the numbers are and
// whichever way the other one has noticed.
func TestCause(t *testing.T) {
	hangups := []error{
		Fail(ExitStreamIO, &Gone{io.ErrUnexpectedEOF}),
		Fail(ExitSocketIO, &Gone{io.ErrClosedPipe}),
		Fail(ExitProtocol, &Gone{io.EOF}),
		Fail(ExitTimeout, &Gone{fs.ErrClosed}),
		&Gone{io.ErrShortWrite},
	}
	for _, own := range []error{Failf(ExitSyntax, "a wrong rule"), Failf(ExitFileIO, "no room"), Fail(ExitPartial, ExitPartial), context.DeadlineExceeded, context.Canceled} {
		for _, gone := range hangups {
			if got := Cause(own, gone); got != own {
				t.Errorf("near %v, far %v: %v", own, gone, got)
			}
			if got := Cause(gone, own); got != own {
				t.Errorf("near %v, far %v: %v", gone, own, got)
			}
		}
	}
	low, high := Failf(ExitSyntax, "low"), Failf(ExitPartial, "high")
	for _, c := range [][3]error{
		{low, high, high}, {high, low, high}, {low, nil, low}, {nil, low, low}, {nil, nil, nil},
		{hangups[0], nil, hangups[0]}, {nil, hangups[0], hangups[0]}, {hangups[0], hangups[2], hangups[0]},
	} {
		if got := Cause(c[0], c[1]); got != c[2] {
			t.Errorf("near %v, far %v: %v, want %v", c[0], c[1], got, c[2])
		}
	}
}
