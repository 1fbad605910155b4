// Package delta is rsync's algorithm: the block sums of what one side has (a
// signature), the search for those blocks in what the other side has, and the
// stream of literals and block numbers that makes the one into the other.
//
// It works on readers and slices; files and connections belong to its callers.
package delta

import (
	"fmt"
	"math/bits"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// Head describes a signature (rsync.h: struct sum_struct). The zero Head says
// that there is nothing to compare with.
type Head struct {
	Count     int32 // blocks
	Block     int32 // bytes of a block
	SumLen    int32 // bytes of each strong sum on the wire
	Remainder int32 // bytes of the last block if it is short, else 0
}

// SumLimits is what a session has agreed on about signatures.
type SumLimits struct {
	OnWire  bool  // the strong sum's length travels (proto.Caps.SumLenOnWire)
	Size    int32 // bytes of the session's full strong sum
	MaxSize int32 // largest block in bytes
	Pass    int32 // bytes of each strong sum where the length does not travel
}

// maxSumBytes bounds what the sums of one file may take: enough for a file of
// a terabyte, and on a 32-bit board for one that fills its disk.
const maxSumBytes = 16 << 20 << (3 * (^uint(0) >> 63))

// NewHead chooses block and sum sizes for a file of size bytes such that a
// false match is unlikely, as every rsync does (generator.c:
// sum_sizes_sqroot). block overrides the block size if not 0; full asks for
// whole strong sums, for the second pass. ok is false if the file has too many
// blocks to be described.
func NewHead(size int64, block int32, full bool, lim SumLimits) (h Head, ok bool) {
	if size <= 0 {
		return Head{}, true
	}
	if block <= 0 {
		block = blockLength(size, lim.MaxSize)
	}
	h.Block = min(block, lim.MaxSize)
	h.SumLen = sumLength(size, h.Block, full, lim)
	count := size / int64(h.Block)
	h.Remainder = int32(size % int64(h.Block))
	if h.Remainder != 0 {
		count++
	}
	if count > maxSumBytes/int64(4+h.SumLen) {
		return Head{}, false
	}
	h.Count = int32(count)
	return h, true
}

// blockLength is about the square root of the size, a multiple of 8.
func blockLength(size int64, limit int32) int32 {
	if size <= proto.BlockLength*proto.BlockLength {
		return proto.BlockLength
	}
	c := int64(1) << ((bits.Len64(uint64(size)) - 1) / 2)
	if c >= int64(limit) {
		return limit
	}
	var b int64
	for ; c >= 8; c >>= 1 {
		if b |= c; size < b*b {
			b &^= c
		}
	}
	return int32(max(b, proto.BlockLength))
}

func sumLength(size int64, block int32, full bool, lim SumLimits) int32 {
	switch {
	case !lim.OnWire:
		return min(lim.Pass, lim.Size)
	case full:
		return min(lim.Size, 16)
	}
	const bias = 10 // rsync.h: BLOCKSUM_BIAS
	b := int32(bias + 2*(bits.Len64(uint64(size))-1))
	b -= min(b, int32(bits.Len32(uint32(block))-1))
	n := (b + 1 - 32 + 7) / 8
	return min(max(n, proto.ShortSumBytes), lim.Size, 16)
}

// Len returns the length of block i in bytes.
func (h Head) Len(i int32) int32 {
	if i == h.Count-1 && h.Remainder != 0 {
		return h.Remainder
	}
	return h.Block
}

// Offset returns where block i starts.
func (h Head) Offset(i int32) int64 { return int64(i) * int64(h.Block) }

// Size is how many bytes the blocks have together.
func (h Head) Size() int64 {
	size := int64(h.Count) * int64(h.Block)
	if h.Remainder != 0 {
		size -= int64(h.Block - h.Remainder)
	}
	return max(size, 0)
}

// Append appends the head's wire form (io.c:write_sum_head).
func (h Head) Append(b []byte, lim SumLimits) []byte {
	b = wire.AppendInt32(b, h.Count)
	b = wire.AppendInt32(b, h.Block)
	if lim.OnWire {
		b = wire.AppendInt32(b, h.SumLen)
	}
	return wire.AppendInt32(b, h.Remainder)
}

// ReadHead reads a head and checks that it makes sense (io.c:read_sum_head).
// Blocks with strong sums of no bytes, which C rsync lets pass, are refused: no
// rsync sends them, and the weak sums alone would decide what is the same.
func ReadHead(r *wire.Reader, lim SumLimits) (Head, error) {
	h := Head{Count: r.Int32(), Block: r.Int32(), SumLen: min(lim.Pass, lim.Size)}
	if lim.OnWire {
		h.SumLen = r.Int32()
	}
	h.Remainder = r.Int32()
	if r.Err() != nil {
		return Head{}, fmt.Errorf("read sum head: %w", r.Err())
	}
	switch {
	case h.Count < 0:
		return Head{}, fmt.Errorf("sum head: %d blocks", h.Count)
	case h.Block < 0 || h.Block > lim.MaxSize || h.Block == 0 && h.Count > 0:
		return Head{}, fmt.Errorf("sum head: blocks of %d bytes, up to %d are allowed", h.Block, lim.MaxSize)
	case h.SumLen < 0 || h.SumLen > lim.Size || h.SumLen == 0 && h.Count > 0:
		return Head{}, fmt.Errorf("sum head: strong sums of %d bytes for %d blocks, 1 to %d are allowed", h.SumLen, h.Count, lim.Size)
	case h.Remainder < 0 || h.Remainder > h.Block:
		return Head{}, fmt.Errorf("sum head: last block of %d bytes, the others have %d", h.Remainder, h.Block)
	case int64(h.Count)*int64(4+h.SumLen) > maxSumBytes:
		return Head{}, fmt.Errorf("sum head: %d blocks are too many", h.Count)
	}
	return h, nil
}
