package compress

import (
	"fmt"
	"io"
	"math/bits"
)

// Config is what a session has agreed on. The zero value is "no compression".
type Config struct {
	Algorithm Algorithm
	// Level is that of --compress-level, LevelUnset where it was not given.
	// Only a Writer looks at it.
	Level int
	// Threads is the most that a zstd Writer may use at once, 0 for as many as
	// are of use.
	Threads int
	// RepeatLongBlocks is for protocols below 31: of a matched block of more
	// than 65535 bytes, both sides put the first bytes into zlib's history
	// again and again instead of the rest (token.c:see_deflate_token).
	RepeatLongBlocks bool
	// MaxWindow is the most that a zstd sender may ask its receiver to
	// remember, in bytes; 0 stands for DefaultMaxWindow. Only a Reader looks
	// at it.
	MaxWindow uint32
}

// DefaultMaxWindow is 128 MiB, which --compress-level=22 of a zstd sender
// needs, and 8 MiB on machines of 32 bits, which is enough up to level 19.
// Memory is only touched as far as there is data for it.
const DefaultMaxWindow = 8 << 20 << (bits.UintSize / 64 * 4)

// minMaxWindow is the smallest window that zstd knows.
const minMaxWindow = 1 << 10

// NewWriter returns a writer to w, which gets flags and packets in pieces of
// up to 16 KiB. Tables are made when the first data comes. The Algorithm must
// not be None, at the Level asked for.
func (c Config) NewWriter(w io.Writer) (*Writer, error) {
	a, level := c.Algorithm.AtLevel(c.Level)
	out := packets{w: w}
	var enc encoder
	switch a {
	case Zlib, Zlibx:
		out.keep = len(syncTail)
		enc = &deflater{out: &out, level: level, insert: a == Zlib, repeat: c.RepeatLongBlocks}
	case LZ4:
		enc = &lz4Encoder{w: w}
	case Zstd:
		enc = &zstdEncoder{out: &out, level: level, threads: c.Threads}
	default:
		return nil, fmt.Errorf("write compressed tokens: there is no compressor for %v at level %d", c.Algorithm, c.Level)
	}
	return &Writer{w: w, enc: enc}, nil
}

// NewReader returns a reader; Close it in the end. The Algorithm must not be
// None.
func (c Config) NewReader() (*Reader, error) {
	t := &Reader{src: &source{}}
	switch c.Algorithm {
	case Zlib, Zlibx:
		t.dec = newInflater(t.src, c.Algorithm == Zlib, c.RepeatLongBlocks)
	case LZ4:
		t.dec = &lz4Decoder{src: t.src}
	case Zstd:
		limit := c.MaxWindow
		if limit == 0 {
			limit = DefaultMaxWindow
		}
		t.dec = &zstdDecoder{src: t.src, maxWindow: max(limit, minMaxWindow)}
	default:
		return nil, fmt.Errorf("read compressed tokens: there is no decompressor for %v", c.Algorithm)
	}
	return t, nil
}
