package transfer

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"

	"github.com/empegsync/empegsync/pkg/rsync/checksum"
	"github.com/empegsync/empegsync/pkg/rsync/delta"
	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// sender is the side that has the files.
type sender struct {
	*common
	sources []Source
	walker  *walker
	current *part // that the last request was for
	sums    *checksum.Blocks
	search  delta.Buffers
	whole   hash.Hash
	phase   int
	scratch []byte
	// what the searches for blocks came to
	hits, falseHits int64
	tokens          *tokenWriter
	chunk           []byte // of a file that is sent whole and compressed
}

// Send lists the sources, answers the receiving side's requests, and ends the
// session (sender.c:send_files). The error maps to an exit code; with a
// partial transfer the stats are still good.
func Send(ctx context.Context, l Link, opt *options.Options, sources []Source, rules Rules, obs Observer) (Stats, error) {
	c := newCommon(l, opt, rules, obs)
	c.sending = true
	sources, done := c.reachOut(sources)
	defer done()
	s := &sender{common: c, sources: sources}
	c.sourceRoot = func(e *filelist.Entry) *rootfs.Root { return s.sources[e.From].Root }
	s.sums = checksum.NewBlocks(l.FileSum, l.Seed, l.Caps.SeedFirst)
	s.whole = l.FileSum.NewFile(l.Seed)
	c.R.OnBlock(c.W.Flush)
	if opt.RemoveSource != options.RemoveNone && !opt.DryRun {
		c.onSuccess = s.removeSent
	}
	return c.whole(ctx, s.run)
}

func (s *sender) run(ctx context.Context) error {
	var err error
	if s.tokens, err = s.newTokenWriter(); err != nil {
		return err
	}
	if s.sources, err = s.sourcesOf(); err != nil {
		return err
	}
	if s.opt.FilesFrom != "" {
		defer closeSources(s.sources)
		var done func()
		s.sources, done = s.reachOut(s.sources)
		defer done()
	}
	s.walker = s.newWalker(ctx, s.sources)
	if err = s.walker.run(); err != nil {
		return err
	}
	s.current = s.parts.oldest()
	if s.parts.entries() == 0 && s.Server {
		// main.c:do_server_sender: a server has nothing more to say then.
		return s.W.Flush()
	}
	announced := s.ioError.Load()
	if s.Caps.CompatFlags && !s.Caps.SafeList {
		announced = 0 // the list had no place for it
	}
	if err := s.answer(ctx); err != nil {
		return err
	}
	if s.opt.ShowsMatches() { // match.c:match_report
		s.report(proto.TagInfo, "total: matches=%d  hash_hits=%d  false_alarms=%d data=%d", s.hits-s.falseHits, s.hits, s.falseHits, s.stats.Literal)
	}
	if e := s.ioError.Load(); e != announced && s.Caps.CompatFlags {
		s.message(proto.TagIOError, wire.AppendInt32(nil, e))
	}
	if err := s.writeDone(); err != nil {
		return err
	}
	return s.finish()
}

// phases is how many times the receiving side says "done" before the last.
func (c *common) phases() int {
	if c.Caps.ThreePhases {
		return 2
	}
	return 1
}

// answer serves requests until the last phase is done.
func (s *sender) answer(ctx context.Context) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.lookAhead(); err != nil {
			return err
		}
		it, e, err := s.readItem()
		if err != nil {
			return err
		}
		if e == nil {
			over, err := s.done()
			if over || err != nil {
				return err
			}
			continue
		}
		s.current = it.part
		if err := s.request(it, e); err != nil {
			return fmt.Errorf("send %q: %w", e.Path(), err)
		}
	}
}

// done answers the end of a part or of a phase; true after the last one.
func (s *sender) done() (over bool, err error) {
	if s.Caps.IncRecurse && s.parts.oldest() != nil {
		if s.current == s.parts.oldest() {
			s.current = s.current.next
		}
		more, err := s.parts.drop()
		if err != nil {
			return false, err
		}
		if more { // goes out when we have to wait, at the latest
			_, err := s.W.Write(s.out.Append(nil, proto.IndexDone))
			return false, err
		}
	}
	if s.phase++; s.phase > s.phases() {
		return true, nil
	}
	return false, s.writeDone()
}

// request answers one request.
func (s *sender) request(it item, e *filelist.Entry) error {
	if s.pos != nil {
		s.pos.Position(it.position(), s.parts.entries())
	}
	s.begin()
	if it.flags&proto.ItemTransfer == 0 {
		s.noteItem(e, it)
		_, err := s.W.Write(s.appendItem(nil, it))
		return err
	}
	if !e.IsRegular() {
		return proto.Failf(proto.ExitProtocol, "the receiving side asks for the data of what is not a regular file")
	}
	if s.phase == 2 {
		return proto.Failf(proto.ExitProtocol, "the receiving side asks for data in the last phase")
	}
	if !s.opt.MovesData() {
		s.noteItem(e, it)
		s.stats.Transferred++
		s.stats.TransferredSize += e.Size
		_, err := s.W.Write(s.appendItem(nil, it))
		return err
	}
	lim := s.limits
	if s.phase > 0 {
		lim.Pass = lim.Size
	}
	passed := s.passage(e, it.flags)
	head, err := delta.ReadHead(s.R, lim)
	if err != nil {
		return proto.Fail(proto.ExitProtocol, err)
	}
	sig := &delta.Signature{Head: head}
	redo := s.redoes(it)
	if s.appends(redo) == options.AppendNo {
		if sig, err = delta.ReadSignature(s.R, head); err != nil {
			return err
		}
	}
	sig.InPlace = s.updatesBasis(it, redo)
	return s.sendFile(it, e, sig, lim, redo, passed)
}

// sendFile opens a file, sends it as a difference to sig and calls passed. redo
// says that it is sent for the second time.
func (s *sender) sendFile(it item, e *filelist.Entry, sig *delta.Signature, lim delta.SumLimits, redo bool, passed func(sum []byte)) error {
	appends := s.appends(redo)
	f, info, err := s.sources[e.From].Root.OpenRead(e.Path(), s.openFlags())
	if err != nil {
		s.cannotOpen(it.index, e, err)
		return nil
	}
	defer f.Close()
	switch {
	case appends != options.AppendNo && info.Size < e.Size:
		s.report(proto.TagWarning, "skipped diminished file: %q", e.Path())
		s.sendsNot(it.index)
		return nil
	case info.IsDevice() && info.Size == 0:
		info.Size = f.End()
	}
	s.noteItem(e, it)
	s.stats.Transferred++
	s.stats.TransferredSize += info.Size
	s.scratch = s.appendItem(s.scratch[:0], it)
	if s.Batch != nil && s.opt.OnlyBatch { // the other side wants to know the item alone
		if _, err := s.W.Write(s.scratch); err != nil {
			return err
		}
		s.scratch = s.scratch[:0]
		s.W.Tee(s.Batch, true)
		defer s.W.Tee(s.Batch, false)
	}
	s.scratch = sig.Head.Append(s.scratch, lim)
	if _, err := s.W.Write(s.scratch); err != nil {
		return err
	}
	s.whole.Reset()
	var readErr error
	src := &fileSource{f: f, left: info.Size, failed: &readErr}
	if appends != options.AppendNo {
		if err := s.passOver(src, sig.Size(), appends); err != nil {
			readErr = err
		}
		sig.Count = 0
	}
	s.tokens.begin(e)
	switch {
	case sig.Count == 0 && s.tokens.packed != nil:
		err = s.sendPacked(e, src)
	case sig.Count == 0:
		err = s.sendWhole(e, src)
	default:
		var st delta.Stats
		st, err = s.search.Search(src, sig, s.sums, s.whole, s.tokens)
		s.stats.Literal += st.Literal
		s.stats.Matched += st.Matched
		s.hits += st.Hits
		s.falseHits += st.FalseHits
	}
	if err != nil {
		return err
	}
	if readErr != nil {
		s.failFile("read errors mapping %q: %v", e.Path(), reason(readErr))
	}
	s.scratch = s.whole.Sum(s.scratch[:0])
	good := readErr == nil && s.kept(e, src, info, redo)
	if !good {
		s.scratch[0] ^= 0xff // what came is not the file: make the sum say so
	}
	if _, err := s.W.Write(s.scratch); err != nil {
		return err
	}
	if good {
		passed(s.scratch)
	}
	return nil
}

func (s *sender) cannotOpen(index int32, e *filelist.Entry, err error) {
	if errors.Is(err, fs.ErrNotExist) {
		s.setIOError(proto.IOErrVanished)
		s.report(proto.TagWarning, "file has vanished: %q", e.Path())
	} else {
		s.failFile("send_files failed to open %q: %v", e.Path(), reason(err))
	}
	s.sendsNot(index)
}

// sendsNot tells the other side that a file does not come, where it can be told.
func (s *sender) sendsNot(index int32) {
	if s.Caps.CompatFlags {
		s.message(proto.TagNoSend, wire.AppendInt32(nil, s.sent(index)))
	}
}

// fileSource reads a file up to the size that it had when it was opened, and
// keeps a read error for later instead of ending the session.
type fileSource struct {
	f      *rootfs.File
	left   int64
	start  int64 // what was passed over
	failed *error
}

func (s *fileSource) Read(p []byte) (int, error) {
	if s.left <= 0 {
		return 0, io.EOF
	}
	n, err := s.f.Read(p[:min(int64(len(p)), s.left)])
	s.left -= int64(n)
	if err != nil && err != io.EOF {
		*s.failed = err
		err = io.EOF
	}
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

// sendWhole sends a file as literals, read straight into the writer's buffer.
func (s *sender) sendWhole(e *filelist.Entry, src *fileSource) error {
	var sent int64
	for src.left > 0 {
		want := int(min(src.left, proto.LiteralChunk))
		got := 0
		prefix := wire.AppendInt32(s.scratch[:0], int32(want))
		err := s.W.FillFrom(prefix, want, func(p []byte) error {
			for got < len(p) {
				n, err := src.Read(p[got:])
				got += n
				if err != nil {
					break
				}
			}
			if got == 0 {
				return io.EOF
			}
			// The length is already said: a file that ends early is
			// filled up with zeros, and its sum will not agree.
			clear(p[got:])
			s.whole.Write(p)
			return nil
		})
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		s.stats.Literal += int64(want)
		sent += int64(want)
		s.obs.Data(e, sent)
	}
	return s.tokens.End()
}

// finish sends the statistics and says goodbye (main.c:handle_stats,
// read_final_goodbye).
func (s *sender) finish() error {
	switch {
	case s.Server:
		if err := s.writeStats(s.W); err != nil {
			return err
		}
	case s.Batch != nil: // whoever reads it is a client
		if err := s.writeStats(s.Batch); err != nil {
			return err
		}
	}
	if !s.Caps.Goodbye {
		return s.drain()
	}
	if err := s.readGoodbye(); err != nil {
		return err
	}
	if !s.Caps.GoodbyeEcho {
		return s.W.Flush()
	}
	if err := s.writeDone(); err != nil {
		return err
	}
	return s.readGoodbye()
}

// drain waits for a server that knows no goodbye to close: only then has it
// put everything in its place.
func (s *sender) drain() error {
	if err := s.W.Flush(); err != nil || s.Server {
		return err
	}
	for s.R.Next(1024) != nil {
	}
	return nil
}

func (s *sender) readGoodbye() error {
	if err := s.W.Flush(); err != nil {
		return err
	}
	it, e, err := s.readItem()
	if err != nil {
		return fmt.Errorf("wait for the end of the session: %w", err)
	}
	if e != nil {
		return proto.Failf(proto.ExitProtocol, "file index %d at the end of the session", it.index)
	}
	return nil
}

func (s *sender) writeStats(to io.Writer) error {
	b := s.appendLong(nil, s.R.Total())
	b = s.appendLong(b, s.W.Total())
	b = s.appendLong(b, s.stats.TotalSize)
	if s.Caps.StatsTimes {
		b = s.appendLong(b, s.stats.ListBuild.Milliseconds())
		b = s.appendLong(b, s.stats.ListTransfer.Milliseconds())
	}
	if _, err := to.Write(b); err != nil {
		return err
	}
	return s.W.Flush()
}

func (c *common) appendLong(b []byte, v int64) []byte {
	if c.Caps.VarInts {
		return wire.AppendVarLong(b, v, 3)
	}
	return wire.AppendLongInt(b, v)
}

func (c *common) readLong() int64 {
	if c.Caps.VarInts {
		return c.R.VarLong(3)
	}
	return c.R.LongInt()
}

// fileSum returns a file's strong sum as --checksum compares it.
func fileSum(root *rootfs.Root, p string, flags rootfs.OpenFlags, a checksum.Algorithm) ([]byte, error) {
	f, _, err := root.OpenRead(p, flags)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := a.NewPlain()
	buf := make([]byte, 128*1024)
	for {
		n, err := f.Read(buf)
		h.Write(buf[:n])
		if err == io.EOF || n == 0 && err == nil {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	return h.Sum(nil)[:a.FileListSize()], nil
}
