package transfer

import (
	"errors"
	"io"

	"github.com/empegsync/empegsync/pkg/rsync/compress"
	"github.com/empegsync/empegsync/pkg/rsync/delta"
	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// tokenWriter sends the tokens of files as the session has agreed.
type tokenWriter struct {
	delta.TokenWriter
	packed *compress.Writer // the same, unless data travels as it is
	skip   compress.SkipRules
}

func (s *sender) newTokenWriter() (*tokenWriter, error) {
	if s.Compression.Algorithm == compress.None {
		return &tokenWriter{TokenWriter: delta.PlainWriter{W: s.W}}, nil
	}
	packed, err := s.Compression.NewWriter(s.W)
	if err != nil {
		return nil, proto.Fail(proto.ExitUnsupported, err)
	}
	t := &tokenWriter{TokenWriter: packed, packed: packed}
	list := compress.DefaultSkip
	if s.opt.SkipCompressSet {
		list = s.opt.SkipCompress
	}
	t.skip.AddSuffixes(list)
	if err := t.skip.AddPatterns(s.Uncompressed); err != nil {
		return nil, proto.Failf(proto.ExitSyntax, "dont compress: %w", err)
	}
	return t, nil
}

// begin starts a file.
func (t *tokenWriter) begin(e *filelist.Entry) {
	if t.packed != nil && t.skip.Skip(e.Path()) {
		t.packed.Store()
	}
}

// sendPacked sends a file as literals through the compressor. A file that ends
// early arrives as long as it was found.
func (s *sender) sendPacked(e *filelist.Entry, src *fileSource) error {
	if s.chunk == nil {
		s.chunk = make([]byte, proto.LiteralChunk)
	}
	var sent int64
	for {
		n, err := io.ReadFull(src, s.chunk)
		if n > 0 {
			s.whole.Write(s.chunk[:n])
			if err := s.tokens.Literal(s.chunk[:n]); err != nil {
				return err
			}
			s.stats.Literal += int64(n)
			sent += int64(n)
			s.obs.Data(e, sent)
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return s.tokens.End()
		}
		if err != nil {
			return err
		}
	}
}

// tokenReader receives the tokens of files as the session has agreed.
type tokenReader struct {
	delta.TokenReader
	packed *compress.Reader
	zeros  []byte // stands for blocks that cannot be read
}

func (c *common) newTokenReader() (*tokenReader, error) {
	if c.Compression.Algorithm == compress.None {
		return &tokenReader{TokenReader: &delta.PlainReader{}}, nil
	}
	packed, err := c.Compression.NewReader()
	if err != nil {
		return nil, proto.Fail(proto.ExitUnsupported, err)
	}
	return &tokenReader{TokenReader: packed, packed: packed}, nil
}

// see tells the decompressor of a block's data.
func (t *tokenReader) see(p []byte) {
	if t.packed != nil {
		t.packed.See(p)
	}
}

// seeNothing stands for see where a block's data cannot be had: the length
// alone keeps the stream readable.
func (t *tokenReader) seeNothing(n int32) {
	if t.packed == nil {
		return
	}
	if t.zeros == nil {
		t.zeros = make([]byte, proto.LiteralChunk)
	}
	for n > 0 {
		p := t.zeros[:min(int(n), len(t.zeros))]
		t.packed.See(p)
		n -= int32(len(p))
	}
}

func (t *tokenReader) close() {
	if t.packed != nil {
		t.packed.Close()
	}
}
