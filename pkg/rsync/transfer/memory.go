package transfer

import (
	"math"

	"golang.org/x/sys/unix"

	"github.com/empegsync/empegsync/pkg/rsync/options"
)

// How much memory a connection's file list may take where --max-alloc does not
// say: half of the machine's, within these bounds. What else a peer can fill is
// bounded by itself: rules, names, ids, attributes, and the sums of one file.
// // options.c:max_alloc has 1 GiB for each of C rsync's allocations.
const (
	leastMemory = 4 << 20
	usualMemory = 1 << 30
)

// usual is the ceiling where no option says.
func usual() int64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return usualMemory
	}
	total := float64(info.Totalram) * float64(max(info.Unit, 1))
	return int64(min(max(total/2, leastMemory), usualMemory))
}

// memory is the ceiling that options ask for, in bytes.
func memory(opt *options.Options) int64 {
	switch n := opt.MaxAlloc; {
	case !n.Set:
		return usual()
	case n.Value == 0:
		return math.MaxInt64
	default:
		return n.Value
	}
}

// CapMemory has the options of a peer that is not trusted lower the ceiling for
// memory, and not raise it.
func CapMemory(opt *options.Options) {
	if n := opt.MaxAlloc; n.Set && (n.Value == 0 || n.Value > usual()) {
		opt.MaxAlloc = options.Number{}
	}
}
