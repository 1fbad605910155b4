package compress_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/empegsync/empegsync/pkg/rsync/compress"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// token is one part of a file: a block if data comes from the basis.
type token struct {
	lit   []byte
	block int32
}

// file is a row of tokens over blocks of one length.
type file struct {
	basis  []byte
	length int // bytes of a block
	tokens []token
	store  bool
}

func (f file) block(i int32) []byte {
	at := int(i) * f.length
	return f.basis[at:min(at+f.length, len(f.basis))]
}

func (f file) count() int32 {
	if f.length == 0 {
		return 0
	}
	return int32((len(f.basis) + f.length - 1) / f.length)
}

// whole is the file that the tokens stand for.
func (f file) whole() []byte {
	var b []byte
	for _, t := range f.tokens {
		if t.lit != nil {
			b = append(b, t.lit...)
		} else {
			b = append(b, f.block(t.block)...)
		}
	}
	return b
}

func random(n int, seed uint64) []byte {
	rng := rand.New(rand.NewPCG(seed, 1))
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(rng.Uint32())
	}
	return p
}

func text(n int, seed uint64) []byte {
	var b bytes.Buffer
	for i, r := range random(n/8+2, seed) {
		fmt.Fprintf(&b, "%d line %02x\n", i%100, r)
	}
	return b.Bytes()[:n]
}

// files is a session: every kind of token, lengths around every limit.
func files() []file {
	t, r := text(300_000, 1), random(100_000, 2)
	all := []file{
		{},
		{tokens: []token{{lit: []byte("x")}}},
		{tokens: []token{{lit: t}}},
		{tokens: []token{{lit: r[:32768]}, {lit: r[:32768]}, {lit: r[32768:40000]}}},
		{tokens: []token{{lit: r}}, store: true},
		{tokens: []token{{lit: t[:5]}}, store: true},
	}
	for _, n := range []int{14, 15, 16, 269, 270, 16382, 16383, 16384, 16383*2 + 1, 65535, 65536} {
		all = append(all, file{tokens: []token{{lit: r[:n]}}}, file{tokens: []token{{lit: r[:n]}}, store: true})
	}
	basis := append(bytes.Clone(t[:140_000]), r...)
	for _, length := range []int{64, 700, 32768, 65535, 65536, 131072} {
		f := file{basis: basis, length: length}
		n := f.count()
		for i := range n { // literals that resemble a block beside it
			f.tokens = append(f.tokens, token{block: i})
			if i%5 == 1 {
				f.tokens = append(f.tokens, token{lit: bytes.Clone(f.block(i / 2)[:min(600, len(f.block(i/2)))])})
			}
		}
		for i := n - 1; i >= 0; i -= 1 + n/20 { // backwards and far
			f.tokens = append(f.tokens, token{block: i}, token{lit: t[i : i+40]})
		}
		all = append(all, f)
		f.store = true
		all = append(all, f)
	}
	runs := file{basis: make([]byte, 70_000*3), length: 3}
	for i := range int32(70_000) { // longer than a run can be
		runs.tokens = append(runs.tokens, token{block: i})
	}
	return append(all, runs, file{tokens: []token{{lit: []byte("the end")}}})
}

func configs() []compress.Config {
	var all []compress.Config
	for _, l := range []int{1, 5, 6, 7, 9} {
		all = append(all, compress.Config{Algorithm: compress.Zlib, Level: l}, compress.Config{Algorithm: compress.Zlibx, Level: l})
	}
	return append(all,
		compress.Config{Algorithm: compress.Zlib, Level: compress.LevelUnset, RepeatLongBlocks: true},
		compress.Config{Algorithm: compress.LZ4},
		compress.Config{Algorithm: compress.Zstd, Level: compress.LevelUnset},
		compress.Config{Algorithm: compress.Zstd, Level: -5},
		compress.Config{Algorithm: compress.Zstd, Level: 8},
		compress.Config{Algorithm: compress.Zstd, Level: 22})
}

func (f file) write(t testing.TB, w *compress.Writer) {
	t.Helper()
	if f.store {
		w.Store()
	}
	for _, k := range f.tokens {
		var err error
		if k.lit != nil {
			err = w.Literal(k.lit)
		} else {
			err = w.Match(k.block, f.block(k.block))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.End(); err != nil {
		t.Fatal(err)
	}
}

// read reads a file and returns it, with the blocks in order of appearance.
func (f file) read(r *wire.Reader, t *compress.Reader) (whole []byte, blocks []int32, err error) {
	for {
		lit, block, done, err := t.Next(r, f.count())
		switch {
		case err != nil:
			return whole, blocks, err
		case done:
			return whole, blocks, nil
		case lit == nil:
			blocks = append(blocks, block)
			lit = f.block(block)
			t.See(lit)
		}
		whole = append(whole, lit...)
	}
}

func TestSession(t *testing.T) {
	all := files()
	for _, c := range configs() {
		t.Run(fmt.Sprintf("%v/%d", c.Algorithm, c.Level), func(t *testing.T) {
			var buf bytes.Buffer
			w, err := c.NewWriter(&buf)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range all {
				f.write(t, w)
			}
			sent := buf.Len()
			r := wire.NewReader(&buf, 4096)
			rd, err := c.NewReader()
			if err != nil {
				t.Fatal(err)
			}
			defer rd.Close()
			total := 0
			for i, f := range all {
				whole, blocks, err := f.read(r, rd)
				if err != nil {
					t.Fatalf("file %d: %v", i, err)
				}
				var want []int32
				for _, k := range f.tokens {
					if k.lit == nil {
						want = append(want, k.block)
					}
				}
				if !bytes.Equal(whole, f.whole()) {
					t.Fatalf("file %d: %d bytes come out, not the %d that went in", i, len(whole), len(f.whole()))
				}
				if d := cmp.Diff(want, blocks); d != "" {
					t.Fatalf("file %d: blocks: %s", i, d)
				}
				total += len(whole)
			}
			if n := buf.Len() + r.Buffered(); n != 0 {
				t.Errorf("%d of %d bytes are left", n, sent)
			}
			t.Logf("%d bytes in %d", total, sent)
		})
	}
}

// TestHistory shows that zlib refers to matched data, and zlibx does not.
func TestHistory(t *testing.T) {
	data := random(20_000, 9)
	f := file{basis: data, length: 20_000, tokens: []token{{block: 0}, {lit: data}}}
	size := func(a compress.Algorithm) int {
		var buf bytes.Buffer
		w, err := compress.Config{Algorithm: a, Level: 6}.NewWriter(&buf)
		if err != nil {
			t.Fatal(err)
		}
		f.write(t, w)
		return buf.Len()
	}
	if n := size(compress.Zlib); n > 500 {
		t.Errorf("zlib sends %d bytes for what the receiver has just seen", n)
	}
	if n := size(compress.Zlibx); n < 20_000 {
		t.Errorf("zlibx sends random data in %d bytes", n)
	}
}

// TestWire fixes the bytes of flags and runs, and of a stored file.
func TestWire(t *testing.T) {
	block := func(n ...int32) (f file) {
		for _, i := range n {
			f.tokens = append(f.tokens, token{block: i})
		}
		f.basis, f.length = make([]byte, 200_000), 1
		return f
	}
	run := func(from, n int32) (b []int32) {
		for i := range n {
			b = append(b, from+i)
		}
		return b
	}
	tests := []struct {
		name string
		file file
		want string
	}{
		{"nothing", file{}, "\x00"},
		{"block 0", block(0), "\x80\x00"},
		{"block 63", block(63), "\xbf\x00"},
		{"block 64", block(64), "\x20\x40\x00\x00\x00\x00"},
		{"run", block(2, 3, 4), "\xc2\x02\x00\x00"},
		{"long run", block(300, 301), "\x21\x2c\x01\x00\x00\x01\x00\x00"},
		{"after a run", block(2, 3, 4, 6), "\xc2\x02\x00\x82\x00"},
		{"back", block(5, 4), "\x85\x20\x04\x00\x00\x00\x00"},
		{"again", block(5, 5), "\x85\x80\x00"},
		{"longest run", block(run(0, 65536)...), "\xc0\xff\xff\x00"},
		{"longer run", block(run(0, 65537)...), "\xc0\xff\xff\x81\x00"},
		{"stored", file{store: true, tokens: []token{{lit: []byte("ab")}}}, "\x40\x08\x00\x02\x00\xfd\xffab\x00\x00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var buf bytes.Buffer
			w, err := compress.Config{Algorithm: compress.Zlibx, Level: 6}.NewWriter(&buf)
			if err != nil {
				t.Fatal(err)
			}
			tt.file.write(t, w)
			if got := buf.String(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
