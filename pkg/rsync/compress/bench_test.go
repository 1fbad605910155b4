package compress_test

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/compress"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// benchmarks is what a session carries: one large file, many small ones, and a
// large one of which a little has changed.
func benchmarks() map[string][]file {
	t := text(1<<20, 1)
	large := file{}
	for at := 0; at < len(t); at += 32 * 1024 {
		large.tokens = append(large.tokens, token{lit: t[at : at+32*1024]})
	}
	var small []file
	for i := range 1000 {
		small = append(small, file{tokens: []token{{lit: t[i : i+200]}}})
	}
	mixed := file{basis: t, length: 1024}
	for i := range mixed.count() {
		mixed.tokens = append(mixed.tokens, token{block: i})
		if i%4 == 0 {
			mixed.tokens = append(mixed.tokens, token{lit: t[i : i+300]})
		}
	}
	return map[string][]file{"large": {large}, "small": small, "mixed": {mixed}}
}

func bench(b *testing.B, run func(b *testing.B, c compress.Config, files []file)) {
	for _, a := range []compress.Algorithm{compress.Zlib, compress.Zlibx, compress.LZ4, compress.Zstd} {
		for name, files := range benchmarks() {
			b.Run(fmt.Sprintf("%v/%s", a, name), func(b *testing.B) {
				n := 0
				for _, f := range files {
					n += len(f.whole())
				}
				b.SetBytes(int64(n))
				b.ReportAllocs()
				run(b, compress.Config{Algorithm: a, Level: compress.LevelUnset}, files)
			})
		}
	}
}

func BenchmarkWriter(b *testing.B) {
	bench(b, func(b *testing.B, c compress.Config, files []file) {
		w, err := c.NewWriter(io.Discard)
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			for _, f := range files {
				f.write(b, w)
			}
		}
	})
}

func BenchmarkReader(b *testing.B) {
	bench(b, func(b *testing.B, c compress.Config, files []file) {
		var buf bytes.Buffer
		w, err := c.NewWriter(&buf)
		if err != nil {
			b.Fatal(err)
		}
		for _, f := range files {
			f.write(b, w)
		}
		src := bytes.NewReader(nil)
		for b.Loop() {
			b.StopTimer()
			rd, err := c.NewReader() // zstd's stream begins once
			if err != nil {
				b.Fatal(err)
			}
			src.Reset(buf.Bytes())
			r := wire.NewReader(src, 64*1024)
			b.StartTimer()
			for _, f := range files {
				drain(b, rd, r, f)
			}
			rd.Close()
		}
	})
}

func drain(b *testing.B, rd *compress.Reader, r *wire.Reader, f file) {
	for {
		lit, block, done, err := rd.Next(r, f.count())
		switch {
		case err != nil:
			b.Fatal(err)
		case done:
			return
		case lit == nil:
			rd.See(f.block(block))
		}
	}
}
