package transfer

import (
	"errors"
	"hash"
	"io"

	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// appends says how --append is meant in this session and pass: older versions
// always verify, and what has failed comes again in the usual way
// (compat.c:setup_protocol).
func (c *common) appends(redo bool) options.AppendMode {
	switch {
	case redo:
		return options.AppendNo
	case c.opt.Append == options.AppendTrust && !c.Caps.AppendTrusts:
		return options.AppendVerify
	}
	return c.opt.Append
}

// passOver leaves out what --append takes as being there (match.c:match_sums).
func (s *sender) passOver(src *fileSource, size int64, mode options.AppendMode) error {
	size = min(size, src.left)
	if mode == options.AppendVerify {
		if _, err := hashStart(s.whole, src.f, size); err != nil {
			return err
		}
	}
	src.f.SeekTo(size)
	src.left -= size
	src.start = size
	return nil
}

// redoes reports whether a file has been sent before, and notes that it has.
func (s *sender) redoes(it item) bool {
	sent := it.part.again.has(it.at())
	it.part.again.add(it.at())
	return sent
}

// updatesBasis reports whether the other side writes into the file that it
// takes blocks from: then a block behind that place is lost to it
// (sender.c:send_files).
func (s *sender) updatesBasis(it item, redo bool) bool {
	switch {
	case s.Caps.InplacePartial && it.basis == proto.BasisPartialDir:
		return true
	case !s.opt.Inplace:
		return false
	case s.Caps.ItemFlags:
		return it.basis == proto.BasisName
	}
	return !s.opt.Backup || redo
}

// hashStart feeds the first size bytes to whole; false if there are fewer.
func hashStart(whole hash.Hash, from io.ReaderAt, size int64) (bool, error) {
	n, err := io.Copy(whole, io.NewSectionReader(from, 0, size))
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false, err
	}
	return n == size, nil
}
