package server

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/session"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// secludedWait is how long a client under -s may take for its arguments, which
// it sends at once.
const secludedWait = time.Minute

// ReadSecluded reads the arguments that a client under -s sends through the
// connection, behind those in words that came in the open, and returns what all
// of them mean. Wildcards in paths become what they fit, for no shell has seen
// them (main.c:main).
func ReadSecluded(ctx context.Context, conn net.Conn, words []string) (*options.Options, error) {
	all, err := SecludedWords(ctx, conn, words)
	if err != nil {
		return nil, err
	}
	opt, err := ParseWords(all)
	if err != nil {
		return nil, err
	}
	opt.Args = expand(opt.Args)
	return opt, nil
}

// SecludedWords reads the arguments that a client under -s sends, and returns
// all of them, words first.
func SecludedWords(ctx context.Context, conn net.Conn, words []string) ([]string, error) {
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if conn.SetReadDeadline(time.Now().Add(secludedWait)) == nil {
		defer func() { _ = conn.SetReadDeadline(time.Time{}) }() // if it fails, the next read will
	}
	// Nothing may be read ahead: what follows is the session's.
	ours, err := openCharset(options.IconvAsked(words))
	if err != nil {
		return nil, err
	}
	args, err := session.ReadSecluded(wire.NewReader(oneByte{conn}, 0), ours)
	if err != nil {
		return nil, err
	}
	return append(append([]string{}, words...), args...), nil
}

// ParseWords reads the whole of a server's arguments.
func ParseWords(words []string) (*options.Options, error) {
	opt, err := options.Parse(words)
	var oe *options.Error
	switch {
	case errors.As(err, &oe):
		return nil, proto.Failf(proto.Exit(oe.ExitCode()), "%w", err)
	case err != nil:
		return nil, err
	case opt.Incomplete || !opt.Server || opt.Daemon:
		return nil, proto.Failf(proto.ExitSyntax, "on remote machine: the arguments that came through the connection make no sense")
	}
	return opt, nil
}

// oneByte reads no more than what is asked for at least.
type oneByte struct{ r io.Reader }

func (o oneByte) Read(p []byte) (int, error) { return o.r.Read(p[:min(len(p), 1)]) }

// maxExpand bounds what patterns may become.
const maxExpand = 100_000

// expand replaces patterns by what they fit; those that fit nothing stay, so
// that the client hears of them (util1.c:glob_expand).
func expand(args []string) []string {
	var all []string
	for _, a := range args {
		found := []string{a}
		if strings.ContainsAny(a, "*?[") {
			names, err := filepath.Glob(strings.ReplaceAll(a, "[!", "[^"))
			if err == nil && len(names) > 0 && len(all)+len(names) <= maxExpand {
				found = names
			}
		}
		all = append(all, found...)
	}
	return all
}
