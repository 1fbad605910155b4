package wire

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// hangup marks what reading from a peer or writing to it has returned: the end of
// the stream, a broken pipe, a reset or closed connection become a [proto.Gone], all else
// stays as it is.
func hangup(err error) error {
	var f *proto.Failure
	if err == nil || proto.IsGone(err) || errors.As(err, &f) {
		return err
	}
	for _, e := range []error{
		io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, syscall.EPIPE, syscall.ECONNRESET, net.ErrClosed, os.ErrClosed,
	} {
		if errors.Is(err, e) {
			return &proto.Gone{Err: err}
		}
	}
	return err
}
