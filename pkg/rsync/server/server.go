package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/charset"
	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/filter"
	"github.com/empegsync/empegsync/pkg/rsync/logformat"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/session"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// Session is one conversation as a server. Its fields are set before
// [Session.Run] and then left alone.
type Session struct {
	Options *options.Options // as parsed from a list that begins with --server
	Conn    net.Conn
	// Places says what paths stand for; nil: the user's own files, all of them.
	Places Places
	// Refusal, if not nil, is why nothing must be done. The client hears of it
	// as soon as it can be told; the error's code is what both sides end with.
	Refusal error
	// Err gets what cannot be told through the protocol: everything as long
	// as nothing is agreed on, and what old versions have no frames for.
	Err   io.Writer
	Umask uint32
	// SumList and CompressList are the names of checksums and compressors to
	// negotiate with, "" for the usual ones.
	SumList, CompressList string
	// Local says that the client is in the same process.
	Local bool

	// Stats is what came of it, set by [Session.Run].
	Stats transfer.Stats
}

// buffer sizes of a session in bytes
const (
	readBuffer  = wire.ReadBuffer
	writeBuffer = wire.WriteBuffer
)

// active is a session under way.
type active struct {
	*Session
	places Places
	r      *wire.Reader
	w      *wire.Writer
	a      session.Agreed
	names  *charset.Conversion // of this side's files; nil: as they are
	clock  net.Conn            // Conn with its limits around it
	log    *logformat.Lines
}

// Run goes through the session and closes the connection. The error maps to
// the exit code that the process should end with; the client has been told of
// it where it can be told, else Err has.
func (s *Session) Run(ctx context.Context) error {
	conn := s.Conn
	defer conn.Close()
	conn = session.LimitRate(conn, s.Options.BwLimit)
	if s.Options.Timeout > 0 {
		conn = session.IdleTimeout(conn, time.Duration(s.Options.Timeout)*time.Second)
	}
	c := &active{Session: s, clock: conn, places: s.Places, r: wire.NewReader(conn, readBuffer), w: wire.NewWriter(conn, writeBuffer)}
	if c.places == nil {
		c.places = own{Operator(c.Options)}
	}
	defer context.AfterFunc(ctx, func() { s.Conn.Close() })()
	told := c.complain
	err := c.shake()
	if err == nil {
		told = c.giveUp
		err = c.serve(ctx)
	}
	if ctx.Err() != nil {
		err = proto.Fail(proto.ExitSignal, context.Cause(ctx))
	}
	if err != nil && !partial(err) && !(s.Local && proto.IsGone(err)) { // a client of this process knows why
		told(err)
	}
	return err
}

// shake agrees with the client on a version and all that depends on it.
func (c *active) shake() error {
	ours := c.Options.Protocol
	if ours == 0 {
		ours = proto.MaxVersion
	}
	if err := proto.CheckOwn(ours); err != nil {
		return proto.Fail(proto.ExitSyntax, err)
	}
	version, err := session.GreetShellClient(c.r, c.w, ours, c.Options.ClientInfo)
	if err != nil {
		return err
	}
	caps, err := proto.New(version)
	if err != nil {
		return proto.Fail(proto.ExitProtocol, err)
	}
	c.a, err = session.Setup{
		Caps: caps.OverShell(), Server: true, Sender: c.Options.Sender, Choice: c.Options.ChecksumChoice,
		Lists: c.Options.Checksum, Letters: c.Options.ClientInfo, Seed: session.Seed(c.Options),
		IncRecurse: c.Options.MayIncRecurse(c.Options.Sender), SumList: c.SumList, CompressList: c.CompressList,
		Messages: c.Options.RemoveSource != options.RemoveNone,
	}.WithCompression(c.Options).Run(c.r, c.w)
	return err
}

// serve reads the client's rules and does what it asks for.
func (c *active) serve(ctx context.Context) error {
	if c.Refusal != nil {
		return c.Refusal
	}
	done, err := c.openLog()
	if err != nil {
		return err
	}
	defer done()
	err = c.transfer(ctx)
	c.concluded(err)
	return err
}

// transfer is the part of serve that is logged.
func (c *active) transfer(ctx context.Context) error {
	if c.Places != nil {
		transfer.CapMemory(c.Options)
	}
	if err := session.CheckOptions(c.a.Caps, c.Options); err != nil {
		return err
	}
	if err := CheckMunging(c.Options); err != nil {
		return err
	}
	var err error
	if c.names, err = Charset(c.Options); err != nil {
		return err
	}
	rules, err := c.rules()
	if err != nil {
		return err
	}
	link := transfer.Link{
		R: c.r, W: c.w, Caps: c.a.Caps, Seed: c.a.Seed, Server: true, FileSum: c.a.FileSum, ListSum: c.a.ListSum,
		Compression: c.a.Compression,
		PeerFrames:  c.a.PeerFrames, Abort: func() { c.Conn.Close() },
		Tell:  c.tells(),
		Log:   c.logs(),
		Local: c.Local, Charset: c.names,
		Deafen: func() error { return session.Deafen(c.clock) },
	}
	if c.Options.FilesFrom != "" && c.Options.FilesFrom != "-" {
		if link.Names, err = c.places.Names(c.Options.FilesFrom, c.Options.From0); err != nil {
			return err
		}
	}
	if c.Options.Sender {
		return c.send(ctx, link, rules)
	}
	return c.receive(ctx, link, rules)
}

func (c *active) send(ctx context.Context, link transfer.Link, rules *filter.Rules) error {
	sources, done, err := c.places.Sources(ctx, c.Options)
	if err != nil {
		return err
	}
	defer done()
	c.note("building file list")
	c.Stats, err = transfer.Send(ctx, link, c.Options, sources, c.places.Rules(rules), c.observer())
	return err
}

func (c *active) receive(ctx context.Context, link transfer.Link, rules *filter.Rules) error {
	c.note("receiving file list")
	if c.Options.ListOnly != options.ListNo {
		var err error
		c.Stats, err = transfer.Receive(ctx, link, c.Options, transfer.Dest{}, c.Umask, nil, c)
		return err
	}
	to, err := c.places.Dest(c.Options, c.tell)
	if err != nil {
		return err
	}
	defer to.Root.Close()
	if c.Options.ShowsMatches() {
		AfterAccept(&to, func() { c.tell(proto.TagInfo, DeltaLine(c.Options)) })
	}
	c.Stats, err = transfer.Receive(ctx, link, c.Options, to, c.Umask, c.places.Rules(rules), c.observer())
	return err
}

// rules reads the client's filter list, if it sends one.
func (c *active) rules() (*filter.Rules, error) {
	rules := filter.New(filter.Options{DeleteExcluded: c.Options.DeleteExcluded, CVSIgnore: c.places.CVSIgnore()})
	if !c.Options.Sender && !session.ReceiverWantsRules(c.a.Caps, c.Options) {
		return rules, session.AddCVS(c.a.Caps, c.Options, rules)
	}
	if c.a.PeerFrames {
		c.r.StartMux(nil)
	}
	if err := session.ReadRules(c.r, c.a.Caps, rules); err != nil {
		return nil, err
	}
	return rules, session.AddCVS(c.a.Caps, c.Options, rules)
}

// partial reports whether the session ended in order, with some files left out.
func partial(err error) bool {
	var e proto.Exit
	return errors.As(err, &e) && (e == proto.ExitPartial || e == proto.ExitVanished || e == proto.ExitDelLimit)
}

// lastWords is how long the client may take to let the last message in.
const lastWords = 5 * time.Second

// giveUp tells the client why the session ends.
func (c *active) giveUp(err error) {
	c.w.Replace(c.Conn)
	_ = c.Conn.SetWriteDeadline(time.Now().Add(lastWords)) // a file or terminal has none
	if !c.w.Message(proto.TagError, []byte(c.names.TextToWire("rsync: "+err.Error())+"\n")) {
		c.complain(err)
	}
	if c.a.Caps.ExitMessages {
		c.w.Message(proto.TagErrorExit, wire.AppendInt32(nil, int32(proto.ExitCode(err))))
	}
	if c.w.Flush() == nil { // else the client is gone already
		c.hearOut()
	}
}

// hearOut takes what the client is still sending, so that it reads why the
// session ends before it notices that nobody listens. One that is told the
// code leaves by itself.
func (c *active) hearOut() {
	patience := lastWords
	if !c.a.Caps.ExitMessages {
		patience = time.Second
	}
	if c.Conn.SetReadDeadline(time.Now().Add(patience)) == nil {
		_, _ = io.Copy(io.Discard, c.Conn)
	}
}

// tells gives what the session's own messages go to instead of the client: nil
// where the client gets them (log.c:rwrite).
func (c *active) tells() func(line string) {
	if c.a.Caps.MuxFromServer && c.Options.Stderr != options.StderrAll {
		return nil
	}
	var mu sync.Mutex
	return func(line string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintln(c.Err, line)
	}
}

func (c *active) complain(err error) { fmt.Fprintf(c.Err, "rsync: %v\n", err) }

// tell sends a line to the client, or to Err where no frames can carry it.
func (c *active) tell(tag proto.Tag, line string) {
	c.note(line)
	if c.Options.Stderr == options.StderrAll || !c.w.Message(tag, []byte(c.names.TextToWire(line)+"\n")) {
		fmt.Fprintln(c.Err, line)
	}
}

// The session is a transfer's observer: what happens is shown by the client,
// and what the client says, such as why it stops, has been said there.

// Listed implements transfer.Observer.
func (c *active) Listed(int, bool) {}

// Item implements transfer.Observer.
func (c *active) Item(*filelist.Entry, proto.Item) {}

// Data implements transfer.Observer.
func (c *active) Data(*filelist.Entry, int64) {}

// Deleted implements transfer.Observer.
func (c *active) Deleted(string, uint32) {}

// Message implements transfer.Observer.
func (c *active) Message(proto.Tag, string) {}
