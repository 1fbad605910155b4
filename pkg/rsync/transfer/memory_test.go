package transfer

import (
	"math"
	"testing"

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
