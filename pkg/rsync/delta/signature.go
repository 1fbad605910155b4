package delta

import (
	"fmt"
	"io"

	"github.com/empegsync/empegsync/pkg/rsync/checksum"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// Signature holds the sums of all blocks of a file.
type Signature struct {
	Head
	// InPlace says that the new file is written over the one with the blocks:
	// only blocks that are not yet overwritten can be used.
	InPlace bool
	weak    []uint32
	strong  []byte // Count x SumLen
}

// ReadSignature reads the sums that follow a head (sender.c:receive_sums).
// Memory grows with what has arrived, not with what was announced.
func ReadSignature(r *wire.Reader, h Head) (*Signature, error) {
	s := &Signature{Head: h}
	for i := int32(0); i < h.Count; i++ {
		s.weak = append(s.weak, uint32(r.Int32()))
		at := len(s.strong)
		s.strong = append(s.strong, make([]byte, h.SumLen)...)
		if !r.Full(s.strong[at:]) {
			return nil, fmt.Errorf("read the sums of block %d of %d: %w", i, h.Count, r.Err())
		}
	}
	return s, nil
}

// WriteSums reads the basis file and appends the sums of its blocks to w
// (generator.c:generate_and_send_sums). buf is scratch space and is returned,
// perhaps grown, for the next call.
func WriteSums(w io.Writer, basis io.ReaderAt, h Head, sums *checksum.Blocks, buf []byte) ([]byte, error) {
	const target = 64 * 1024
	perRead := max(int32(1), target/max(h.Block, 1))
	need := int(min(int64(perRead)*int64(h.Block), h.Size())) // -B may be larger than the file
	if cap(buf) < need {
		buf = make([]byte, need)
	}
	var out, full []byte
	for i := int32(0); i < h.Count; i += perRead {
		last := min(i+perRead, h.Count)
		n := int(h.Offset(last-1) - h.Offset(i) + int64(h.Len(last-1)))
		p := buf[:n]
		if got, err := basis.ReadAt(p, h.Offset(i)); got < n {
			// A basis that shrinks under us: the sums of zeros match nothing
			// that the sender has, so the data will come as literals.
			if err != nil && err != io.EOF {
				return buf, fmt.Errorf("read the basis file: %w", err)
			}
			clear(p[got:])
		}
		out = out[:0]
		for j := i; j < last; j++ {
			block := p[:h.Len(j)]
			p = p[len(block):]
			full = sums.Sum(full[:0], block)
			out = wire.AppendInt32(out, int32(checksum.Weak(block)))
			out = append(out, full[:min(int(h.SumLen), len(full))]...)
		}
		if _, err := w.Write(out); err != nil {
			return buf, err
		}
	}
	return buf, nil
}
