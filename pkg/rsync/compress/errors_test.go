package compress_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/compress"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

func TestReadErrors(t *testing.T) {
	const stored = "\x40\x08\x00\x02\x00\xfd\xffab\x00" // deflated "ab" without its flush
	tests := []struct {
		name, in string
		a        compress.Algorithm
		want     string
	}{
		{"empty", "", compress.Zlib, "unexpected EOF"},
		{"cut packet", "\x40\x08\x00\x02", compress.Zlib, "unexpected EOF"},
		{"cut lz4 packet", "\x40\x08\x00\x02", compress.LZ4, "unexpected EOF"},
		{"cut zstd packet", "\x40\x08\x28\xb5", compress.Zstd, "unexpected EOF"},
		{"cut block", "\x20\x01\x00", compress.Zlib, "unexpected EOF"},
		{"flag 01", "\x01", compress.Zlib, "flag 0x01"},
		{"flag 3f", "\x3f", compress.LZ4, "flag 0x3f"},
		{"block beyond", "\x8a", compress.Zstd, "block 10 of 10"},
		{"run beyond", "\xc1\x09\x00", compress.Zlib, "block 10 of 10"},
		{"negative", "\x20\xff\xff\xff\xff", compress.Zlib, "block -1 of 10"},
		{"largest", "\x21\xff\xff\xff\x7f\xff\xff", compress.Zlib, "of 10"},
		{"run of none", "\xc1\x00\x00", compress.Zlib, "run of no blocks"},
		{"not flushed", "\x40\x07\x00\x02\x00\xfd\xffab\x00", compress.Zlib, "inflate"},
		{"in a block", "\x40\x06\x00\x03\x00\xfc\xffa\x00", compress.Zlib, "inflate"},
		{"last block", "\x40\x07\x01\x02\x00\xfd\xffab\x00", compress.Zlib, "lost sync"},
		{"past the last block", "\x40\x09\x01\x02\x00\xfd\xffab\x01\x02\x00", compress.Zlib, "lost sync"},
		{"garbage", "\x40\x04\xff\xff\xff\xff\x00", compress.Zlibx, "inflate"},
		{"lz4 garbage", "\x40\x04\xff\xff\xff\xff\x00", compress.LZ4, "corrupt lz4"},
		{"zstd garbage", "\x40\x04\xff\xff\xff\xff\x00", compress.Zstd, "zstd"},
		{"zstd window", "\x40\x08\x28\xb5\x2f\xfd\x00\xf0\x00\x00\x00", compress.Zstd, "--compress-level"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rd, err := compress.Config{Algorithm: tt.a, MaxWindow: 1 << 20}.NewReader()
			if err != nil {
				t.Fatal(err)
			}
			defer rd.Close()
			f := file{basis: make([]byte, 10), length: 1}
			_, _, err = f.read(wire.NewReader(strings.NewReader(tt.in), 512), rd)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error %v, want one with %q", err, tt.want)
			}
			_, _, _, again := rd.Next(wire.NewReader(strings.NewReader("\x00"), 512), 10)
			if !errors.Is(again, err) {
				t.Errorf("the error does not stay: %v", again)
			}
		})
	}
	rd, err := compress.Config{Algorithm: compress.Zlib}.NewReader()
	if err != nil {
		t.Fatal(err)
	}
	f := file{basis: make([]byte, 10), length: 1}
	if whole, _, err := f.read(wire.NewReader(strings.NewReader(stored+"\x00"), 512), rd); string(whole) != "ab" || err != nil {
		t.Errorf("the sound form of these: %q, %v", whole, err)
	}
}

// TestUnseen: a receiver without the basis can still read to the end.
func TestUnseen(t *testing.T) {
	for _, a := range []compress.Algorithm{compress.Zlib, compress.Zlibx, compress.LZ4, compress.Zstd} {
		c := compress.Config{Algorithm: a, Level: compress.LevelUnset}
		for _, f := range files() {
			var buf bytes.Buffer
			w, err := c.NewWriter(&buf)
			if err != nil {
				t.Fatal(err)
			}
			f.write(t, w)
			rd, err := c.NewReader()
			if err != nil {
				t.Fatal(err)
			}
			g := f
			g.basis = make([]byte, len(f.basis))
			whole, _, err := g.read(wire.NewReader(&buf, 512), rd)
			if err != nil || len(whole) != len(f.whole()) {
				t.Fatalf("%v: %d of %d bytes, %v", c.Algorithm, len(whole), len(f.whole()), err)
			}
			rd.Close()
		}
	}
}

type failing struct{ left int }

var errFull = errors.New("full")

func (f *failing) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestWriteError(t *testing.T) {
	for _, c := range configs() {
		w, err := c.NewWriter(&failing{left: 40_000})
		if err != nil {
			t.Fatal(err)
		}
		for i := range uint64(10) {
			_ = w.Literal(random(30_000, i))
			_ = w.Match(0, []byte("x"))
		}
		if err := w.End(); !errors.Is(err, errFull) {
			t.Errorf("%v: End returns %v", c.Algorithm, err)
		}
		if err := w.Literal([]byte("x")); !errors.Is(err, errFull) {
			t.Errorf("%v: the error does not stay: %v", c.Algorithm, err)
		}
	}
	w, _ := compress.Config{Algorithm: compress.LZ4}.NewWriter(io.Discard)
	if err := w.Match(-1, nil); err == nil {
		t.Error("a negative block number is taken")
	}
}

func TestClose(t *testing.T) {
	for _, c := range configs() {
		var buf bytes.Buffer
		w, _ := c.NewWriter(&buf)
		_ = w.Literal(text(500_000, 3))
		_ = w.End()
		rd, _ := c.NewReader()
		r := wire.NewReader(&buf, 512)
		if _, _, _, err := rd.Next(r, 0); err != nil {
			t.Fatal(err)
		}
		rd.Close()
		rd.Close()
		if _, _, _, err := rd.Next(r, 0); err == nil {
			t.Errorf("%v: a closed reader reads", c.Algorithm)
		}
	}
	for _, c := range []compress.Config{{}, {Algorithm: 99}} {
		if _, err := c.NewReader(); err == nil {
			t.Errorf("%v has a reader", c.Algorithm)
		}
	}
	for _, c := range []compress.Config{{}, {Algorithm: compress.Zlib}, {Algorithm: 99}} {
		if _, err := c.NewWriter(io.Discard); err == nil {
			t.Errorf("%v at level %d has a writer", c.Algorithm, c.Level)
		}
	}
}
