package wire

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

// AppendInt32 appends v as 4 bytes, little-endian (io.c:write_int).
func AppendInt32(b []byte, v int32) []byte {
	return binary.LittleEndian.AppendUint32(b, uint32(v))
}

// AppendUint16 appends v as 2 bytes, little-endian (io.c:write_shortint).
func AppendUint16(b []byte, v uint16) []byte {
	return binary.LittleEndian.AppendUint16(b, v)
}

// AppendLongInt appends v as an int32, or, where it does not fit or is
// negative, as -1 and 8 bytes (io.c:write_longint; before version 30).
func AppendLongInt(b []byte, v int64) []byte {
	if v >= 0 && v <= 0x7fffffff {
		return AppendInt32(b, int32(v))
	}
	b = AppendInt32(b, -1)
	return binary.LittleEndian.AppendUint64(b, uint64(v))
}

// AppendVarInt appends v in 1 to 5 bytes: the first one's leading ones count
// the bytes that follow, the rest is little-endian (io.c:write_varint).
func AppendVarInt(b []byte, v int32) []byte {
	return appendVar(b, uint64(uint32(v)), 1, 4)
}

// AppendVarLong appends v in minBytes to 9 bytes (io.c:write_varlong).
// minBytes is 3 for sizes and 4 for times.
func AppendVarLong(b []byte, v int64, minBytes int) []byte {
	return appendVar(b, uint64(v), minBytes, 8)
}

// appendVar writes the low bytes of v, at most maxBytes, after a first byte
// that holds the count of bytes beyond minBytes and, if there is room, the
// number's highest byte.
func appendVar(b []byte, v uint64, minBytes, maxBytes int) []byte {
	var le [9]byte
	binary.LittleEndian.PutUint64(le[1:], v)
	n := max(minBytes, (bits.Len64(v)+7)/8)
	n = min(n, maxBytes)
	mark := byte(1) << (7 - uint(n-minBytes)) // the bit that ends the count
	switch top := le[n]; {
	case top >= mark:
		le[0] = ^(mark - 1)
		return append(b, le[:n+1]...)
	case n > minBytes:
		le[0] = top | ^(mark*2 - 1)
	default:
		le[0] = top
	}
	return append(b, le[:n]...)
}

// MaxVString is the length of the longest string that [AppendVString] can
// write, in bytes.
const MaxVString = 0x7fff

// AppendVString appends s after its length, which takes one byte below 128
// and two above (io.c:write_vstring). s is cut at [MaxVString] bytes.
func AppendVString(b []byte, s string) []byte {
	s = s[:min(len(s), MaxVString)]
	if len(s) > 0x7f {
		b = append(b, byte(len(s)>>8)|0x80)
	}
	b = append(b, byte(len(s)))
	return append(b, s...)
}

// IndexCoder encodes and decodes file indexes as differences to the one
// before, with positive and negative ones apart (io.c:write_ndx, read_ndx).
// Its zero value is not ready; use [NewIndexCoder]. Each direction of a
// connection needs its own.
type IndexCoder struct {
	delta    bool
	positive int32
	negative int32
}

// NewIndexCoder returns a coder; delta is proto.Caps.DeltaIndex, and without
// it indexes are plain int32s.
func NewIndexCoder(delta bool) IndexCoder {
	return IndexCoder{delta: delta, positive: -1, negative: 1}
}

// Append appends the index; -1 is "done". The smallest int32 is not an index.
func (c *IndexCoder) Append(b []byte, index int32) []byte {
	if !c.delta {
		return AppendInt32(b, index)
	}
	var diff int32
	switch {
	case index >= 0:
		diff = index - c.positive
		c.positive = index
	case index == -1:
		return append(b, 0)
	default:
		b = append(b, 0xff)
		diff = -index - c.negative
		c.negative = -index
	}
	switch {
	case diff > 0 && diff < 0xfe:
		return append(b, byte(diff))
	case diff < 0 || diff > 0x7fff:
		v := -index
		if index >= 0 {
			v = index
		}
		return append(b, 0xfe, byte(v>>24)|0x80, byte(v), byte(v>>8), byte(v>>16))
	default:
		return append(b, 0xfe, byte(diff>>8), byte(diff))
	}
}

// Read reads an index. After an error it returns -1, which must not be taken
// for "done": ask [Reader.Err] first. A difference that leads out of the range
// of an int32 is an error.
func (c *IndexCoder) Read(r *Reader) int32 {
	if !c.delta {
		return r.Int32()
	}
	first := r.Byte()
	prev := &c.positive
	negative := false
	switch first {
	case 0: // also after an error
		return -1
	case 0xff:
		negative = true
		prev = &c.negative
		first = r.Byte()
	}
	v := *prev
	if first != 0xfe {
		v += int32(first)
	} else if hi := r.Byte(); hi&0x80 == 0 {
		v += int32(hi)<<8 | int32(r.Byte())
	} else {
		p := r.peekFixed(3)
		v = int32(hi&0x7f)<<24 | int32(p[2])<<16 | int32(p[1])<<8 | int32(p[0])
	}
	if v < 0 {
		r.Fail(errors.New("file index beyond 2147483647"))
	}
	if r.err != nil {
		return -1
	}
	*prev = v
	if negative {
		return -v
	}
	return v
}
