package delta

import (
	"bytes"
	"io"
	"runtime"
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/checksum"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// taken is how much memory f asks for, in bytes.
func taken(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// One search after another takes no new buffers: most files are small.
func TestBuffersStay(t *testing.T) {
	basis := bytes.Repeat([]byte("a small file "), 300)
	sums := checksum.NewBlocks(checksum.MD5, 7, true)
	whole := checksum.MD5.NewFile(7)
	var all Buffers
	once := func() {
		h, _ := NewHead(int64(len(basis)), 700, false, limits)
		sig := &Signature{Head: h, strong: make([]byte, h.Count*h.SumLen), weak: make([]uint32, h.Count)}
		st, err := all.Search(bytes.NewReader(basis), sig, sums, whole, PlainWriter{io.Discard})
		if err != nil || st.Literal != int64(len(basis)) {
			t.Fatalf("%+v, %v", st, err)
		}
	}
	once()
	if n := taken(func() {
		for range 100 {
			once()
		}
	}) / 100; n > 4096 {
		t.Errorf("each further file takes %d bytes", n)
	}
}

// What a peer or -B says of a block's length takes no memory that the file is
// not large enough for (below version 30 it may be half a gigabyte).
func TestLargeBlocksOfSmallFiles(t *testing.T) {
	lim := limits
	lim.MaxSize = proto.MaxBlockOld
	file := bytes.Repeat([]byte("0123456789"), 20_000)
	sums := checksum.NewBlocks(checksum.MD5, 7, true)
	var up, down bytes.Buffer
	n := taken(func() {
		h, ok := NewHead(int64(len(file)), lim.MaxSize, false, lim)
		if !ok || h.Count != 1 || h.Len(0) != int32(len(file)) {
			t.Fatalf("%+v", h)
		}
		if _, err := WriteSums(&up, bytes.NewReader(file), h, sums, nil); err != nil {
			t.Fatal(err)
		}
		sig, err := ReadSignature(wire.NewReader(&up, 0), h)
		if err != nil {
			t.Fatal(err)
		}
		st, err := Search(bytes.NewReader(file), sig, sums, checksum.MD5.NewFile(7), PlainWriter{&down})
		if err != nil || st.Matched != int64(len(file)) {
			t.Errorf("%+v, %v", st, err)
		}
	})
	if n > 4<<20 {
		t.Errorf("it takes %d bytes", n)
	}
}

// A block of more than the buffer's first length is found, too.
func TestWindowGrows(t *testing.T) {
	lim := limits
	lim.MaxSize = proto.MaxBlockOld
	basis := make([]byte, 5<<20)
	for i := range basis {
		basis[i] = byte(i * i >> 7)
	}
	file := append(bytes.Clone(basis[:3]), basis...)
	sums := checksum.NewBlocks(checksum.MD5, 7, true)
	h, _ := NewHead(int64(len(basis)), 2<<20, false, lim)
	var up bytes.Buffer
	if _, err := WriteSums(&up, bytes.NewReader(basis), h, sums, nil); err != nil {
		t.Fatal(err)
	}
	sig, err := ReadSignature(wire.NewReader(&up, 0), h)
	if err != nil {
		t.Fatal(err)
	}
	st, err := Search(bytes.NewReader(file), sig, sums, checksum.MD5.NewFile(7), PlainWriter{io.Discard})
	if err != nil || st.Matched != int64(len(basis)) || st.Literal != 3 {
		t.Errorf("%+v, %v", st, err)
	}
}
