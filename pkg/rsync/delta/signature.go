package delta

import (
	"fmt"

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
