package checksum

import (
	"encoding/binary"
	"hash"

	"github.com/cespare/xxhash/v2"
	"github.com/zeebo/xxh3"
)

// Blocks computes the strong sums of blocks within one session. It keeps its
// hash between calls, so it allocates nothing per block and must not be used
// from two goroutines at once.
type Blocks struct {
	algorithm   Algorithm
	seed        int32
	seedFirst   bool
	xxSeed      uint64
	hash        hash.Hash      // MD4, MD5 and SHA
	xx64        *xxhash.Digest // XXH64
	first, last []byte         // the seed's bytes, where they are hashed; else nil
}

// NewBlocks returns the block sums of algorithm a under the session's checksum
// seed. A zero seed is no seed. seedFirst is the meaning of the compat flag
// CF_CHKSUM_SEED_FIX and matters for MD5 only, which older peers hash with the
// seed behind the data. MD4 in all forms has the seed behind the data, SHA-1
// before it, and xxHash takes it as its own seed (sign-extended to 64 bits).
//
// With [None] there are no block sums: rsync then sends whole files. Sum then
// appends a zero byte that says nothing about the block.
// // checksum.c:get_checksum2
func NewBlocks(a Algorithm, seed int32, seedFirst bool) *Blocks {
	b := &Blocks{algorithm: a, seed: seed, seedFirst: seedFirst, xxSeed: uint64(int64(seed))}
	switch a {
	case XXH3, XXH128:
		return b
	case XXH64:
		b.xx64 = xxhash.NewWithSeed(b.xxSeed)
		return b
	}
	b.hash = a.NewPlain()
	if seed == 0 || a == None {
		return b
	}
	bytes := binary.LittleEndian.AppendUint32(nil, uint32(seed))
	switch {
	case a == MD5 && !seedFirst, a >= MD4Archaic && a <= MD4:
		b.last = bytes
	default:
		b.first = bytes
	}
	return b
}

// Algorithm is the algorithm that b was made with.
func (b *Blocks) Algorithm() Algorithm { return b.algorithm }

// Clone returns block sums like b, for another goroutine.
func (b *Blocks) Clone() *Blocks { return NewBlocks(b.algorithm, b.seed, b.seedFirst) }

// Sum appends the full strong sum of block, b.Algorithm().Size() bytes, to dst
// and returns the longer slice. A session that sends shorter sums cuts them
// from the front. It allocates only if dst has no room.
func (b *Blocks) Sum(dst, block []byte) []byte {
	switch b.algorithm {
	case XXH3:
		return binary.LittleEndian.AppendUint64(dst, xxh3.HashSeed(block, b.xxSeed))
	case XXH128:
		return append128(dst, xxh3.Hash128Seed(block, b.xxSeed))
	case XXH64:
		b.xx64.ResetWithSeed(b.xxSeed)
		b.xx64.Write(block)
		return binary.LittleEndian.AppendUint64(dst, b.xx64.Sum64())
	}
	b.hash.Reset()
	if b.first != nil {
		b.hash.Write(b.first)
	}
	b.hash.Write(block)
	if b.last != nil {
		b.hash.Write(b.last)
	}
	return b.hash.Sum(dst)
}
