package transfer

import (
	"bytes"
	"io"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

// kept reports whether a file stayed as it was while it was sent; was is what
// it was then, and s.scratch the sum of what was read. If it did not, what went
// out may be a mixture of what it was and what it is, and the other side cannot
// tell, because the sum is that of the mixture. C rsync leaves it at that.
//
// A file that is never the same for long arrives all the same when it is sent
// for the second time (redo), as it does with C rsync, but not without a word.
func (s *sender) kept(e *filelist.Entry, src *fileSource, was rootfs.Info, redo bool) bool {
	if !was.IsRegular() || !s.mixed(src, was, s.appends(redo) == options.AppendTrust) {
		return true
	}
	if redo {
		s.failFile("%q has changed twice while it was being sent: what has arrived may be of no use", e.Path())
	}
	return redo
}

// mixed reads a file once more if its size or time says that it has been
// written to. One that has only grown, as logs do, is none the worse for it.
// Behind what --append trusts nothing else was read (tail).
func (s *sender) mixed(src *fileSource, was rootfs.Info, tail bool) bool {
	now, err := src.f.Stat()
	if err == nil && now.Size == was.Size && now.Mtime == was.Mtime && now.MtimeNsec == was.MtimeNsec {
		return false
	}
	from, n := int64(0), was.Size-src.left
	if tail {
		from = src.start
	}
	if s.chunk == nil {
		s.chunk = make([]byte, proto.LiteralChunk)
	}
	s.whole.Reset()
	again := struct{ io.Reader }{io.NewSectionReader(src.f, from, n-from)}
	got, err := io.CopyBuffer(s.whole, again, s.chunk)
	return err != nil || got != n-from || !bytes.Equal(s.whole.Sum(nil), s.scratch)
}
