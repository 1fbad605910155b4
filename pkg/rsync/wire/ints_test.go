package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/proto"

	"github.com/google/go-cmp/cmp"
)

// from makes a reader over bytes.
func from(p []byte) *Reader { return NewReader(bytes.NewReader(p), 0) }

// Bytes worked out by hand from C rsync's functions (io.c: write_int,
// write_longint, write_varint, write_varlong, write_vstring).
func TestKnownBytes(t *testing.T) {
	for _, tt := range []struct {
		name string
		got  []byte
		want string
	}{
		{"int 1", AppendInt32(nil, 1), "01 00 00 00"},
		{"int -1", AppendInt32(nil, -1), "ff ff ff ff"},
		{"short 0x1234", AppendUint16(nil, 0x1234), "34 12"},
		{"longint 0", AppendLongInt(nil, 0), "00 00 00 00"},
		{"longint 2^31-1", AppendLongInt(nil, math.MaxInt32), "ff ff ff 7f"},
		{"longint 2^31", AppendLongInt(nil, 1<<31), "ff ff ff ff 00 00 00 80 00 00 00 00"},
		{"longint 2^63-1", AppendLongInt(nil, math.MaxInt64), "ff ff ff ff ff ff ff ff ff ff ff 7f"},
		{"longint -1", AppendLongInt(nil, -1), "ff ff ff ff ff ff ff ff ff ff ff ff"},
		{"varint 0", AppendVarInt(nil, 0), "00"},
		{"varint 0x7f", AppendVarInt(nil, 0x7f), "7f"},
		{"varint 0x80", AppendVarInt(nil, 0x80), "80 80"},
		{"varint 0x3fff", AppendVarInt(nil, 0x3fff), "bf ff"},
		{"varint 0x4000", AppendVarInt(nil, 0x4000), "c0 00 40"},
		{"varint 0x1fffff", AppendVarInt(nil, 0x1fffff), "df ff ff"},
		{"varint 0x0fffffff", AppendVarInt(nil, 0x0fffffff), "ef ff ff ff"},
		{"varint 0x10000000", AppendVarInt(nil, 0x10000000), "f0 00 00 00 10"},
		{"varint 2^31-1", AppendVarInt(nil, math.MaxInt32), "f0 ff ff ff 7f"},
		{"varint -1", AppendVarInt(nil, -1), "f0 ff ff ff ff"},
		{"varlong3 0", AppendVarLong(nil, 0, 3), "00 00 00"},
		{"varlong3 1", AppendVarLong(nil, 1, 3), "00 01 00"},
		{"varlong3 0x7fffff", AppendVarLong(nil, 0x7fffff, 3), "7f ff ff"},
		{"varlong3 0x800000", AppendVarLong(nil, 0x800000, 3), "80 00 00 80"},
		{"varlong3 2^32", AppendVarLong(nil, 1<<32, 3), "c1 00 00 00 00"},
		{"varlong3 2^63-1", AppendVarLong(nil, math.MaxInt64, 3), "fc ff ff ff ff ff ff ff 7f"},
		{"varlong4 10^9", AppendVarLong(nil, 1_000_000_000, 4), "3b 00 ca 9a"},
		{"varlong4 2^31", AppendVarLong(nil, 1<<31, 4), "80 00 00 00 80"},
		{"varlong4 2^32", AppendVarLong(nil, 1<<32, 4), "81 00 00 00 00"},
		{"varlong4 -1", AppendVarLong(nil, -1, 4), "f8 ff ff ff ff ff ff ff ff"},
		{"vstring empty", AppendVString(nil, ""), "00"},
		{"vstring 127", AppendVString(nil, strings.Repeat("a", 127))[:2], "7f 61"},
		{"vstring 128", AppendVString(nil, strings.Repeat("a", 128))[:3], "80 80 61"},
		{"vstring 0x1234", AppendVString(nil, strings.Repeat("a", 0x1234))[:3], "92 34 61"},
		{"vstring longest", AppendVString(nil, strings.Repeat("a", 40_000))[:3], "ff ff 61"},
	} {
		if got := fmt.Sprintf("% x", tt.got); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// edges are the numbers around every change of length.
func edges() []int64 {
	out := []int64{0, 1, math.MaxInt64, math.MinInt64, -1, math.MinInt32, -62_135_596_800}
	for bit := range 63 {
		v := int64(1) << bit
		out = append(out, v-1, v, v+1, -v)
	}
	return out
}

func TestIntegerRoundTrips(t *testing.T) {
	for _, v := range edges() {
		var b []byte
		b = AppendInt32(b, int32(v))
		b = AppendUint16(b, uint16(v))
		b = AppendLongInt(b, v)
		b = AppendVarInt(b, int32(v))
		b = AppendVarLong(b, v, 3)
		b = AppendVarLong(b, v, 4)
		want := []int64{int64(int32(v)), int64(uint16(v)), v, int64(int32(v)), v, v}
		r := from(b)
		got := []int64{int64(r.Int32()), int64(r.Uint16()), r.LongInt(), int64(r.VarInt()), r.VarLong(3), r.VarLong(4)}
		if d := cmp.Diff(want, got); d != "" || r.Err() != nil || r.Buffered() != 0 {
			t.Errorf("%d: %v, %d left\n%s", v, r.Err(), r.Buffered(), d)
		}
	}
}

// A value that is cut off anywhere is an error, and never io.EOF.
func TestTruncatedValues(t *testing.T) {
	index := NewIndexCoder(true)
	forms := map[string]struct {
		bytes []byte
		read  func(r *Reader)
	}{
		"int":     {AppendInt32(nil, 5), func(r *Reader) { r.Int32() }},
		"short":   {AppendUint16(nil, 5), func(r *Reader) { r.Uint16() }},
		"longint": {AppendLongInt(nil, 1<<40), func(r *Reader) { r.LongInt() }},
		"varint":  {AppendVarInt(nil, 1<<30), func(r *Reader) { r.VarInt() }},
		"varlong": {AppendVarLong(nil, 1<<60, 3), func(r *Reader) { r.VarLong(3) }},
		"vstring": {AppendVString(nil, strings.Repeat("a", 200)), func(r *Reader) { r.VString(300, "x") }},
		"line":    {[]byte("a line\n"), func(r *Reader) { r.Line('\n', 10, "x") }},
		"index":   {index.Append(nil, 1<<20), func(r *Reader) { c := NewIndexCoder(true); c.Read(r) }},
	}
	for name, f := range forms {
		for cut := range f.bytes {
			r := from(f.bytes[:cut])
			f.read(r)
			if !errors.Is(r.Err(), io.ErrUnexpectedEOF) || !proto.IsGone(r.Err()) {
				t.Errorf("%s cut at %d: %v", name, cut, r.Err())
			}
			if f.read(r); r.Int32() != 0 || !errors.Is(r.Err(), io.ErrUnexpectedEOF) {
				t.Errorf("%s cut at %d: the error does not stick: %v", name, cut, r.Err())
			}
		}
		r := from(f.bytes)
		if f.read(r); r.Err() != nil || r.Buffered() != 0 {
			t.Errorf("%s: %v, %d left", name, r.Err(), r.Buffered())
		}
	}
}

// More extension bytes than any number has.
func TestOversizeIntegers(t *testing.T) {
	long := bytes.Repeat([]byte{0xff}, 16)
	for name, read := range map[string]func(r *Reader){
		"varint":   func(r *Reader) { r.VarInt() },
		"varlong3": func(r *Reader) { r.VarLong(3) },
		"varlong4": func(r *Reader) { r.VarLong(4) },
	} {
		r := from(long)
		if read(r); !errors.Is(r.Err(), ErrTooLong) {
			t.Errorf("%s: %v", name, r.Err())
		}
	}
	r := from([]byte{0xf8, 0, 0, 0, 0, 0})
	if r.VarInt(); !errors.Is(r.Err(), ErrTooLong) {
		t.Errorf("varint of 6 bytes: %v", r.Err())
	}
}

func TestLimits(t *testing.T) {
	for _, tt := range []struct {
		name string
		read func(r *Reader)
		want string
	}{
		{"negative", func(r *Reader) { r.Bytes(-1, 10, "thing") }, "thing: -1 is not within 0 to 10"},
		{"too many", func(r *Reader) { r.Bytes(1<<40, 10, "thing") }, "thing: 1099511627776 is not within 0 to 10"},
		{"vstring", func(r *Reader) { r.VString(3, "name") }, "name: 65 is not within 0 to 3"},
		{"line", func(r *Reader) { r.Line('\n', 3, "name") }, "name: line of more than 3 bytes: longer than allowed"},
	} {
		r := from([]byte("ABCDEFGH\n"))
		tt.read(r)
		if r.Err() == nil || r.Err().Error() != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, r.Err(), tt.want)
		}
	}
	r := from([]byte("ABC\n\n"))
	if a, b := r.Line('\n', 3, "x"), r.Line('\n', 0, "x"); a != "ABC" || b != "" || r.Err() != nil {
		t.Errorf("lines just within their limits: %q %q %v", a, b, r.Err())
	}
}

// io.c:write_ndx, step by step.
func TestIndexBytes(t *testing.T) {
	c := NewIndexCoder(true)
	for _, tt := range []struct {
		index int32
		want  string
	}{
		{0, "01"}, {1, "01"}, {254, "fd"}, {508, "fe 00 fe"}, {508, "fe 00 00"}, {33275, "fe 7f ff"},
		{66043, "fe 80 fb 01 01"}, {0, "fe 80 00 00 00"}, {-1, "00"}, {1, "01"}, {-2, "ff 01"}, {-3, "ff 01"},
		{-101, "ff 62"}, {-2, "ff fe 80 02 00 00"}, {2, "01"}, {math.MaxInt32, "fe ff ff ff ff"},
	} {
		if got := fmt.Sprintf("% x", c.Append(nil, tt.index)); got != tt.want {
			t.Errorf("%d: %s, want %s", tt.index, got, tt.want)
		}
	}
	plain := NewIndexCoder(false)
	if got := fmt.Sprintf("% x", plain.Append(nil, -101)); got != "9b ff ff ff" {
		t.Errorf("plain -101: %s", got)
	}
}

func TestIndexRoundTrips(t *testing.T) {
	var indexes []int32
	for _, v := range edges() {
		if i := int32(v); i != math.MinInt32 {
			indexes = append(indexes, i, i/2, -1)
		}
	}
	for _, delta := range []bool{false, true} {
		out, in := NewIndexCoder(delta), NewIndexCoder(delta)
		var b []byte
		for _, i := range indexes {
			b = out.Append(b, i)
		}
		r := from(b)
		for n, want := range indexes {
			if got := in.Read(r); got != want || r.Err() != nil {
				t.Fatalf("delta %v, index %d: %d, %v, want %d", delta, n, got, r.Err(), want)
			}
		}
	}
}

// Differences that lead past the largest index.
func TestIndexOverflow(t *testing.T) {
	for _, b := range []string{"\xfe\xff\xff\xff\xff\x01", "\xff\xfe\xff\xff\xff\xff\xff\x7f", "\xfe\xff\xff\xff\xff\xfe\x7f\xff"} {
		c, r := NewIndexCoder(true), from([]byte(b))
		c.Read(r)
		if got := c.Read(r); r.Err() == nil || got != -1 {
			t.Errorf("%x: %d, no error", b, got)
		}
	}
}
