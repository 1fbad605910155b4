package delta

import (
	"bytes"
	"io"
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/checksum"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// TestChosenSums: sums that are chosen so that all are alike, or fall into one
// bucket, make no search quadratic (match.c:hash_search; CVE-2026-70453).
func TestChosenSums(t *testing.T) {
	const block, count, size = 700, 100_000, 3_000
	weak := checksum.Weak(make([]byte, block))
	inverse := uint32(hashMul) // of an odd number, modulo 2^32, by Newton
	for range 5 {
		inverse *= 2 - uint32(hashMul)*inverse
	}
	for name, sum := range map[string]func(i int) uint32{
		"one sum":    func(int) uint32 { return weak },
		"one bucket": func(i int) uint32 { return (weak*hashMul ^ uint32(i+1)&0x1ff) * inverse },
	} {
		sig := &Signature{Head: Head{Count: count, Block: block, SumLen: 16}, strong: bytes.Repeat([]byte{1}, 16*count)}
		for i := range count {
			sig.weak = append(sig.weak, sum(i))
		}
		st, err := Search(bytes.NewReader(make([]byte, size)), sig, checksum.NewBlocks(checksum.MD5, 7, true), checksum.MD5.NewFile(7), PlainWriter{io.Discard})
		if err != nil {
			t.Fatal(err)
		}
		if st.FalseHits > size*maxChain || st.Walked > size*maxWalk || st.Literal != size {
			t.Errorf("%s: %+v", name, st)
		}
		if st.Walked < (size-block)*maxChain {
			t.Errorf("%s: the sums do not collide, so that nothing is shown: %+v", name, st)
		}
	}
}

// Heads that make no sense are refused before anything is made for them.
func TestHeadsRefused(t *testing.T) {
	for _, h := range []Head{
		{Count: -1, Block: 700, SumLen: 2}, {Count: 1<<31 - 1, Block: 700, SumLen: 16}, {Count: 1, SumLen: 2}, {Count: 1, Block: -700, SumLen: 2},
		{Count: 1, Block: proto.MaxBlock + 1, SumLen: 2}, {Count: 1, Block: 700, SumLen: -2}, {Count: 1, Block: 700, SumLen: 17},
		{Count: 1, Block: 700}, // with the rolling sum alone every block could be taken for another
		{Count: 2, Block: 700, SumLen: 2, Remainder: 701}, {Count: 2, Block: 700, SumLen: 2, Remainder: -1},
	} {
		if got, err := ReadHead(wire.NewReader(bytes.NewReader(h.Append(nil, limits)), 0), limits); err == nil {
			t.Errorf("%+v is taken as %+v", h, got)
		}
	}
}
