package client

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/filter"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/session"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// Client copies to and from daemons.
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
}

// buffer sizes of a connection in bytes
const (
	readBuffer  = 64 * 1024
	writeBuffer = 64 * 1024
)

// conn is an open session's connection.
type conn struct {
	net.Conn
	r     *wire.Reader
	w     *wire.Writer
	close func()
}

func (c *Client) dial(ctx context.Context, r Remote) (*conn, error) {
	dial := c.Dial
	if dial == nil {
		dial = Dial
	}
	nc, err := dial(ctx, r, c.Options)
	if err != nil {
		return nil, err
	}
	if c.Options.Timeout > 0 {
		nc = session.IdleTimeout(nc, time.Duration(c.Options.Timeout)*time.Second)
	}
	var once sync.Once
	return &conn{
		Conn: nc, r: wire.NewReader(nc, readBuffer), w: wire.NewWriter(nc, writeBuffer),
		close: func() { once.Do(func() { nc.Close() }) },
	}, nil
}

// greet goes through the text part of a session.
func (c *Client) greet(cn *conn, r Remote) (proto.Caps, bool, error) {
	ours := proto.MaxVersion
	if c.Options.Protocol != 0 {
		ours = c.Options.Protocol
	}
	version, err := session.GreetServer(cn.r, cn.w, ours)
	if err != nil {
		return proto.Caps{}, false, fmt.Errorf("%s: %w", r.Address(), err)
	}
	caps, err := proto.New(version)
	if err != nil {
		return caps, false, err
	}
	listed, err := session.AskModule(cn.r, cn.w, r.Module, func(line string) {
		if c.Say != nil {
			c.Say(line)
		}
	})
	return caps, listed, err
}

// List prints a daemon's modules through Say.
func (c *Client) List(ctx context.Context, r Remote) error {
	r.Module = ""
	cn, err := c.dial(ctx, r)
	if err != nil {
		return err
	}
	defer cn.close()
	defer context.AfterFunc(ctx, cn.close)()
	_, _, err = c.greet(cn, r)
	return err
}

// Pull copies one or more places of one module to dest.
func (c *Client) Pull(ctx context.Context, from []Remote, dest transfer.Dest) (transfer.Stats, error) {
	link, scope, err := c.open(ctx, from, false)
	if err != nil {
		return transfer.Stats{}, err
	}
	defer link.Abort()
	return transfer.Receive(ctx, link, c.Options, dest, c.Umask, transfer.ClientRules{Scope: scope}, c.Observer)
}

// Push copies sources to a place of a module.
func (c *Client) Push(ctx context.Context, sources []transfer.Source, to Remote) (transfer.Stats, error) {
	link, scope, err := c.open(ctx, []Remote{to}, true)
	if err != nil {
		return transfer.Stats{}, err
	}
	defer link.Abort()
	return transfer.Send(ctx, link, c.Options, sources, transfer.ClientRules{Scope: scope}, c.Observer)
}

// open dials and shakes hands, up to where the file list comes.
func (c *Client) open(ctx context.Context, places []Remote, push bool) (l transfer.Link, scope *filter.Scope, err error) {
	rules, err := c.rules()
	if err != nil {
		return l, nil, err
	}
	r := places[0]
	cn, err := c.dial(ctx, r)
	if err != nil {
		return l, nil, err
	}
	stop := context.AfterFunc(ctx, cn.close)
	defer stop()
	defer func() {
		if err != nil {
			cn.close()
			if ctx.Err() != nil {
				err = proto.Fail(proto.ExitSignal, context.Cause(ctx))
			}
		}
	}()
	caps, listed, err := c.greet(cn, r)
	if err != nil {
		return l, nil, err
	}
	if listed {
		return l, nil, proto.Failf(proto.ExitStartClient, "%s: the daemon ended the session without serving the module", r)
	}
	if err := session.SendArgs(cn.w, caps, c.arguments(caps, places, push)); err != nil {
		return l, nil, err
	}
	setup := session.Setup{
		Caps: caps, Sender: push, Choice: c.Options.ChecksumChoice, Lists: c.Options.Checksum,
		Refused: proto.CompatIncRecurse,
	}
	a, err := setup.Run(cn.r, cn.w)
	if err != nil {
		return l, nil, fmt.Errorf("%s: %w", r, err)
	}
	if err := c.sendRules(cn.w, a.Caps, rules, push); err != nil {
		return l, nil, err
	}
	return transfer.Link{
		R: cn.r, W: cn.w, Caps: a.Caps, Seed: a.Seed, FileSum: a.FileSum, ListSum: a.ListSum,
		PeerFrames: a.PeerFrames, Abort: cn.close,
	}, rules.Scope("/", nil), nil
}

func (c *Client) arguments(caps proto.Caps, places []Remote, push bool) []string {
	letters := ""
	if caps.CompatFlags {
		letters = proto.ClientLetters()
	}
	args := c.Options.ServerArgs(options.Peer{Push: push, Capabilities: letters})
	args = append(args, ".")
	for _, p := range places {
		args = append(args, p.argument())
	}
	return args
}

// rules reads the filter options.
func (c *Client) rules() (*filter.Rules, error) {
	rules := filter.New(filter.Options{DeleteExcluded: c.Options.DeleteExcluded})
	for _, r := range c.Options.Rules {
		var err error
		switch r.Kind {
		case options.RuleFilter:
			err = rules.Add(r.Text)
		case options.RuleExclude:
			err = rules.AddExclude(r.Text)
		case options.RuleInclude:
			err = rules.AddInclude(r.Text)
		default:
			err = fmt.Errorf("rules from the file %q are not supported yet; give them with --exclude and --include", r.Text)
		}
		if err != nil {
			return nil, proto.Fail(proto.ExitSyntax, err)
		}
	}
	if rules.HasDirMerge() {
		return nil, proto.Failf(proto.ExitUnsupported, "per-directory merge rules are not supported yet; give the rules with --filter, --exclude or --include")
	}
	return rules, nil
}

// sendRules tells the server the rules that concern it, if it wants to know
// (exclude.c:send_filter_list).
func (c *Client) sendRules(w *wire.Writer, caps proto.Caps, rules *filter.Rules, push bool) error {
	if push && !session.ReceiverWantsRules(caps, c.Options) {
		return w.Flush()
	}
	b, err := rules.ForPeer(!push).AppendList(nil, session.Dialect(caps), !push)
	if err != nil {
		return proto.Fail(proto.ExitUnsupported, err)
	}
	if _, err := w.Write(b); err != nil {
		return err
	}
	return w.Flush()
}
