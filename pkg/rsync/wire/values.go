package wire

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// Byte reads one byte.
func (r *Reader) Byte() byte { return r.peekFixed(1)[0] }

// Int32 reads 4 bytes, little-endian (io.c:read_int).
func (r *Reader) Int32() int32 { return int32(binary.LittleEndian.Uint32(r.peekFixed(4))) }

// Uint16 reads 2 bytes, little-endian (io.c:read_shortint).
func (r *Reader) Uint16() uint16 { return binary.LittleEndian.Uint16(r.peekFixed(2)) }

// LongInt reads what [AppendLongInt] writes (io.c:read_longint).
func (r *Reader) LongInt() int64 {
	if v := r.Int32(); v != -1 {
		return int64(v)
	}
	return int64(binary.LittleEndian.Uint64(r.peekFixed(8)))
}

// VarInt reads what [AppendVarInt] writes (io.c:read_varint).
func (r *Reader) VarInt() int32 {
	return int32(uint32(r.variable(1, 4, "varint")))
}

// VarLong reads what [AppendVarLong] writes (io.c:read_varlong).
func (r *Reader) VarLong(minBytes int) int64 {
	return int64(r.variable(minBytes, 8, "varlong"))
}

// variable reads a first byte, the minBytes-1 bytes that always follow, and
// as many more as the first byte's leading ones say.
func (r *Reader) variable(minBytes, maxBytes int, what string) uint64 {
	var head [4]byte
	copy(head[:], r.peekFixed(minBytes))
	first := head[0]
	extra := bits.LeadingZeros8(^first)
	if minBytes-1+extra > maxBytes {
		r.Fail(fmt.Errorf("%s of %d bytes: %w", what, minBytes+extra, ErrTooLong))
		return 0
	}
	var le [9]byte
	n := copy(le[:], head[1:minBytes])
	if extra > 0 {
		n += copy(le[n:], r.peekFixed(extra))
		first &= 1<<(8-extra) - 1
	}
	if n < 8 {
		le[n] = first
	}
	return binary.LittleEndian.Uint64(le[:8])
}

// Bytes reads n bytes into a new slice; more than limit, or a negative n, is
// an error, told with what.
func (r *Reader) Bytes(n int64, limit int, what string) []byte {
	if !r.Limit(n, int64(limit), what) {
		return nil
	}
	p := make([]byte, n)
	if !r.Full(p) {
		return nil
	}
	return p
}

// Limit reports whether 0 <= n <= limit, and makes it the reader's error if
// not.
func (r *Reader) Limit(n, limit int64, what string) bool {
	if r.err != nil {
		return false
	}
	if n < 0 || n > limit {
		r.Fail(fmt.Errorf("%s: %d is not within 0 to %d", what, n, limit))
		return false
	}
	return true
}

// VString reads what [AppendVString] writes, up to limit bytes
// (io.c:read_vstring).
func (r *Reader) VString(limit int, what string) string {
	n := int64(r.Byte())
	if n&0x80 != 0 {
		n = (n&0x7f)<<8 | int64(r.Byte())
	}
	return string(r.Bytes(n, limit, what))
}

// Line reads up to and without a delimiter, at most limit bytes.
func (r *Reader) Line(delim byte, limit int, what string) string {
	var line []byte
	for {
		c := r.Byte()
		if r.err != nil {
			return ""
		}
		if c == delim {
			return string(line)
		}
		if len(line) >= limit {
			r.Fail(fmt.Errorf("%s: line of more than %d bytes: %w", what, limit, ErrTooLong))
			return ""
		}
		line = append(line, c)
	}
}
