package transfer

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/compress"
	"github.com/empegsync/empegsync/pkg/rsync/delta"
	"github.com/empegsync/empegsync/pkg/rsync/options"
)

func TestMemory(t *testing.T) {
	set := func(n int64) options.Number { return options.Number{Set: true, Value: n} }
	most := usual()
	if most < leastMemory || most > usualMemory {
		t.Errorf("usually %d bytes", most)
	}
	for _, c := range []struct {
		asked         options.Number
		alone, capped int64
	}{
		{options.Number{}, most, most}, {set(0), math.MaxInt64, most}, {set(2 << 20), 2 << 20, 2 << 20}, {set(1 << 40), 1 << 40, most},
	} {
		opt := &options.Options{MaxAlloc: c.asked}
		if got := memory(opt); got != c.alone {
			t.Errorf("%+v: %d bytes, want %d", c.asked, got, c.alone)
		}
		if CapMemory(opt); memory(opt) != c.capped {
			t.Errorf("%+v from a peer: %d bytes, want %d", c.asked, memory(opt), c.capped)
		}
	}
}

// allocated is how many bytes f asks for.
func allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// A small file costs no large buffers, on neither side, new or changed.
func TestSmallFilesCostLittle(t *testing.T) {
	const files, most = 400, 24 << 10
	p := newPair(t)
	for i := range files {
		p.file(fmt.Sprintf("%s/f%d", p.src, i), strings.Repeat("some text ", 400), 0)
	}
	fresh := allocated(p.mustRun) / files
	for i := range files {
		p.file(fmt.Sprintf("%s/f%d", p.src, i), strings.Repeat("some text ", 200)+strings.Repeat("more text ", 250), 5)
	}
	changed := allocated(p.mustRun) / files
	if p.got.Matched == 0 {
		t.Error("nothing matched: the files came whole")
	}
	if fresh > most || changed > most {
		t.Errorf("a new file takes %d bytes, a changed one %d", fresh, changed)
	}
	t.Logf("a new file takes %d bytes, a changed one %d", fresh, changed)
}

// Blocks that the other side only talks of take no memory.
func TestBlocksThatAreNotThere(t *testing.T) {
	p := newPair(t)
	p.file(p.dst+"/small", "content", 0)
	f, _, err := p.root(p.dst).OpenRead("small", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	packed, err := compress.Config{Algorithm: compress.Zlib}.NewReader()
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	tokens := &tokenReader{TokenReader: packed, packed: packed}
	head := delta.Head{Count: 2, Block: 1 << 29, SumLen: 2}
	if n := allocated(func() {
		if p, err := (&fileReceiver{}).readBlock(f, head, 1); err == nil {
			t.Errorf("%d bytes of a block that is not there", len(p))
		}
		tokens.seeNothing(head.Len(1))
	}); n > 1<<20 {
		t.Errorf("they take %d bytes", n)
	}
}
