package transfer

import (
	"errors"
	"io"
	"io/fs"

	"github.com/empegsync/empegsync/pkg/rsync/delta"
	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

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
	done, err := s.sendHead(it, sig.Head, lim)
	if err != nil {
		return err
	}
	defer done()
	s.whole.Reset()
	var readErr error
	src := &fileSource{f: f, left: info.Size, failed: &readErr}
	if appends != options.AppendNo {
		if err := s.passOver(src, sig.Size(), appends); err != nil {
			readErr = err
		}
		sig.Count = 0
	}
	if err := s.sendData(e, src, sig); err != nil {
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

// sendHead sends what stands before a file's data. done is called behind them:
// with --only-write-batch they have gone to the batch alone until then.
func (s *sender) sendHead(it item, head delta.Head, lim delta.SumLimits) (done func(), err error) {
	done = func() {}
	s.scratch = s.appendItem(s.scratch[:0], it)
	if s.Batch != nil && s.opt.OnlyBatch { // the other side wants to know the item alone
		if _, err := s.W.Write(s.scratch); err != nil {
			return done, err
		}
		s.scratch = s.scratch[:0]
		s.W.Tee(s.Batch, true)
		done = func() { s.W.Tee(s.Batch, false) }
	}
	s.scratch = head.Append(s.scratch, lim)
	if _, err := s.W.Write(s.scratch); err != nil {
		done()
		return done, err
	}
	return done, nil
}

// sendData sends a file as a difference to sig, whole where that has no blocks.
func (s *sender) sendData(e *filelist.Entry, src *fileSource, sig *delta.Signature) error {
	s.tokens.begin(e)
	switch {
	case sig.Count == 0 && s.tokens.packed != nil:
		return s.sendPacked(e, src)
	case sig.Count == 0:
		return s.sendWhole(e, src)
	}
	st, err := s.search.Search(src, sig, s.sums, s.whole, s.tokens)
	s.stats.Literal += st.Literal
	s.stats.Matched += st.Matched
	s.hits += st.Hits
	s.falseHits += st.FalseHits
	return err
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
