package client

import (
	"context"
	"net"

	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/server"
	"github.com/empegsync/empegsync/pkg/rsync/session"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
)

// Copy copies paths of this machine to another path of it: this side sends, a
// server in the same process receives, as if it had been started with the
// arguments that a remote one would get. Files are copied whole unless the
// options say --no-whole-file (main.c:do_cmd).
func (c *Client) Copy(ctx context.Context, from []string, dest string) (transfer.Stats, error) {
	local := *c
	opt := *c.Options
	if opt.WholeFile == options.Unset && opt.Append == options.AppendNo && opt.WriteBatch == "" {
		opt.WholeFile = options.Yes
	}
	local.Options = &opt
	var far inside
	local.start = func(ctx context.Context) (*conn, error) {
		args := opt.ServerArgs(options.Peer{Push: true, Capabilities: proto.ClientLetters()})
		near, err := local.startInside(ctx, append(args, ".", dest), &far)
		if err != nil {
			return nil, err
		}
		return local.connect(near, nil), nil
	}
	if c.Options.FilesFromRemote {
		return transfer.Stats{}, proto.Failf(proto.ExitSyntax, "--files-from cannot be remote when the transfer is local")
	}
	sources, done, err := server.OpenSources(from, &opt)
	if err != nil {
		return transfer.Stats{}, err
	}
	defer done()
	st, err := local.Push(ctx, sources, Remote{Shell: true, Path: dest})
	return st, far.join(err)
}

// inside is a server in this process: how it ends, nil if it never began.
type inside struct{ result chan error }

// startInside starts a server in this process for these arguments.
func (c *Client) startInside(ctx context.Context, args []string, in *inside) (net.Conn, error) {
	opt, err := options.ParseServer(args, options.Refusal{})
	if err != nil {
		return nil, proto.Failf(proto.ExitIPC, "this program does not understand its own arguments: %w", err)
	}
	if opt.Super == options.SuperAuto { // both sides are this process, but for what -M says
		opt.Super = c.Options.Super
	}
	opt.InsecureLinks = opt.InsecureLinks || c.Options.InsecureLinks
	if opt.ConfineRoot == "" {
		opt.ConfineRoot = c.Options.ConfineRoot
	}
	opt.DebugLike(c.Options)
	if opt.LogFormat == "" && (c.Options.Format() != "" || c.Options.LogFile != "") {
		opt.LogFormat = "X" // a real one of the same program knows it, whatever -v says
	}
	toRead, toWrite, far, err := fourEnds()
	if err != nil {
		return nil, proto.Fail(proto.ExitIPC, err)
	}
	s := &server.Session{Options: opt, Conn: session.Pipes(far[0], far[1]), Err: c.Shell.stderr(), Umask: c.Umask, Local: true}
	in.result = make(chan error, 1)
	go func() { in.result <- s.Run(ctx) }()
	return session.Pipes(toRead, toWrite), nil
}

// join waits for the server and returns the error that counts, its own or err.
func (in *inside) join(err error) error {
	if in.result == nil {
		return err
	}
	return proto.Cause(err, <-in.result)
}
