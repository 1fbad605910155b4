package client

import (
	"fmt"
	"strings"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/chmod"
	"github.com/empegsync/empegsync/pkg/rsync/filter"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/server"
	"github.com/empegsync/empegsync/pkg/rsync/session"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// version is the highest one that may be announced.
func (c *Client) version() int {
	if c.Options.Protocol != 0 {
		return c.Options.Protocol
	}
	return proto.MaxVersion
}

// greet goes through the text part of a session.
func (c *Client) greet(cn *conn, r Remote) (proto.Caps, bool, error) {
	greeting, err := session.GreetServer(cn.r, cn.w, c.version())
	if err != nil {
		return proto.Caps{}, false, fmt.Errorf("%s: %w", r.Address(), err)
	}
	caps, err := proto.New(greeting.Version)
	if err != nil {
		return caps, false, err
	}
	ask, err := c.ask(r, caps, greeting.Digests)
	if err != nil {
		return caps, false, err
	}
	listed, err := session.AskModule(cn.r, cn.w, ask)
	return caps, listed, err
}

// shake goes through the handshake with a daemon or a server.
func (c *Client) shake(cn *conn, places []Remote, push bool, rules *filter.Rules) (l transfer.Link, err error) {
	r := places[0]
	var caps proto.Caps
	if r.Shell {
		caps, err = c.greetShell(cn)
	} else {
		caps, err = c.enter(cn, places, push)
	}
	if err != nil {
		return l, err
	}
	l, a, err := c.settle(cn.r, cn.w, caps, push, rules)
	if err != nil {
		return l, fmt.Errorf("%s: %w", r, err)
	}
	l.Abort, l.Busy = cn.close, func() { session.Touch(cn.Conn) }
	return l, cn.batch.begin(&l, a, c.Options, push)
}

// settle agrees on what depends on the version, and tells the server the rules.
func (c *Client) settle(r *wire.Reader, w *wire.Writer, caps proto.Caps, push bool, rules *filter.Rules) (l transfer.Link, a session.Agreed, err error) {
	if err := session.CheckOptions(caps, c.Options); err != nil {
		return l, a, err
	}
	if err := transfer.CanKeep(caps, c.Options, c.start != nil); err != nil {
		return l, a, err
	}
	setup := session.Setup{
		Caps: caps, Sender: push, Choice: c.Options.ChecksumChoice, Lists: c.Options.Checksum,
		IncRecurse: c.Options.MayIncRecurse(push), Recorded: c.Options.ReadBatch != "",
		Messages: c.Options.RemoveSource != options.RemoveNone,
	}.WithCompression(c.Options)
	setup.SumList, setup.CompressList = c.SumList, c.CompressList
	if c.Options.WriteBatch != "" {
		setup.SumList, setup.CompressList = session.BatchLists(caps)
	}
	if a, err = setup.Run(r, w); err != nil {
		return l, a, err
	}
	if err := c.sendRules(w, a.Caps, rules, push); err != nil {
		return l, a, err
	}
	changes, err := c.chmod()
	if err != nil {
		return l, a, err
	}
	names, err := server.Charset(c.Options)
	if err != nil {
		return l, a, err
	}
	if c.Agreed != nil {
		c.Agreed(a)
	}
	return transfer.Link{
		Chmod: changes, Charset: names,
		R: r, W: w, Caps: a.Caps, Seed: a.Seed, FileSum: a.FileSum, ListSum: a.ListSum,
		Compression: a.Compression,
		PeerFrames:  a.PeerFrames, Local: c.start != nil,
	}, a, nil
}

// chmod are the changes that --chmod asks for.
func (c *Client) chmod() (chmod.Modes, error) {
	if c.Options.Chmod == "" {
		return nil, nil
	}
	m, err := chmod.Parse(c.Options.Chmod, c.Umask)
	if err != nil {
		return nil, proto.Fail(proto.ExitSyntax, err)
	}
	return m, nil
}

// enter greets a daemon and asks for a module and what is to be done there.
func (c *Client) enter(cn *conn, places []Remote, push bool) (proto.Caps, error) {
	caps, listed, err := c.greet(cn, places[0])
	if err != nil {
		return caps, err
	}
	if listed {
		return caps, proto.Failf(proto.ExitStartClient, "%s: the daemon ended the session without serving the module", places[0])
	}
	open, secluded := c.arguments(caps.CompatFlags, places, push)
	if c.Debug != nil && c.Options.ShowsCommand() {
		c.Debug(fmt.Sprintf("sending daemon args: %s  (%d args)", strings.Join(open, " "), len(open)))
	}
	if err := session.SendArgs(cn.w, caps, open); err != nil {
		return caps, err
	}
	names, err := server.Charset(c.Options)
	if err != nil {
		return caps, err
	}
	return caps, session.SendSecluded(cn.w, secluded, names)
}

// greetShell exchanges versions with a server behind a remote shell.
func (c *Client) greetShell(cn *conn) (proto.Caps, error) {
	version, err := session.GreetShellServer(cn.r, cn.w, c.version(), func(t time.Time) { _ = cn.SetReadDeadline(t) })
	if err != nil {
		return proto.Caps{}, err
	}
	caps, err := proto.New(version)
	return caps.OverShell(), err
}

// arguments are the server's: those in the open, and with -s the ones that go
// through the protocol.
func (c *Client) arguments(showLetters bool, places []Remote, push bool) (open, secluded []string) {
	letters := ""
	if showLetters {
		letters = proto.ClientLetters()
	}
	o := c.Options
	args := o.ServerArgs(options.Peer{Push: push, Capabilities: letters})
	q := quoting{secluded: o.Secluded == options.Yes, old: o.OldArgs, home: push}
	if places[0].Shell {
		for i := range args {
			args[i] = q.option(args[i], i >= len(args)-len(o.RemoteOptions))
		}
	}
	args = append(args, ".")
	for _, p := range places {
		args = append(args, p.argument(q))
	}
	return o.Seclude(args)
}
