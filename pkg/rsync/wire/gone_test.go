package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

func TestHangup(t *testing.T) {
	for _, c := range []struct {
		err  error
		gone bool
	}{
		{io.EOF, true},
		{fmt.Errorf("read: %w", io.ErrUnexpectedEOF), true},
		{io.ErrClosedPipe, true},
		{&os.PathError{Op: "write", Path: "|1", Err: syscall.EPIPE}, true},
		{&net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, true},
		{net.ErrClosed, true},
		{&os.PathError{Op: "read", Path: "|0", Err: os.ErrClosed}, true},
		{hangup(io.EOF), true},
		{os.ErrDeadlineExceeded, false},
		{proto.Fail(proto.ExitFileIO, io.EOF), false},
		{syscall.ENOSPC, false},
		{context.Canceled, false},
		{nil, false},
	} {
		got := hangup(c.err)
		if proto.IsGone(got) != c.gone || !errors.Is(got, c.err) || c.err != nil && got.Error() != c.err.Error() {
			t.Errorf("%v becomes %#v", c.err, got)
		}
	}
}
