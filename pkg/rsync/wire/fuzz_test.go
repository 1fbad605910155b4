package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/bits"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// script reads what ops ask for and writes down what came.
func script(src io.Reader, ops []byte, mux bool) string {
	var log strings.Builder
	r := NewReader(src, 0)
	if mux {
		r.StartMux(func(tag proto.Tag, p []byte) error {
			fmt.Fprintf(&log, "[%d %x]", tag, p)
			return nil
		})
	}
	index := NewIndexCoder(true)
	for _, op := range ops {
		fmt.Fprintf(&log, " %d:", op%12)
		switch n := int(op) / 12; op % 12 {
		case 0:
			fmt.Fprint(&log, r.Byte())
		case 1:
			fmt.Fprint(&log, r.Int32())
		case 2:
			fmt.Fprint(&log, r.Uint16())
		case 3:
			fmt.Fprint(&log, r.LongInt())
		case 4:
			fmt.Fprint(&log, r.VarInt())
		case 5:
			fmt.Fprint(&log, r.VarLong(3))
		case 6:
			fmt.Fprint(&log, r.VarLong(4))
		case 7:
			fmt.Fprintf(&log, "%x", r.VString(n*100, "string"))
		case 8:
			fmt.Fprintf(&log, "%x", r.Line('\n', n*10, "line"))
		case 9:
			fmt.Fprint(&log, index.Read(r))
		case 10:
			p := make([]byte, n*30)
			if r.Full(p) {
				fmt.Fprintf(&log, "%x", p)
			}
		case 11:
			fmt.Fprintf(&log, "%x", r.Bytes(r.LongInt(), n*50, "bytes"))
		}
	}
	fmt.Fprintf(&log, " %v", r.Err())
	return log.String()
}

// Whatever comes, and however it is cut on its way, the reader says the same.
func FuzzReader(f *testing.F) {
	plain := appendValues(nil)
	var framed bytes.Buffer
	w := NewWriter(&framed, 0)
	w.StartMux()
	_, _ = w.Write(plain[:30])
	w.Message(proto.TagInfo, []byte("hello"))
	_, _ = w.Write(plain[30:])
	_ = w.Flush()
	all := []byte{1, 2, 3, 4, 5, 24*7 + 7, 8 + 60, 10, 0, 9, 11 + 36, 6}
	f.Add(plain, all, false)
	f.Add(framed.Bytes(), all, true)
	f.Add([]byte("\xff\xfe\xff\xff\xff\xff\xff\xff"), []byte{9, 9, 9}, false)
	f.Fuzz(func(t *testing.T, stream, ops []byte, mux bool) {
		stream, ops = stream[:min(len(stream), 4096)], ops[:min(len(ops), 64)]
		want := script(bytes.NewReader(stream), ops, mux)
		for name, src := range map[string]io.Reader{
			"byte by byte": iotest.OneByteReader(bytes.NewReader(stream)),
			"with its end": iotest.DataErrReader(bytes.NewReader(stream)),
		} {
			if got := script(src, ops, mux); got != want {
				t.Errorf("%s:\n%s\nat once:\n%s", name, got, want)
			}
		}
	})
}

// refVar writes a number of variable length from its description rather than
// from its code: the fewest bytes, at least least of them, in which the value
// fits beside the count of extra bytes that stands in the first one as ones.
func refVar(v uint64, least, most int) []byte {
	for n := least; ; n++ {
		extra := n - least
		free := 8*(n-1) + 7 - extra // bits for the value
		if n <= most && bits.Len64(v) > free {
			continue
		}
		le := binary.LittleEndian.AppendUint64(nil, v)
		le = append(le, 0)[:n]
		first := byte(uint(0xff00)>>extra) | le[n-1]
		return append([]byte{first}, le[:n-1]...)
	}
}

// FuzzIntegers compares each form with the reference and reads it back.
func FuzzIntegers(f *testing.F) {
	for _, v := range edges() {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v int64) {
		for _, c := range []struct {
			name      string
			got, want []byte
			back      func(r *Reader) int64
			value     int64
		}{
			{"varint", AppendVarInt(nil, int32(v)), refVar(uint64(uint32(v)), 1, 4), func(r *Reader) int64 { return int64(r.VarInt()) }, int64(int32(v))},
			{"varlong3", AppendVarLong(nil, v, 3), refVar(uint64(v), 3, 8), func(r *Reader) int64 { return r.VarLong(3) }, v},
			{"varlong4", AppendVarLong(nil, v, 4), refVar(uint64(v), 4, 8), func(r *Reader) int64 { return r.VarLong(4) }, v},
			{"longint", AppendLongInt(nil, v), nil, func(r *Reader) int64 { return r.LongInt() }, v},
		} {
			if c.want != nil && !bytes.Equal(c.got, c.want) {
				t.Errorf("%s of %d: %x, want %x", c.name, v, c.got, c.want)
			}
			r := from(c.got)
			if got := c.back(r); got != c.value || r.Err() != nil || r.Buffered() != 0 {
				t.Errorf("%s of %d (%x): read back as %d, %v, %d left", c.name, v, c.got, got, r.Err(), r.Buffered())
			}
		}
	})
}

// FuzzIndexCoder takes the input as indexes to encode and decode, and as the
// bytes of a peer.
func FuzzIndexCoder(f *testing.F) {
	coder := NewIndexCoder(true)
	var b []byte
	for _, i := range []int32{0, 1, 2, 300, -1, -2, 70_000, -101, 5, math.MaxInt32, -1} {
		b = coder.Append(b, i)
	}
	f.Add(b)
	f.Add([]byte("\xff\xfe\xff\xff\xff\xff\xff\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		out, in := NewIndexCoder(true), NewIndexCoder(true)
		for i := 0; i+4 <= len(data); i += 4 {
			index := int32(binary.LittleEndian.Uint32(data[i:]))
			if index == math.MinInt32 {
				continue
			}
			b := out.Append(nil, index)
			r := from(b)
			if got := in.Read(r); got != index || r.Err() != nil || r.Buffered() != 0 {
				t.Fatalf("%d as %x: read back as %d, %v", index, b, got, r.Err())
			}
			if len(b) > 6 {
				t.Fatalf("%d takes %d bytes", index, len(b))
			}
		}
		r, c := from(data), NewIndexCoder(true)
		for r.Err() == nil {
			if got := c.Read(r); got == math.MinInt32 || r.Err() != nil && got != -1 {
				t.Fatalf("index %d, %v", got, r.Err())
			}
		}
	})
}
