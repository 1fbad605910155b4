package client

import (
	"context"
	"net"

	"github.com/empegsync/empegsync/pkg/rsync/filter"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/server"
	"github.com/empegsync/empegsync/pkg/rsync/session"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
)

// Client copies to and from other machines.
type Client struct {
	Options *options.Options
	Umask   uint32
	// Observer is told what happens; it must not be nil.
	Observer transfer.Observer
	// Say gets the daemon's message of the day and lists, line by line; nil
	// drops them.
	Say func(line string)
	// Dial replaces the network, for tests and other transports.
	Dial func(ctx context.Context, r Remote, opt *options.Options) (net.Conn, error)
	// Shell says how remote shells are run.
	Shell Shell
	// Proxy, as from RSYNC_PROXY, is an HTTP proxy that leads to daemons:
	// [USER:PASSWORD@]HOST:PORT, "" for none.
	Proxy string
	// Secrets says where the password for a daemon comes from.
	Secrets Secrets
	// Started, if not nil, is told the command line of a remote shell.
	Started func(words []string)
	// Debug, if not nil, is told what --debug wants said of the connection.
	Debug func(line string)
	// Agreed, if not nil, is told what both sides speak, before the list.
	Agreed func(session.Agreed)
	// ReadFile reads the files that the options name, such as that of
	// --exclude-from; nil reads them from the disk.
	ReadFile func(name string) ([]byte, error)

	// SumList and CompressList are the names of checksums and compressors to
	// negotiate with, "" for the usual ones.
	SumList, CompressList string
	// Program and Words are the command line, for the script beside a batch: the
	// words that start this program, and those behind them.
	Program, Words []string

	// start, if not nil, opens the connection to a server.
	start func(ctx context.Context) (*conn, error)
}

// List prints a daemon's modules through Say.
func (c *Client) List(ctx context.Context, r Remote) error {
	r.Module = ""
	cn, err := c.dial(ctx, r)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, cn.close)()
	if _, _, err = c.greet(cn, r); err == nil {
		_ = cn.end(nil) // a daemon behind a shell ends with an error after a list
		return nil
	}
	return cn.end(err)
}

// Pull copies one or more places of one module, or of one machine behind a
// remote shell, to dest.
func (c *Client) Pull(ctx context.Context, from []Remote, dest transfer.Dest) (transfer.Stats, error) {
	cn, link, rules, err := c.open(ctx, from, false)
	if err != nil {
		return transfer.Stats{}, err
	}
	st, err := transfer.Receive(ctx, link, c.Options, dest, c.Umask, transfer.NewClientRules(rules, server.Locate(server.Operator(c.Options)), ""), c.Observer)
	return st, cn.end(cn.lastWords(cn.batch.end(err)))
}

// Push copies sources to a place on another machine.
func (c *Client) Push(ctx context.Context, sources []transfer.Source, to Remote) (transfer.Stats, error) {
	cn, link, rules, err := c.open(ctx, []Remote{to}, true)
	if err != nil {
		return transfer.Stats{}, err
	}
	st, err := transfer.Send(ctx, link, c.Options, sources, transfer.NewClientRules(rules, server.Locate(server.Operator(c.Options)), ""), c.Observer)
	return st, cn.end(cn.lastWords(cn.batch.end(err)))
}

// open connects and shakes hands, up to where the file list comes.
func (c *Client) open(ctx context.Context, places []Remote, push bool) (cn *conn, l transfer.Link, rules *filter.Rules, err error) {
	rules, err = c.rules()
	if err != nil {
		return nil, l, nil, err
	}
	names, err := c.names(places[0])
	if err != nil {
		return nil, l, nil, err
	}
	if _, err := server.Charset(c.Options); err != nil {
		return nil, l, nil, err
	}
	if err := server.CheckMunging(c.Options); err != nil {
		return nil, l, nil, err
	}
	if places[0].Shell && c.Options.PasswordFile != "" {
		return nil, l, nil, proto.Failf(proto.ExitSyntax, "The --password-file option may only be used when accessing an rsync daemon.")
	}
	batch, err := c.createBatch(rules)
	if err != nil {
		return nil, l, nil, err
	}
	switch {
	case c.start != nil:
		cn, err = c.start(ctx)
	case places[0].Shell:
		cn, err = c.startShell(ctx, places, push)
	default:
		cn, err = c.dial(ctx, places[0])
	}
	if err != nil {
		return nil, l, nil, batch.end(err)
	}
	cn.batch = batch
	defer context.AfterFunc(ctx, cn.close)()
	if l, err = c.shake(cn, places, push, rules); err != nil {
		if ctx.Err() != nil {
			err = proto.Fail(proto.ExitSignal, context.Cause(ctx))
		}
		return nil, l, nil, cn.end(batch.end(err))
	}
	l.Names = names
	if !push && c.start == nil {
		l.Distrust = c.distrust(places, names, rules)
	}
	return cn, l, rules, nil
}

// names reads the list of --files-from, where this side has it.
func (c *Client) names(place Remote) ([]string, error) {
	o := c.Options
	switch {
	case o.FilesFrom == "":
		return nil, nil
	case o.FilesFromRemote && o.FilesFromHost != "" && o.FilesFromHost != place.account():
		return nil, proto.Failf(proto.ExitSyntax, "--files-from hostname is not the same as the transfer hostname")
	case o.FilesFromRemote:
		return nil, nil
	}
	return server.ReadNames(o.FilesFrom, o.From0, server.Operator(o))
}
