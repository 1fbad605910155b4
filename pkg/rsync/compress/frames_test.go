package compress_test

import (
	"bytes"
	"runtime"
	"slices"
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/compress"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// Long runs of literals, which zstd has in frames of their own, between short
// ones and blocks.
func TestLongRuns(t *testing.T) {
	if runtime.GOMAXPROCS(0) < 2 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	}
	chunks := func(p []byte) (list []token) {
		for c := range slices.Chunk(p, 32<<10) {
			list = append(list, token{lit: c})
		}
		return list
	}
	prose, noise := text(9<<20+5, 1), random(5<<20, 2)
	short := file{tokens: []token{{lit: prose[:1000]}}}
	long := file{basis: prose[:2000], length: 500, tokens: append(append(chunks(prose), token{block: 2}), chunks(noise)...)}
	exact := file{tokens: chunks(prose[:8<<20])} // two frames to the byte
	session := []file{short, long, short, exact, short}
	var buf bytes.Buffer
	w, err := compress.Config{Algorithm: compress.Zstd, Level: compress.LevelUnset, Threads: 2}.NewWriter(&buf)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range session {
		f.write(t, w)
	}
	rd, err := compress.Config{Algorithm: compress.Zstd}.NewReader()
	if err != nil {
		t.Fatal(err)
	}
	defer rd.Close()
	r := wire.NewReader(&buf, 4096)
	for i, f := range session {
		whole, _, err := f.read(r, rd)
		if err != nil {
			t.Fatalf("file %d: %v", i, err)
		}
		if !bytes.Equal(whole, f.whole()) {
			t.Errorf("file %d: %d bytes come out, not the %d that went in", i, len(whole), len(f.whole()))
		}
	}
	if buf.Len() > 0 {
		t.Errorf("%d bytes are left", buf.Len())
	}
}

// A long run must not fail later than its connection does.
func TestLongRunIsCut(t *testing.T) {
	w, err := compress.Config{Algorithm: compress.Zstd, Level: 1, Threads: 2}.NewWriter(&limited{left: 5 << 20})
	if err != nil {
		t.Fatal(err)
	}
	noise := random(1<<20, 3)
	for range 40 {
		if w.Literal(noise) != nil {
			return
		}
	}
	t.Error("40 MiB go into a connection that takes 5")
}

// limited takes so many bytes.
type limited struct{ left int }

func (l *limited) Write(p []byte) (int, error) {
	if l.left -= len(p); l.left < 0 {
		return 0, bytes.ErrTooLarge
	}
	return len(p), nil
}
