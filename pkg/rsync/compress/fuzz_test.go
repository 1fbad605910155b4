package compress_test

import (
	"bytes"
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/compress"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// FuzzReader reads whatever a peer may send, several files in a row.
func FuzzReader(f *testing.F) {
	all := []compress.Algorithm{compress.Zlib, compress.Zlibx, compress.LZ4, compress.Zstd}
	basis := text(4000, 5)
	small := file{basis: basis, length: 700, tokens: []token{
		{lit: basis[100:300]}, {block: 1}, {block: 2}, {lit: basis[:50]}, {lit: random(100, 1)}, {block: 0},
	}}
	for i, a := range all {
		var buf bytes.Buffer
		w, err := compress.Config{Algorithm: a, Level: compress.LevelUnset}.NewWriter(&buf)
		if err != nil {
			f.Fatal(err)
		}
		small.write(f, w)
		small.write(f, w)
		f.Add(byte(i), int32(6), buf.Bytes())
	}
	f.Fuzz(func(t *testing.T, which byte, count int32, in []byte) {
		c := compress.Config{Algorithm: all[int(which)%len(all)], RepeatLongBlocks: which&16 != 0, MaxWindow: 1 << 20}
		rd, err := c.NewReader()
		if err != nil {
			t.Fatal(err)
		}
		defer rd.Close()
		r := wire.NewReader(bytes.NewReader(in), 512)
		zeros := make([]byte, 700)
		for range 1000 {
			lit, block, done, err := rd.Next(r, count)
			switch {
			case err != nil:
				return
			case len(lit) > 128*1024:
				t.Fatalf("%d bytes come at once", len(lit))
			case lit == nil && !done:
				if block < 0 || block >= count {
					t.Fatalf("block %d of %d", block, count)
				}
				rd.See(zeros)
			}
		}
	})
}

// FuzzRoundTrip cuts data into literals and blocks as the fuzzer says.
func FuzzRoundTrip(f *testing.F) {
	f.Add(byte(0), []byte{3, 200, 7, 1, 130, 255, 0, 90}, text(3000, 1))
	f.Add(byte(3), []byte{1, 1, 255, 255, 128}, random(3000, 1))
	f.Fuzz(func(t *testing.T, which byte, cuts, data []byte) {
		all := configs()
		c := all[int(which)%len(all)]
		x := file{basis: data, length: 16, store: which&128 != 0}
		for i, n := range cuts {
			switch at := i * 13 % (len(data) + 1); {
			case n < 128 && int(n) < len(data)-at:
				x.tokens = append(x.tokens, token{lit: data[at : at+int(n)+1]})
			case x.count() > 0:
				x.tokens = append(x.tokens, token{block: int32(n) % x.count()})
			}
		}
		var buf bytes.Buffer
		w, err := c.NewWriter(&buf)
		if err != nil {
			t.Fatal(err)
		}
		rd, err := c.NewReader()
		if err != nil {
			t.Fatal(err)
		}
		defer rd.Close()
		x.write(t, w)
		got, _, err := x.read(wire.NewReader(&buf, 512), rd)
		if err != nil || !bytes.Equal(got, x.whole()) {
			t.Fatalf("%v: %d bytes of %d, %v", c, len(got), len(x.whole()), err)
		}
	})
}
