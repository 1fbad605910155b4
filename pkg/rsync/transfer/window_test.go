package transfer

import (
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// Every index of the parts in flight, those that stand for folders among them, is
// found in the part that it belongs to, and no other is.
func TestWindowFinds(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		w, start, flying := window{}, int32(1), 0
		for i := range 1 + r.IntN(6) {
			l := &filelist.List{Start: start}
			if i > 0 || r.IntN(2) == 0 {
				l.Parent = &filelist.Entry{Base: "d", Mode: filelist.ModeDir}
			}
			for range r.IntN(4) {
				l.Add(filelist.Entry{Base: "f", Mode: filelist.ModeFile})
			}
			w.add(l)
			flying += l.Len() + 1
			start = l.End() + 1
		}
		w.seal()
		for {
			if n, bytes := w.inFlight(); n != flying || bytes != weigh(&w) {
				t.Fatalf("%d in flight with %d bytes, want %d with %d", n, bytes, flying, weigh(&w))
			}
			for index := int32(-2); index < start+2; index++ {
				var part *part
				var entry *filelist.Entry
				for p := w.oldest(); p != nil && entry == nil; p, _ = w.after(p) {
					part, entry = p, p.At(index)
				}
				p, e := w.find(index)
				if e != entry || e != nil && p != part {
					t.Fatalf("index %d: %v in %v, want %v in %v", index, e, p, entry, part)
				}
			}
			flying -= w.oldest().Len() + 1
			if more, err := w.drop(); err != nil {
				t.Fatal(err)
			} else if !more {
				break
			}
		}
	}
}

func weigh(w *window) (bytes int64) {
	for p := w.oldest(); p != nil; p, _ = w.after(p) {
		bytes += p.Bytes()
	}
	return bytes
}

// Names of a byte each take far more room than their bytes.
func TestShortNamesAreBounded(t *testing.T) {
	c := &common{}
	c.R = wire.NewReader(io.MultiReader(strings.NewReader(strings.Repeat("a\x00", 1<<20)), strings.NewReader("\x00")), 4096)
	lines, err := c.takeNames()
	if err == nil || !strings.Contains(err.Error(), "the names of the files") {
		t.Errorf("%d names, %v", len(lines), err)
	}
	c.R = wire.NewReader(strings.NewReader(strings.Repeat("of some length\x00", 1<<19)+"\x00"), 4096)
	if lines, err := c.takeNames(); err != nil || len(lines) != 1<<19 {
		t.Errorf("%d names, %v", len(lines), err)
	}
}
