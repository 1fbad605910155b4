package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"syscall"

	"github.com/empegsync/empegsync/pkg/rsync/delta"
	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

// fileReceiver is the receiving goroutine: it takes what the sender sends and
// puts files in their places (receiver.c:recv_files).
type fileReceiver struct {
	*receiver
	whole   hash.Hash
	tokens  *tokenReader
	block   []byte
	behind  behind
	sum     []byte
	phase   int
	delayed []delayed
	fate    fate // of the file that was received last
}

// fate is what becomes of a file whose data have come.
type fate uint8

const (
	fateFailed fate = iota
	fateCommit      // it is with the committer, which will say how it ends
	fateAgain       // it will be asked for again
)

func (r *receiver) receiveFiles(ctx context.Context) (err error) {
	f := &fileReceiver{receiver: r, whole: r.FileSum.NewFile(r.Seed)}
	f.onPart, f.onNoSend = nil, nil
	if f.Caps.IncRecurse {
		f.onPart, f.onNoSend = f.readPart, f.notSent
	}
	defer f.commit.abort()
	if f.tokens, err = f.newTokenReader(); err != nil {
		return err
	}
	defer f.tokens.close()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		it, e, err := f.readItem()
		if err != nil {
			return err
		}
		if e == nil {
			over, err := f.done()
			if err != nil || over {
				return err
			}
			continue
		}
		if err := f.item(it, e); err != nil {
			return err
		}
	}
}

// done ends a part or a phase; true after the last one.
func (f *fileReceiver) done() (over bool, err error) {
	first := f.parts.oldest()
	if f.replay != nil && first != nil {
		f.sweep(first)
	}
	if f.Caps.IncRecurse && first != nil {
		if !first.closed.Load() {
			return false, proto.Failf(proto.ExitProtocol, "the sending side is done with a part of the file list that is still in use")
		}
		more, err := f.parts.drop()
		if err != nil || more {
			return false, err
		}
	}
	return f.nextPhase()
}

// nextPhase ends a phase; true after the last one. What a phase has received
// is in place before the generator hears of it.
func (f *fileReceiver) nextPhase() (over bool, err error) {
	if err := f.commit.flush(); err != nil {
		return false, err
	}
	if f.phase++; f.phase == 2 { // before version 29 that is the end
		if err := f.update(); err != nil {
			return false, err
		}
	}
	f.events.phaseDone()
	return f.phase > f.phases(), nil
}

func (f *fileReceiver) item(it item, e *filelist.Entry) error {
	if f.pos != nil {
		f.pos.Position(it.position(), f.parts.entries())
	}
	f.begin()
	if it.flags&proto.ItemTransfer == 0 {
		f.noteItem(e, it)
		f.itemXattrs(it, e)
		return nil
	}
	if !e.IsRegular() {
		return proto.Failf(proto.ExitProtocol, "the sending side sends data for %q, which is not a regular file", e.Path())
	}
	if f.replay != nil && !f.wanted(it, e) {
		return f.passBy(it, e)
	}
	if !it.part.asked.take(it.at()) {
		return proto.Failf(proto.ExitProtocol, "the sending side sends %q, which was not asked for", e.Path())
	}
	f.obs.Item(e, it.flags)
	if f.opt.DryRun {
		f.stats.Transferred++
		if f.replay != nil || f.opt.OnlyBatch && !f.Server {
			if err := f.discardFile(e); err != nil {
				return err
			}
		} else {
			f.stats.TransferredSize += e.Size
		}
		f.arrived()
		f.settle(it.part, e, true)
		return nil
	}
	lim := f.limits
	if f.phase > 0 {
		lim.Pass = lim.Size
	}
	passed := f.passage(e, it.flags)
	head, err := delta.ReadHead(f.R, lim)
	if err != nil {
		return proto.Fail(proto.ExitProtocol, err)
	}
	f.fate = fateFailed
	if err := f.file(it, e, head, passed); err != nil {
		return fmt.Errorf("receive %q: %w", e.Path(), err)
	}
	if f.fate == fateFailed {
		f.settle(it.part, e, false)
	}
	if f.arrived() {
		return f.commit.flush()
	}
	return nil
}

// arrived counts a file that was asked for as come. True says that the
// generator waits and that no other file will come before it goes on.
func (r *receiver) arrived() bool { return r.outstanding.Add(-1) == 0 && r.idle.Load() }

// settle tells the generator how a file that was asked for has ended, and wakes
// it when that was the last one of its part: being woken for each small file
// would cost as much as the file.
func (r *receiver) settle(p *part, e *filelist.Entry, ok bool) {
	if !r.Caps.IncRecurse {
		return
	}
	if _, _, linked := e.Inode(); linked && r.opt.HardLinks {
		r.events.ended(outcome{e, ok})
	}
	if p.open.Add(-1) == 0 {
		r.events.poke()
	}
}

// notSent hears of a file that the sender could not open.
func (f *fileReceiver) notSent(index int32) {
	p, e := f.parts.find(index)
	if e == nil || index < p.Start || !p.asked.take(index-p.Start) {
		return
	}
	f.settle(p, e, false)
	if f.arrived() {
		f.events.poke() // what waits to be committed has nothing more to wait for
	}
}

// before looks at what the file will replace, unless the generator has just
// seen that there is nothing.
func (f *fileReceiver) before(it item, p string) (rootfs.Info, bool, error) {
	if it.part.absent.take(it.at()) {
		return rootfs.Info{}, false, nil
	}
	return f.lookup(p)
}

func writeError(p string, err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return proto.Failf(proto.ExitFileIO, "write %q: the disk is full: %w", p, err)
	}
	return proto.Failf(proto.ExitFileIO, "write %q: %w", p, reason(err))
}

// checkSum reads the sum that the sender has made and compares.
func (f *fileReceiver) checkSum() (bool, error) {
	f.sum = f.whole.Sum(f.sum[:0])
	theirs := make([]byte, f.FileSum.Size())
	if !f.R.Full(theirs) {
		return false, fmt.Errorf("read file checksum: %w", f.R.Err())
	}
	return bytes.Equal(theirs, f.sum[:len(theirs)]), nil
}

func (f *fileReceiver) readBlock(basis *rootfs.File, head delta.Head, block int32) ([]byte, error) {
	if basis == nil {
		return nil, io.ErrUnexpectedEOF
	}
	n := int(head.Len(block))
	if cap(f.block) < n {
		// The sender says how large blocks are: there must be one.
		if end := basis.End(); end < head.Offset(block)+int64(n) {
			return nil, io.ErrUnexpectedEOF
		}
		f.block = make([]byte, n)
	}
	p := f.block[:n]
	if got, err := basis.ReadAt(p, head.Offset(block)); got < n {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return p, nil
}

// discard reads a file's data and drops it (receiver.c:discard_receive_data).
func (f *fileReceiver) discard(head delta.Head) error {
	for {
		lit, block, done, err := f.tokens.Next(f.R, head.Count)
		if err != nil {
			return err
		}
		if done {
			_, err := f.checkSum()
			return err
		}
		if lit == nil {
			f.tokens.seeNothing(head.Len(block))
			f.stats.Matched += int64(head.Len(block))
		}
		f.stats.Literal += int64(len(lit))
	}
}
