package session

import (
	"fmt"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// SendArgs sends the server's arguments and the empty one that ends them.
func SendArgs(w *wire.Writer, caps proto.Caps, args []string) error {
	end := byte('\n')
	if caps.ArgsNulEnded {
		end = 0
	}
	var b strings.Builder
	for _, a := range args {
		if a == "" || strings.IndexByte(a, end) >= 0 || strings.IndexByte(a, 0) >= 0 {
			return proto.Failf(proto.ExitSyntax, "the argument %q cannot be sent to this daemon", a)
		}
		b.WriteString(a)
		b.WriteByte(end)
	}
	b.WriteByte(end)
	if err := sendText(w, b.String()); err != nil {
		return fmt.Errorf("send the arguments: %w", err)
	}
	return nil
}

// Limits of a client's arguments.
const (
	maxArgs     = 1000
	maxArgBytes = 64 * 1024
)

// ReadArgs reads a client's arguments (io.c:read_args).
func ReadArgs(r *wire.Reader, caps proto.Caps) ([]string, error) {
	end := byte('\n')
	if caps.ArgsNulEnded {
		end = 0
	}
	var args []string
	left := maxArgBytes
	for {
		a := r.Line(end, left, "argument")
		if r.Err() != nil {
			return nil, broken(proto.ExitStreamIO, fmt.Errorf("read the client's arguments: %w", r.Err()))
		}
		if a == "" {
			return args, nil
		}
		if left -= len(a) + 1; len(args) >= maxArgs || left < 0 {
			return nil, proto.Failf(proto.ExitSyntax, "the client sends more than %d arguments or %d bytes of them", maxArgs, maxArgBytes)
		}
		args = append(args, a)
	}
}
