package checksum

import (
	"encoding/binary"
	"math/bits"
)

// Weak is the rolling sum over b, computed at once. Bytes count as signed; the
// low 16 bits are their sum, the high 16 bits the sum of all prefix sums.
// // checksum.c:get_checksum1 with CHAR_OFFSET 0
func Weak(b []byte) uint32 {
	var s1, s2 uint32
	// A constant condition: where words are 32 bits wide (and on ARMv5 may not
	// be read unaligned) the byte loop is the faster of the two.
	if bits.UintSize == 64 {
		s1, s2 = weakWords(b)
	} else {
		s1, s2 = weakBytes(0, 0, b)
	}
	return s1&0xffff | s2<<16
}

// weakBytes goes on from the sums s1 and s2 over b, a byte at a time.
func weakBytes(s1, s2 uint32, b []byte) (uint32, uint32) {
	for len(b) >= 8 {
		c := b[:8]
		s1 += uint32(int8(c[0]))
		s2 += s1
		s1 += uint32(int8(c[1]))
		s2 += s1
		s1 += uint32(int8(c[2]))
		s2 += s1
		s1 += uint32(int8(c[3]))
		s2 += s1
		s1 += uint32(int8(c[4]))
		s2 += s1
		s1 += uint32(int8(c[5]))
		s2 += s1
		s1 += uint32(int8(c[6]))
		s2 += s1
		s1 += uint32(int8(c[7]))
		s2 += s1
		b = b[8:]
	}
	for _, c := range b {
		s1 += uint32(int8(c))
		s2 += s1
	}
	return s1, s2
}

// Constants of weakWords. A word is split into its even and its odd bytes, each
// in a lane of 16 bits. Multiplying by a constant and keeping the top lane is a
// dot product: the weight of lane 0 stands in the constant's lane 3.
const (
	signs   = 0x8080808080808080
	lanes   = 0x00ff00ff00ff00ff
	ones    = 0x0001000100010001
	evenFor = 8<<48 | 6<<32 | 4<<16 | 2 // bytes 0, 2, 4, 6 of eight
	oddFor  = 7<<48 | 5<<32 | 3<<16 | 1 // bytes 1, 3, 5, 7
)

// weakWords sums b eight bytes at a time. Only the low 16 bits of its results
// are those of weakBytes, which is all that a weak sum keeps.
//
// Flipping the sign bit turns a signed byte v into the unsigned v+128; what
// this adds to both sums depends only on the length and is taken off at the
// end, so that the loop needs no sign extension.
func weakWords(b []byte) (s1, s2 uint32) {
	var a, w uint64
	n := uint64(len(b) &^ 7)
	for len(b) >= weakRun {
		sum, prefixes := sumRun((*[weakRun]byte)(b))
		w += weakRun*a + prefixes
		a += sum
		b = b[weakRun:]
	}
	for len(b) >= 16 {
		x := binary.LittleEndian.Uint64(b) ^ signs
		y := binary.LittleEndian.Uint64(b[8:]) ^ signs
		xe, xo := x&lanes, x>>8&lanes
		ye, yo := y&lanes, y>>8&lanes
		sx := (xe + xo) * ones >> 48
		w += 16*a + 8*sx + xe*evenFor>>48 + xo*oddFor>>48 + ye*evenFor>>48 + yo*oddFor>>48
		a += sx + (ye+yo)*ones>>48
		b = b[16:]
	}
	if len(b) >= 8 {
		x := binary.LittleEndian.Uint64(b) ^ signs
		xe, xo := x&lanes, x>>8&lanes
		w += 8*a + xe*evenFor>>48 + xo*oddFor>>48
		a += (xe + xo) * ones >> 48
		b = b[8:]
	}
	a -= 128 * n
	w -= 64 * n * (n + 1)
	return weakBytes(uint32(a), uint32(w), b)
}

// weakRun is how many bytes are summed in lanes of 16 bits before any lane can
// run over: sixteen words, of which before below gets 120 times two bytes.
const weakRun = 128

// sumRun returns the sum of a run's bytes, their sign bits flipped, and the sum
// of all of its prefix sums. It multiplies once a run instead of per word.
func sumRun(b *[weakRun]byte) (sum, prefixes uint64) {
	// In each lane: the sum of all bytes so far, of the even ones alone, and of
	// what the first has been before each word.
	var all, even, before uint64
	for i := 0; i < weakRun; i += 32 {
		c := (*[32]byte)(b[i : i+32])
		x := binary.LittleEndian.Uint64(c[:]) ^ signs
		e := x & lanes
		before += all
		even += e
		all += e + x>>8&lanes
		x = binary.LittleEndian.Uint64(c[8:]) ^ signs
		e = x & lanes
		before += all
		even += e
		all += e + x>>8&lanes
		x = binary.LittleEndian.Uint64(c[16:]) ^ signs
		e = x & lanes
		before += all
		even += e
		all += e + x>>8&lanes
		x = binary.LittleEndian.Uint64(c[24:]) ^ signs
		e = x & lanes
		before += all
		even += e
		all += e + x>>8&lanes
	}
	odd := all - even
	sum = weigh(all, 1, 1, 1, 1)
	return sum, 8*weigh(before, 1, 1, 1, 1) + weigh(even, 8, 6, 4, 2) + weigh(odd, 7, 5, 3, 1)
}

// weigh adds up the lanes of v, the lowest first, each with its weight.
func weigh(v, w0, w1, w2, w3 uint64) uint64 {
	return v&0xffff*w0 + v>>16&0xffff*w1 + v>>32&0xffff*w2 + v>>48*w3
}

// Roller holds the weak sum of a window that moves along a file. The zero value
// is the sum of an empty window. A Roller is a plain value and may be copied.
type Roller struct {
	s1, s2 uint32
	n      uint32 // bytes in the window; only its low 16 bits matter
}

// Init sets the window to block.
func (r *Roller) Init(block []byte) {
	w := Weak(block)
	r.s1, r.s2, r.n = w, w>>16, uint32(len(block))
}

// Roll moves the window on by one byte: out leaves at the front, in enters at
// the back. The window's size stays. // match.c:hash_search
func (r *Roller) Roll(out, in byte) {
	o := uint32(int8(out))
	r.s1 += uint32(int8(in)) - o
	r.s2 += r.s1 - r.n*o
}

// Out drops the window's first byte and adds none, which is how the window
// shrinks at the end of a file.
func (r *Roller) Out(out byte) {
	o := uint32(int8(out))
	r.s1 -= o
	r.s2 -= r.n * o
	r.n--
}

// Sum is the weak sum of the window, equal to [Weak] over its bytes.
func (r *Roller) Sum() uint32 { return r.s1&0xffff | r.s2<<16 }
