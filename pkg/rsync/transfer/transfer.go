// Package transfer moves a tree of files once two sides have shaken hands: the
// sending side lists its files and answers requests ([Send]); the receiving
// side compares, requests, deletes and writes ([Receive]), in two goroutines
// that C rsync calls the generator and the receiver.
//
// It takes its streams and what was agreed on from session, reaches files only
// through rootfs, and tells what happens through an [Observer]. Which side of
// the connection it is on (client or server) only matters for who prints.
package transfer

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"sync/atomic"

	"github.com/empegsync/empegsync/pkg/rsync/charset"
	"github.com/empegsync/empegsync/pkg/rsync/checksum"
	"github.com/empegsync/empegsync/pkg/rsync/chmod"
	"github.com/empegsync/empegsync/pkg/rsync/compress"
	"github.com/empegsync/empegsync/pkg/rsync/delta"
	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
	"github.com/empegsync/empegsync/pkg/rsync/xattr"
)

// Link is what the two sides have agreed on, and the streams between them,
// both past the handshake.
type Link struct {
	R    *wire.Reader
	W    *wire.Writer
	Caps proto.Caps
	Seed int32
	// FileSum is the strong sum of transfers, ListSum that of --checksum.
	FileSum, ListSum checksum.Algorithm
	// Compression is how file data travels; None: as it is.
	Compression compress.Config
	// Uncompressed are patterns, separated by white space, of files that are
	// sent as they are whatever Compression says.
	Uncompressed string
	// Server is set on the side that was started by the other.
	Server bool
	// Tell, if not nil, gets what this side, the server, has to say, instead of
	// the client: where no frames could carry it, and with --stderr=all. It may
	// be called from any goroutine.
	Tell func(line string)
	// Log, if not nil, gets a copy of what this side has to say.
	Log func(line string)
	// Show, if not nil, gets each entry in order where a receiving side is to list
	// only; else a line goes where messages go.
	Show func(*filelist.Entry)
	// Nameless is set where ids are not to be turned into names or back here,
	// while the lists of names still travel (rsyncd.conf: numeric ids).
	Nameless bool
	// Accounts are the users and groups of this side; nil: the system's.
	Accounts Accounts
	// Local is set if the other side is in this process: a file at the
	// destination may be the very one at the source.
	Local bool
	// PeerFrames is set when what the peer sends comes in frames.
	PeerFrames bool
	// Chmod changes the permissions that the list's entries have on this side.
	// ChmodAll has a receiving side change those that are there, too, where
	// permissions are not preserved (rsyncd.conf: incoming chmod).
	Chmod    chmod.Modes
	ChmodAll bool
	// TrimLinks has a receiving side shorten links that would lead out of the
	// transfer's root (rsyncd.conf: munge symlinks).
	TrimLinks bool
	// Busy, if not nil, is called now and then while this side works without
	// anything to say, so that the peer's silence is not taken for a stall.
	Busy func()
	// Charset, if not nil, is the character set of this side's names, which travel
	// in UTF-8 then (--iconv).
	Charset *charset.Conversion
	// Names are those of --files-from, where this side has the list; a
	// receiving side hands them to the other. nil: it has none.
	Names []string
	// Distrust, if not nil, is asked about each entry that the other side
	// lists; an error ends the run before anything is done about the entry.
	Distrust func(*filelist.Entry) error
	// Batch, if not nil, gets a copy of what the receiving side reads; the streams
	// see to that but for the statistics of a client, and with --only-write-batch
	// for data. Replay is set where R is such a copy and W leads nowhere.
	Batch  io.Writer
	Replay bool
	// Abort closes the streams, so that whoever waits on them returns. It may
	// be called from any goroutine, more than once.
	Abort func()
	// Deafen, if not nil, has reading fail from now on, also for whoever waits in
	// it, and leaves the way to the peer open, which can then be told what has
	// happened. With an error Abort is called instead.
	Deafen func() error

	ahead int // instead of lookAhead, for tests
}

// common is what the sending and the receiving side share.
type common struct {
	Link
	opt        *options.Options
	rules      Rules
	explains   Explainer // nil: nobody wants to hear what rules decide
	obs        Observer
	pos        Positioner // obs, if it is one
	total      Totaler    // obs, if it is one
	limits     delta.SumLimits
	out        wire.IndexCoder
	in         wire.IndexCoder
	parts      window // of the file list
	lists      acls
	learn      func(isUser bool, id uint32, name string) // receiving side, once there are owners
	xattrs     *xattr.Table
	sourceRoot func(*filelist.Entry) *rootfs.Root // sending side
	ioError    atomic.Int32                       // proto.IOErr* flags of this run
	xferErr    atomic.Bool                        // an error that makes the run partial
	stats      Stats

	onPart      func(index int32) error // reads a part of the list that is announced; nil: none may come
	onNoSend    func(index int32)       // hears of what the sender could not open; may be nil
	onSuccess   func(payload []byte)    // hears of what has arrived; may be nil
	moved       Passage                 // where a file's bytes began to count
	wake        func()                  // has the owner of W send messages soon; may be nil
	sending     bool
	mostMemory  int64  // bytes that the list in flight may take
	peerDeleted [5]int // deletions that the peer has told of
}

// largestBlock is the largest block of a file that this machine takes, in bytes:
// each end holds one in memory. Below version 30 a user may ask for half a
// gigabyte with -B, which a 32-bit board does not have; no size that an rsync
// chooses itself comes near.
const largestBlock = 16 << 20 << (5 * (^uint(0) >> 63))

func newCommon(l Link, opt *options.Options, rules Rules, obs Observer) *common {
	c := &common{
		Link: l, opt: opt, rules: rules, obs: obs, mostMemory: memory(opt),
		out: wire.NewIndexCoder(l.Caps.DeltaIndex),
		in:  wire.NewIndexCoder(l.Caps.DeltaIndex),
	}
	if opt.ExplainsFilters() {
		c.explains, _ = rules.(Explainer)
	}
	c.pos, _ = obs.(Positioner)
	c.xattrs = &xattr.Table{}
	c.total, _ = obs.(Totaler)
	c.limits = delta.SumLimits{
		OnWire:  l.Caps.SumLenOnWire,
		Size:    int32(l.FileSum.Size()),
		MaxSize: proto.MaxBlock,
		Pass:    proto.ShortSumBytes,
	}
	if !l.Caps.VarInts {
		c.limits.MaxSize = min(proto.MaxBlockOld, largestBlock)
	}
	return c
}

// whole runs a side from beginning to end: frames, cancelling, counts.
func (c *common) whole(ctx context.Context, run func(context.Context) error) (Stats, error) {
	stop := context.AfterFunc(ctx, c.Abort)
	defer stop()
	if c.PeerFrames {
		c.R.StartMux(c.onMessage)
	}
	err := CanKeep(c.Caps, c.opt, c.Local)
	if err == nil {
		err = run(ctx)
	}
	if ctx.Err() != nil {
		err = proto.Fail(proto.ExitSignal, context.Cause(ctx))
	}
	if !c.Replay {
		c.stats.Read, c.stats.Written = c.R.Total(), c.W.Total()
	}
	for i, n := range c.peerDeleted {
		c.stats.Deleted += n
		c.stats.DeletedKinds[i] += n
	}
	if err == nil {
		err = c.result()
	}
	return c.stats, err
}

// report tells the user something: through the frames if this side is the
// server, else through the observer.
func (c *common) report(tag proto.Tag, format string, args ...any) {
	c.reportText(tag, fmt.Sprintf(format, args...))
}

// reportText is report for a text that is made.
func (c *common) reportText(tag proto.Tag, text string) {
	if tag == proto.TagErrorXfer {
		c.xferErr.Store(true)
	}
	if c.Log != nil {
		c.Log(text)
	}
	c.say(tag, text)
}

// say is report for what concerns the user alone, and no log.
func (c *common) say(tag proto.Tag, text string) {
	if c.Server {
		if c.Tell != nil {
			c.Tell(text)
			return
		}
		if c.message(tag, []byte(c.Charset.TextToWire(text)+"\n")) {
			if c.wake != nil {
				c.wake()
			}
			return
		}
		// Without frames only our own side can be told.
	}
	c.obs.Message(tag, text)
}

// message puts a message between the data. There is room for few that nobody has
// handed over; a sending side, whose one goroutine owns the writer, makes some: the
// other side may wait for what a message says.
func (c *common) message(tag proto.Tag, payload []byte) bool {
	if c.W.Message(tag, payload) {
		return true
	}
	return c.sending && c.W.Framed() && c.W.Flush() == nil && c.W.Message(tag, payload)
}

// failFile reports an error with one file; the run goes on and ends partial.
// On the sending side the receiving one must not delete what is missing from
// the list because of it.
func (c *common) failFile(format string, args ...any) {
	if c.sending {
		c.setIOError(proto.IOErrGeneral)
	}
	c.report(proto.TagErrorXfer, format, args...)
}

func (c *common) setIOError(flag int32) {
	for {
		old := c.ioError.Load()
		if c.ioError.CompareAndSwap(old, old|flag) {
			return
		}
	}
}

// onMessage handles the frames from the peer that are not data.
func (c *common) onMessage(tag proto.Tag, payload []byte) error {
	switch tag {
	case proto.TagNoop, proto.TagIOTimeout, proto.TagStats, proto.TagRedo:
		return nil
	case proto.TagSuccess:
		if c.onSuccess != nil {
			c.onSuccess(payload)
		}
		return nil
	case proto.TagNoSend:
		if c.onNoSend != nil && len(payload) == 4 {
			c.onNoSend(c.place(int32(binary.LittleEndian.Uint32(payload))))
		}
		return nil
	case proto.TagIOError:
		if len(payload) == 4 {
			c.setIOError(int32(payload[0]) & (proto.IOErrGeneral | proto.IOErrVanished | proto.IOErrDelLimit))
		}
		return nil
	case proto.TagErrorExit:
		code := proto.ExitStreamIO
		if len(payload) == 4 {
			code = proto.Exit(payload[0])
		}
		return proto.Failf(code, "the peer stopped: %w (code %d)", code, int(code))
	case proto.TagDeleted:
		name := strings.TrimSuffix(string(payload), "\x00")
		mode := uint32(filelist.ModeFile)
		if len(name) < len(payload) {
			mode = filelist.ModeDir
		}
		c.obs.Deleted(c.Charset.TextFromWire(name), mode)
		return nil
	}
	if tag == proto.TagErrorXfer {
		c.xferErr.Store(true)
	}
	c.obs.Message(tag, c.Charset.TextFromWire(strings.TrimRight(string(payload), "\n")))
	return nil
}

// result is the error that a run ends with whose streams were sound: nil, or
// the exit code for files that could not be transferred.
func (c *common) result() error {
	e := c.ioError.Load()
	switch { // cleanup.c:_exit_cleanup
	case e&proto.IOErrGeneral != 0 || c.xferErr.Load():
		return proto.Fail(proto.ExitPartial, proto.ExitPartial)
	case e&proto.IOErrVanished != 0:
		return proto.Fail(proto.ExitVanished, proto.ExitVanished)
	case e&proto.IOErrDelLimit != 0:
		return proto.Fail(proto.ExitDelLimit, proto.ExitDelLimit)
	}
	return nil
}

// Fields returns what travels with each entry under these options; sum is the
// one of --checksum.
func Fields(opt *options.Options, sum checksum.Algorithm) filelist.Fields {
	f := filelist.Fields{
		UID: opt.Owner, GID: opt.Group, Links: opt.Links, Devices: opt.Devices, Specials: opt.Specials,
		Inodes: opt.HardLinks, Names: !opt.NumericIDs, Atimes: opt.Atimes > 0, ACLs: opt.ACLs,
	}
	if opt.Checksum {
		f.SumLen = sum.FileListSize()
	}
	return f
}

func (c *common) fields() filelist.Fields { return Fields(c.opt, c.ListSum) }
