package proto

import "errors"

// Gone is the error of a stream that has ended because its other end no longer
// speaks or listens. It is never a cause, only what is seen of one from here:
// where another error is known, that one is to be told. Its text is that of Err.
type Gone struct{ Err error }

func (g *Gone) Error() string { return g.Err.Error() }

// Unwrap returns the error of the stream.
func (g *Gone) Unwrap() error { return g.Err }

// IsGone reports whether an error only tells that the other end has gone.
func IsGone(err error) bool {
	var g *Gone
	return errors.As(err, &g)
}

// Cause returns which of two errors is to be told, those of the near and the far
// end of one session: the one that is no mere consequence of the other. Where both
// have failed of their own accord, or neither has, it is the one with the higher
// code, near where they are equal.
func Cause(near, far error) error {
	switch {
	case far == nil:
		return near
	case near == nil:
		return far
	case IsGone(near) != IsGone(far):
		if IsGone(near) {
			return far
		}
		return near
	case ExitCode(far) > ExitCode(near):
		return far
	}
	return near
}
