package transfer

import (
	"context"
	"fmt"
	"hash"
	"io"

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
	if o, ok := s.obs.(SourcesObserver); ok {
		o.Sources(s.sources)
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
