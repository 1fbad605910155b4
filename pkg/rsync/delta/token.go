package delta

import (
	"fmt"
	"io"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// PlainWriter writes tokens without compression (token.c:simple_send_token).
type PlainWriter struct{ W io.Writer }

// Literal implements [TokenWriter].
func (t PlainWriter) Literal(p []byte) error {
	var head [4]byte
	for len(p) > 0 {
		n := min(len(p), proto.LiteralChunk)
		if _, err := t.W.Write(wire.AppendInt32(head[:0], int32(n))); err != nil {
			return err
		}
		if _, err := t.W.Write(p[:n]); err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// Match implements [TokenWriter].
func (t PlainWriter) Match(block int32, _ []byte) error {
	var head [4]byte
	_, err := t.W.Write(wire.AppendInt32(head[:0], -(block + 1)))
	return err
}

// End implements [TokenWriter].
func (t PlainWriter) End() error {
	var head [4]byte
	_, err := t.W.Write(wire.AppendInt32(head[:0], 0))
	return err
}

// TokenReader takes tokens apart.
type TokenReader interface {
	// Next returns literal bytes, valid until the next call, or the number of
	// a block below count, or neither and done at the end of the file.
	Next(r *wire.Reader, count int32) (literal []byte, block int32, done bool, err error)
}

// PlainReader reads what [PlainWriter] writes (token.c:simple_recv_token).
type PlainReader struct {
	left int32 // bytes of the current literal still to come
}

// Next implements [TokenReader].
func (t *PlainReader) Next(r *wire.Reader, count int32) (literal []byte, block int32, done bool, err error) {
	if t.left == 0 {
		n := r.Int32()
		switch {
		case r.Err() != nil:
			return nil, 0, false, fmt.Errorf("read token: %w", r.Err())
		case n == 0:
			return nil, 0, true, nil
		case n < 0:
			block = -(n + 1)
			if block >= count {
				return nil, 0, false, fmt.Errorf("token names block %d of %d", block, count)
			}
			return nil, block, false, nil
		}
		t.left = n
	}
	p := r.Next(int(t.left))
	if p == nil {
		return nil, 0, false, fmt.Errorf("read literal data: %w", r.Err())
	}
	t.left -= int32(len(p))
	return p, 0, false, nil
}
