package checksum

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"hash"

	"github.com/cespare/xxhash/v2"
	"github.com/zeebo/xxh3"
)

// NewFile returns the hash whose sum ends a transferred file and tells the
// receiver that its copy is right. The three MD4 forms of old protocols hash
// the seed first, as 4 bytes little-endian and also when it is zero; all later
// algorithms ignore it. For an invalid a it is the hash of [None], whose sum is
// one zero byte. // checksum.c:sum_init, sum_end
func (a Algorithm) NewFile(seed int32) hash.Hash {
	switch a {
	case MD4Archaic, MD4Busted, MD4Old:
		return newMD4(binary.LittleEndian.AppendUint32(nil, uint32(seed)), a != MD4Old)
	}
	return a.NewPlain()
}

// NewPlain returns the hash of a file list's sums with --checksum: no seed for
// any algorithm. Such a sum is a.Size() bytes long; a file list carries the
// first a.FileListSize() of them. // checksum.c:file_checksum
func (a Algorithm) NewPlain() hash.Hash {
	switch a {
	case MD4Archaic, MD4Busted:
		return newMD4(nil, true)
	case MD4Old, MD4:
		return newMD4(nil, false)
	case MD5:
		return md5.New()
	case SHA1:
		return sha1.New()
	case SHA256:
		return sha256.New()
	case SHA512:
		return sha512.New()
	case XXH64:
		return xxh64Wire{xxhash.New()}
	case XXH3:
		return xxh3Wire{xxh3.NewSeed(0)}
	case XXH128:
		return xxh128Wire{xxh3.NewSeed(0)}
	}
	return noSum{}
}

// The xxHash libraries print their sums big-endian; rsync sends them
// little-endian, the low half of 128 bits first. // byteorder.h:SIVAL64

type xxh64Wire struct{ *xxhash.Digest }

func (h xxh64Wire) Sum(dst []byte) []byte {
	return binary.LittleEndian.AppendUint64(dst, h.Sum64())
}

type xxh3Wire struct{ *xxh3.Hasher }

func (h xxh3Wire) Sum(dst []byte) []byte {
	return binary.LittleEndian.AppendUint64(dst, h.Sum64())
}

type xxh128Wire struct{ *xxh3.Hasher }

func (h xxh128Wire) Size() int { return 16 }

func (h xxh128Wire) Sum(dst []byte) []byte { return append128(dst, h.Sum128()) }

func append128(dst []byte, s xxh3.Uint128) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, s.Lo)
	return binary.LittleEndian.AppendUint64(dst, s.Hi)
}

// noSum is the hash of None: whatever is written, its sum is one zero byte.
type noSum struct{}

func (noSum) Write(p []byte) (int, error) { return len(p), nil }
func (noSum) Sum(dst []byte) []byte       { return append(dst, 0) }
func (noSum) Reset()                      {}
func (noSum) Size() int                   { return 1 }
func (noSum) BlockSize() int              { return 1 }
