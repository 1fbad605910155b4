package checksum

import (
	"encoding/binary"
	"math/bits"
)

// md4Digest is MD4 (RFC 1320) with the two endings that rsync has known. It
// implements hash.Hash. It is our own because the ending of old protocols needs
// the bare state, which golang.org/x/crypto/md4 keeps to itself; the tests hold
// the two against each other.
type md4Digest struct {
	state  [4]uint32
	tail   [64]byte
	length uint64 // bytes written
	prefix []byte // hashed first after every Reset; nil for none
	busted bool   // end as protocols below 27 did
}

// newMD4 returns MD4 that hashes prefix before anything else; busted chooses
// the ending of protocols below 27.
func newMD4(prefix []byte, busted bool) *md4Digest {
	d := &md4Digest{prefix: prefix, busted: busted}
	d.Reset()
	return d
}

func (d *md4Digest) Size() int      { return 16 }
func (d *md4Digest) BlockSize() int { return 64 }

func (d *md4Digest) Reset() {
	d.state = [4]uint32{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}
	d.length = 0
	d.Write(d.prefix)
}

func (d *md4Digest) Write(p []byte) (int, error) {
	written := len(p)
	have := int(d.length & 63)
	d.length += uint64(written)
	if have > 0 {
		n := copy(d.tail[have:], p)
		p = p[n:]
		if have+n < 64 {
			return written, nil
		}
		d.blocks(d.tail[:])
	}
	whole := len(p) &^ 63
	d.blocks(p[:whole])
	copy(d.tail[:], p[whole:])
	return written, nil
}

// Sum appends the digest of what was written so far; d can be written on.
func (d *md4Digest) Sum(dst []byte) []byte {
	end := *d
	end.finish()
	for _, w := range end.state {
		dst = binary.LittleEndian.AppendUint32(dst, w)
	}
	return dst
}

// finish adds MD4's padding: a one bit, zeros, the number of bits in 64 bits.
// Below protocol 27 the upper half of that number stays zero, and nothing at
// all is added after a whole number of 64-byte chunks. // lib/mdfour.c:mdfour_tail
func (d *md4Digest) finish() {
	have := int(d.length & 63)
	if d.busted && have == 0 {
		return
	}
	count := d.length << 3
	if d.busted {
		count = uint64(uint32(count))
	}
	d.tail[have] = 0x80
	clear(d.tail[have+1:])
	if have >= 56 {
		d.blocks(d.tail[:])
		clear(d.tail[:])
	}
	binary.LittleEndian.PutUint64(d.tail[56:], count)
	d.blocks(d.tail[:])
}

// blocks mixes p, a whole number of 64-byte chunks, into the state.
func (d *md4Digest) blocks(p []byte) {
	a, b, c, e := d.state[0], d.state[1], d.state[2], d.state[3]
	var x [16]uint32
	for len(p) >= 64 {
		chunk := p[:64]
		for i := range x {
			x[i] = binary.LittleEndian.Uint32(chunk[4*i:])
		}
		aa, bb, cc, ee := a, b, c, e
		for i := 0; i < 16; i += 4 {
			a = bits.RotateLeft32(a+((c^e)&b^e)+x[i&15], 3)
			e = bits.RotateLeft32(e+((b^c)&a^c)+x[(i+1)&15], 7)
			c = bits.RotateLeft32(c+((a^b)&e^b)+x[(i+2)&15], 11)
			b = bits.RotateLeft32(b+((e^a)&c^a)+x[(i+3)&15], 19)
		}
		for i := range 4 {
			a = bits.RotateLeft32(a+(b&c|(b|c)&e)+x[i]+0x5a827999, 3)
			e = bits.RotateLeft32(e+(a&b|(a|b)&c)+x[i+4]+0x5a827999, 5)
			c = bits.RotateLeft32(c+(e&a|(e|a)&b)+x[i+8]+0x5a827999, 9)
			b = bits.RotateLeft32(b+(c&e|(c|e)&a)+x[i+12]+0x5a827999, 13)
		}
		for _, i := range [4]int{0, 2, 1, 3} {
			a = bits.RotateLeft32(a+(b^c^e)+x[i&3]+0x6ed9eba1, 3)
			e = bits.RotateLeft32(e+(a^b^c)+x[i&3+8]+0x6ed9eba1, 9)
			c = bits.RotateLeft32(c+(e^a^b)+x[i&3+4]+0x6ed9eba1, 11)
			b = bits.RotateLeft32(b+(c^e^a)+x[i&3+12]+0x6ed9eba1, 15)
		}
		a, b, c, e = a+aa, b+bb, c+cc, e+ee
		p = p[64:]
	}
	d.state = [4]uint32{a, b, c, e}
}
