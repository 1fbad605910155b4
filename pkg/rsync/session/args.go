package session

import (
	"fmt"
	"slices"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/charset"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// SendArgs sends the server's arguments and the empty one that ends them. A
// backslash in an option is doubled, as daemons of rsync 3.2.4 and later take one
// away; what else those have escaped needs no escape.
func SendArgs(w *wire.Writer, caps proto.Caps, args []string) error {
	end := byte('\n')
	if caps.ArgsNulEnded {
		end = 0
	}
	var b strings.Builder
	paths := false
	for _, a := range args {
		if paths = paths || a == "."; !paths {
			a = strings.ReplaceAll(a, `\`, `\\`)
		}
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

// SendSecluded sends what follows the arguments under -s, each with a zero byte
// behind it (rsync.c:send_protected_args); nothing if there are none. With --iconv
// they are converted from the client's character set, which is nil without.
func SendSecluded(w *wire.Writer, args []string, from *charset.Conversion) error {
	if len(args) == 0 {
		return nil
	}
	var b strings.Builder
	b.WriteString("rsync\x00") // the program's name
	for _, a := range args {
		if strings.IndexByte(a, 0) >= 0 {
			return proto.Failf(proto.ExitSyntax, "the argument %q cannot be sent: it has a NUL in it", a)
		}
		if a == "" {
			a = "."
		}
		b.WriteString(from.TextToWire(a))
		b.WriteByte(0)
	}
	b.WriteByte(0)
	if err := sendText(w, b.String()); err != nil {
		return fmt.Errorf("send the arguments: %w", err)
	}
	return nil
}

// ReadSecluded reads what [SendSecluded] sends, without the program's name. to is
// the server's character set, nil without --iconv.
func ReadSecluded(r *wire.Reader, to *charset.Conversion) ([]string, error) {
	args, err := readArgs(r, 0)
	if err != nil || len(args) == 0 {
		return nil, err
	}
	args = args[1:]
	for i, a := range args {
		args[i] = to.TextFromWire(a)
	}
	return args, nil
}

// Limits of a client's arguments.
const (
	maxArgs     = 1000
	maxArgBytes = 64 * 1024
)

// ReadArgs reads a client's arguments, and those that follow under -s
// (io.c:read_args, clientserver.c:rsync_module). ours is the character set of this
// side's names, which these are converted to if the client asks for --iconv.
func ReadArgs(r *wire.Reader, caps proto.Caps, ours *charset.Conversion) ([]string, error) {
	end := byte('\n')
	if caps.ArgsNulEnded {
		end = 0
	}
	args, err := readArgs(r, end)
	unescape(args)
	if err != nil || !options.Secluded(args) {
		return args, err
	}
	if options.IconvAsked(args) == "" {
		ours = nil
	}
	secluded, err := ReadSecluded(r, ours)
	if i := slices.IndexFunc(args, func(a string) bool { return !strings.HasPrefix(a, "-") }); i >= 0 {
		args = args[:i] // rsync sends "(null)" where the open part ends, and then all again
	}
	return append(args, secluded...), err
}

// unescape takes the backslashes away that a client of rsync 3.2.4 and later puts
// before what a shell would see in options; in paths they stay, for the wildcards.
func unescape(args []string) {
	for i, a := range args {
		if a == "." {
			return
		}
		var b strings.Builder
		for k := 0; k < len(a); k++ {
			if a[k] == '\\' && k+1 < len(a) {
				k++
			}
			b.WriteByte(a[k])
		}
		args[i] = b.String()
	}
}

func readArgs(r *wire.Reader, end byte) ([]string, error) {
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
