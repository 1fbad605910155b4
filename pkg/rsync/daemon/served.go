package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/charset"
	"github.com/empegsync/empegsync/pkg/rsync/conf"
	"github.com/empegsync/empegsync/pkg/rsync/filter"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
	proc "github.com/empegsync/empegsync/pkg/rsync/session"
	"github.com/empegsync/empegsync/pkg/rsync/subtree"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// served is a session past its handshake.
type served struct {
	*session
	module      *conf.Module
	root        *rootfs.Root
	daemonRules *filter.Rules // nil: none
	opt         *options.Options
	agreed      proc.Agreed
	charset     *charset.Conversion // of the module's files; nil: as they are
	trimLinks   bool
	names       *converter // nil: none
	clock       net.Conn   // conn, with the idle timeout around it if there is one
}

// run does what the client asks for and logs how it went.
func (t *served) run(ctx context.Context) error {
	way := "to"
	if t.opt.Sender {
		way = "on"
	}
	t.event(fmt.Sprintf("rsync %s %s from %s", way, t.request(), t.client()),
		slog.String("event", "begin"), slog.Bool("download", t.opt.Sender), slog.String("request", t.request()), slog.String("user", t.user), slog.String("host", t.who.name))
	switch {
	case !t.opt.Sender && t.module.ReadOnly: // main.c:do_server_recv
		return t.deny(proto.ExitSyntax, "module is read only")
	case t.opt.Sender && t.opt.RemoveSource != options.RemoveNone && t.module.ReadOnly: // main.c:do_server_sender
		return t.deny(proto.ExitSyntax, t.opt.RemoveSource.Option()+" cannot be used with a read-only module")
	case t.opt.Sender && t.module.WriteOnly: // main.c:do_server_sender
		return t.deny(proto.ExitSyntax, "module is write only")
	case t.opt.Sender && len(t.opt.Args) == 0, !t.opt.Sender && len(t.opt.Args) != 1:
		return t.deny(proto.ExitSyntax, fmt.Sprintf("%d paths make no sense here", len(t.opt.Args)))
	}
	if err := proc.CheckOptions(t.agreed.Caps, t.opt); err != nil {
		return t.giveUp(err)
	}
	clientRules, err := t.readRules()
	if err != nil {
		return t.giveUp(err)
	}
	if err := t.setTimeout(); err != nil {
		return err
	}
	limited, expired := t.limitTime(ctx)
	limited, broken := t.names.guard(limited)
	stats, err := t.transfer(limited, clientRules)
	err = broken(expired(err))
	t.exit = proto.ExitCode(err)
	t.event(fmt.Sprintf("sent %d bytes  received %d bytes  total size %d", stats.Written, stats.Read, stats.TotalSize),
		slog.String("event", "end"), slog.Int64("sent", stats.Written), slog.Int64("received", stats.Read), slog.Int64("total", stats.TotalSize), slog.Int("exit", int(t.exit)))
	var excluded *excludedError
	switch {
	case partial(err):
		t.log.Warn("some files were not transferred", "code", int(proto.ExitCode(err)))
		return nil
	case errors.As(err, &excluded):
		return t.deny(proto.ExitFileSelect, excluded.Error())
	case err != nil:
		return t.giveUp(err)
	}
	return nil
}

// transfer sends or receives.
func (t *served) transfer(ctx context.Context, clientRules *filter.Rules) (transfer.Stats, error) {
	link := transfer.Link{
		R: t.r, W: t.w, Caps: t.agreed.Caps, Seed: t.agreed.Seed, Server: true,
		FileSum: t.agreed.FileSum, ListSum: t.agreed.ListSum,
		Compression:  t.agreed.Compression,
		Uncompressed: t.module.DontCompress,
		Nameless:     t.module.NumericIDs == conf.Yes,
		Charset:      t.charset,
		PeerFrames:   t.agreed.PeerFrames, Abort: func() { t.conn.Close() },
		Deafen: func() error { return proc.Deafen(t.clock) },
		Busy:   func() { proc.Touch(t.clock) },
	}
	if t.names != nil {
		link.Accounts = t.names
	}
	if err := t.adapt(&link); err != nil {
		return transfer.Stats{}, err
	}
	rules := newModuleScope(t.daemonRules, t.root)
	rules.side = filter.Receiver
	if t.opt.Sender {
		rules.side = filter.Sender
	}
	if t.module.IgnoreNonreadable {
		rules.readable = (*rootfs.Root).Readable
	}
	tree := &subtree.Tree{Root: t.root, Closed: func(p string, isDir bool) bool { return rules.closed(p, isDir) }}
	if t.opt.FilesFrom != "" && t.opt.FilesFrom != "-" {
		var err error
		if link.Names, err = tree.Names(t.opt.FilesFrom, t.opt.From0); err != nil {
			return transfer.Stats{}, err
		}
	}
	if t.opt.Sender {
		rules.client = transfer.NewClientRules(clientRules, tree.Locate, "")
		return t.send(ctx, link, tree, rules)
	}
	dest := requested(t.module.Name, t.opt.Args[0], false)[0]
	rules.prefix = strings.TrimSuffix(dest, "/")
	if rules.closed(rules.prefix, true) {
		return transfer.Stats{}, &excludedError{dest}
	}
	rules.client = transfer.NewClientRules(clientRules, tree.Locate, rules.prefix)
	to := transfer.Dest{Root: t.root, Path: dest, Aside: tree.Aside}
	t.note("receiving file list")
	return transfer.Receive(ctx, link, t.opt, to, t.Umask, rules, t.observe(rules.prefix))
}

// excludedError is a destination that the module's rules keep from clients
// (main.c:get_local_name).
type excludedError struct{ dest string }

func (e *excludedError) Error() string {
	return fmt.Sprintf("daemon has excluded destination %q", e.dest)
}

// request is what the client asks for, as the log shows it.
func (t *served) request() string {
	const most = 1000
	s := strings.Join(t.opt.Args, " ")
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}

// client is who asks, as the log shows it.
func (c *session) client() string {
	if c.user == "" {
		return c.who.String()
	}
	return c.user + "@" + c.who.String()
}

// partial reports whether the session ended in order, with some files left out.
func partial(err error) bool {
	var e proto.Exit
	return errors.As(err, &e) && (e == proto.ExitPartial || e == proto.ExitVanished || e == proto.ExitDelLimit)
}

// maxRuleBytes bounds a client's filter list: rules are kept as long as the
// session lasts.
const maxRuleBytes = 1 << 20

// budget is a source that says no after so many bytes.
type budget struct {
	io.Reader
	left int
}

func (b *budget) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, proto.Failf(proto.ExitProtocol, "the filter list has more than %d bytes", maxRuleBytes)
	}
	n, err := b.Reader.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// readRules reads the client's filter list, if it sends one.
func (t *served) readRules() (*filter.Rules, error) {
	rules := filter.New(filter.Options{DeleteExcluded: t.opt.DeleteExcluded})
	if !t.opt.Sender && !proc.ReceiverWantsRules(t.agreed.Caps, t.opt) {
		return rules, proc.AddCVS(t.agreed.Caps, t.opt, rules)
	}
	if t.agreed.PeerFrames {
		t.r.StartMux(nil)
	}
	// What is read ahead of the rules counts as well.
	t.r.Replace(&budget{t.conn, maxRuleBytes + wire.ReadBuffer})
	defer t.r.Replace(t.conn)
	if err := proc.ReadRules(t.r, t.agreed.Caps, rules); err != nil {
		return nil, err
	}
	return rules, proc.AddCVS(t.agreed.Caps, t.opt, rules)
}

// setTimeout replaces the deadline of the hello by the module's or the
// client's idle timeout, whichever is shorter, and tells the client of it
// where it can be told (main.c:start_server).
func (t *served) setTimeout() error {
	if err := t.conn.SetDeadline(time.Time{}); err != nil {
		return err
	}
	idle := t.module.Timeout
	if t.opt.Timeout > 0 && (idle == 0 || t.opt.Timeout < idle) {
		idle = t.opt.Timeout
	}
	t.clock = t.conn
	if idle == 0 {
		return nil
	}
	// What has been read ahead stays where it is: only what comes from now
	// on passes the clock.
	conn := proc.IdleTimeout(t.conn, time.Duration(idle)*time.Second)
	t.clock = conn
	t.r.Replace(conn)
	t.w.Replace(conn)
	if t.agreed.Caps.TellsTimeout {
		t.w.Message(proto.TagIOTimeout, wire.AppendInt32(nil, int32(idle)))
	}
	return nil
}

// limitTime ends a transfer that takes longer than the module allows. The client
// is told, where it can be, and has a moment to leave by itself. expired stops
// the clock and replaces the error of a transfer that was ended so.
func (t *served) limitTime(ctx context.Context) (limited context.Context, expired func(error) error) {
	seconds := t.module.MaxTransferTime
	if seconds == 0 {
		return ctx, func(err error) error { return err }
	}
	limited, end := context.WithCancelCause(ctx)
	over := proto.Failf(proto.ExitTimeout, "max transfer time of %d seconds reached", seconds)
	last := make(chan struct{})
	clock := time.AfterFunc(time.Duration(seconds)*time.Second, func() {
		defer close(last)
		t.say(proto.ExitTimeout, "ERROR: "+over.Error())
		select {
		case <-time.After(lastWords):
		case <-limited.Done():
		}
		end(over)
	})
	return limited, func(err error) error {
		if clock.Stop() || err == nil {
			end(nil)
			return err
		}
		end(over)
		<-last
		return over
	}
}

// giveUp tells the client why the session ends and returns the error for the
// log.
func (t *served) giveUp(err error) error {
	t.end(proto.ExitCode(err), "rsync: "+err.Error())
	return err
}

// deny is giveUp for what is not allowed, in C rsync's words.
func (t *served) deny(code proto.Exit, text string) error {
	t.end(code, "ERROR: "+text)
	return proto.Failf(code, "%s", text)
}

// lastWords is how long the client may take to let the last message in.
const lastWords = 5 * time.Second

// end sends an error message and the exit code, where frames can carry them.
func (t *served) end(code proto.Exit, text string) {
	t.w.Replace(t.conn)
	if err := t.conn.SetWriteDeadline(time.Now().Add(lastWords)); err != nil {
		return
	}
	t.say(code, text)
	_ = t.w.Flush() // the client may be gone already
}

// say has an error message and the exit code go out with what is written next.
func (t *served) say(code proto.Exit, text string) {
	for line := range strings.SplitSeq(t.charset.TextToWire(text), "\n") {
		t.w.Message(proto.TagError, []byte(line+"\n"))
	}
	if t.agreed.Caps.ExitMessages {
		t.w.Message(proto.TagErrorExit, wire.AppendInt32(nil, int32(code)))
	}
}

// send sends what the client asks for.
func (t *served) send(ctx context.Context, link transfer.Link, tree *subtree.Tree, rules moduleScope) (transfer.Stats, error) {
	if t.opt.FilesFrom != "" {
		s := tree.Base(requested(t.module.Name, t.opt.Args[0], false)[0])
		if s.Root != nil {
			defer s.Root.Close()
		}
		t.note("building file list")
		return transfer.Send(ctx, link, t.opt, []transfer.Source{s}, rules, t.observe(""))
	}
	var paths []string
	for _, arg := range t.opt.Args {
		paths = append(paths, requested(t.module.Name, arg, t.opt.Relative)...)
	}
	sources, done := tree.Sources(ctx, paths, t.opt)
	defer done()
	t.note("building file list")
	return transfer.Send(ctx, link, t.opt, sources, rules, t.observe(""))
}
