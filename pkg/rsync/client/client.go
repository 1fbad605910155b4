package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
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

// buffer sizes of a connection in bytes
const (
	readBuffer  = wire.ReadBuffer
	writeBuffer = wire.WriteBuffer
)

// conn is an open session's connection.
type conn struct {
	net.Conn
	r     *wire.Reader
	w     *wire.Writer
	close func()
	// process is what the connection leads to, nil for the network.
	process *process
	batch   *batchFile
}

// dial connects to a daemon: through the network, a program, or a remote
// shell.
func (c *Client) dial(ctx context.Context, r Remote) (*conn, error) {
	var (
		nc  net.Conn
		p   *process
		err error
	)
	switch {
	case c.Dial != nil:
		nc, err = c.Dial(ctx, r, c.Options)
	case c.Options.Shell != "":
		p, err = c.Shell.dialDaemon(ctx, r, c.Options)
	case c.Shell.Connect != "":
		p, err = c.Shell.dialProgram(ctx, r)
	default:
		if c.Debug != nil && c.Options.ShowsConnection() {
			c.Debug(fmt.Sprintf("opening tcp connection to %s port %d", r.Host, r.port()))
		}
		nc, err = c.dialNetwork(ctx, r)
	}
	if err != nil {
		return nil, err
	}
	return c.connect(nc, p), nil
}

// dialNetwork connects to a daemon, through a proxy if there is one.
func (c *Client) dialNetwork(ctx context.Context, r Remote) (net.Conn, error) {
	warn := func(err error) { c.Observer.Message(proto.TagWarning, err.Error()) }
	if c.Proxy == "" {
		return dialAddress(ctx, r.Address(), c.Options, warn)
	}
	login, address, err := splitProxy(c.Proxy)
	if err != nil {
		return nil, err
	}
	conn, err := dialAddress(ctx, address, c.Options, warn)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	err = connectProxy(conn, login, r.Address())
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// connect puts buffers around a connection, or around a process's.
func (c *Client) connect(nc net.Conn, p *process) *conn {
	if p != nil {
		nc = p
	}
	nc = session.LimitRate(nc, c.Options.BwLimit)
	if c.Options.Timeout > 0 {
		nc = session.IdleTimeout(nc, time.Duration(c.Options.Timeout)*time.Second)
	}
	var once sync.Once
	return &conn{
		Conn: nc, r: wire.NewReader(nc, readBuffer), w: wire.NewWriter(nc, writeBuffer), process: p,
		close: func() { once.Do(func() { nc.Close() }) },
	}
}

// end closes the connection; behind a process it waits for that and says how
// it ended.
func (cn *conn) end(err error) error {
	cn.close()
	if cn.process == nil {
		return err
	}
	return cn.process.ended(err)
}

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
	st, err := transfer.Receive(ctx, link, c.Options, dest, c.Umask, transfer.NewClientRules(rules, server.Locate, ""), c.Observer)
	return st, cn.end(cn.lastWords(cn.batch.end(err)))
}

// Push copies sources to a place on another machine.
func (c *Client) Push(ctx context.Context, sources []transfer.Source, to Remote) (transfer.Stats, error) {
	cn, link, rules, err := c.open(ctx, []Remote{to}, true)
	if err != nil {
		return transfer.Stats{}, err
	}
	st, err := transfer.Send(ctx, link, c.Options, sources, transfer.NewClientRules(rules, server.Locate, ""), c.Observer)
	return st, cn.end(cn.lastWords(cn.batch.end(err)))
}

// lastWordsWait is how long a peer's last messages are waited for.
const lastWordsWait = 5 * time.Second

// lastWords reads what a peer that no longer listens has said before it went,
// and returns that if it tells more than err does. It may close the connection.
func (cn *conn) lastWords(err error) error {
	if !proto.IsGone(err) {
		return err
	}
	defer time.AfterFunc(lastWordsWait, cn.close).Stop()
	cn.r.Resume()
	for cn.r.Next(readBuffer) != nil {
	}
	var f *proto.Failure
	if errors.As(cn.r.Err(), &f) {
		return f
	}
	return err
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
	return server.ReadNames(o.FilesFrom, o.From0)
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
	if err := transfer.CanKeep(caps, c.Options); err != nil {
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

// startShell starts the server over a remote shell.
func (c *Client) startShell(ctx context.Context, places []Remote, push bool) (*conn, error) {
	names, err := server.Charset(c.Options)
	if err != nil {
		return nil, err
	}
	open, secluded := c.arguments(proto.ShowsLetters(c.version()), places, push)
	words, err := c.Shell.command(places[0], c.Options, open)
	if err != nil {
		return nil, err
	}
	if c.Started != nil {
		c.Started(words)
	}
	p, err := c.Shell.start(ctx, words)
	if err != nil {
		return nil, err
	}
	p.program = c.Options.RsyncPath
	cn := c.connect(nil, p)
	if err := session.SendSecluded(cn.w, secluded, names); err != nil {
		return nil, cn.end(err)
	}
	return cn, nil
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

func (c *Client) readFile(name string) ([]byte, error) {
	if c.ReadFile != nil {
		return c.ReadFile(name)
	}
	return server.ReadRuleFile(name)
}

// addFile adds the rules of a file.
func (c *Client) addFile(name string, add func(name string, text []byte) error) error {
	text, err := c.readFile(name)
	if err != nil {
		return proto.Failf(proto.ExitFileIO, "failed to open file of rules: %w", err)
	}
	return add(name, text)
}

// rules reads the filter options.
func (c *Client) rules() (*filter.Rules, error) {
	rules := filter.New(filter.Options{
		DeleteExcluded: c.Options.DeleteExcluded, ReadMerge: c.readFile, NULLines: c.Options.From0, CVSIgnore: server.CVSIgnore(),
	})
	for _, r := range c.Options.Rules {
		var err error
		switch r.Kind {
		case options.RuleFilter:
			err = rules.Add(r.Text)
		case options.RuleExclude:
			err = rules.AddExclude(r.Text)
		case options.RuleInclude:
			err = rules.AddInclude(r.Text)
		case options.RuleExcludeFrom:
			err = c.addFile(r.Text, rules.AddExcludeFile)
		case options.RuleIncludeFrom:
			err = c.addFile(r.Text, rules.AddIncludeFile)
		}
		if err != nil {
			return nil, proto.Fail(proto.ExitSyntax, err)
		}
	}
	if o := c.Options; o.Backup && o.BackupDir == "" && o.Delete != options.DeleteNone && !o.DeleteExcluded {
		// Backups beside their files are not extraneous (options.c:parse_arguments).
		if err := rules.Add("P *" + o.Suffix); err != nil {
			return nil, proto.Fail(proto.ExitSyntax, err)
		}
	}
	return rules, nil
}

// sendRules tells the server the rules that concern it, if it wants to know
// (exclude.c:send_filter_list).
func (c *Client) sendRules(w *wire.Writer, caps proto.Caps, rules *filter.Rules, push bool) error {
	if dir := c.Options.KeepDir(); dir != "" && !strings.HasPrefix(dir, "/") {
		// Partial files are nobody else's business (compat.c:setup_protocol).
		rule := "-p "
		if push && !caps.CompatFlags {
			rule = "- "
		}
		if err := rules.Add(rule + dir + "/"); err != nil {
			return proto.Fail(proto.ExitSyntax, err)
		}
	}
	if err := session.AddCVSToSend(caps, c.Options, push, rules); err != nil {
		return proto.Fail(proto.ExitSyntax, err)
	}
	// What an old version cannot be told is an error even where it need not
	// know: nobody should find out by adding --delete.
	b, err := rules.ForPeer(!push).AppendList(nil, session.Dialect(caps), !push)
	if err != nil {
		return proto.Fail(proto.ExitProtocol, err)
	}
	if !push || session.ReceiverWantsRules(caps, c.Options) {
		_, _ = w.Write(b) // an error comes again
	}
	if err := session.AddCVSAfter(caps, c.Options, push, rules); err != nil {
		return proto.Fail(proto.ExitSyntax, err)
	}
	if err := w.Flush(); !proto.IsGone(err) {
		return err
	}
	return nil // what the server has said before it went will be read
}
