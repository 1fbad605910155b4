package known

import (
	"bytes"
	"encoding/hex"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/empegsync/empegsync/pkg/pkgcache/fill"
)

// The sums that a table keeps, as fill.NewSum spells them, the best first.
var algorithms = [...]struct {
	name string
	size int // bytes
}{{"BLAKE2B", 64}, {"SHA512", 64}, {"SHA256", 32}}

// algorithm returns the place of a name in the list, -1 if it is not there.
func algorithm(name string) int {
	for i, a := range algorithms {
		if a.name == name {
			return i
		}
	}
	return -1
}

// entry is one file. 24 bytes, and its sum.
type entry struct {
	name   uint64
	size   int64  // bytes
	sum    uint32 // where in table.sums
	origin uint16 // which of table.origins
	alg    uint8
	state  uint8
}

// The states of an entry.
const (
	agreed   = iota
	disputed // two lists of the same origin say different things: nothing is known
)

// table is what lists say, by name. It is not changed once it is sorted.
type table struct {
	entries []entry
	sums    []byte
	origins []string // lists, for people
}

// Bounds of a table: the largest tree there is has a twentieth of that.
const (
	maxEntries = 4 << 20
	maxOrigins = 1 << 16
)

// origin adds a list and returns its number.
func (t *table) origin(name string) uint16 {
	if len(t.origins) < maxOrigins-1 {
		t.origins = append(t.origins, name)
	}
	return uint16(len(t.origins) - 1)
}

// add adds a file; sum is in hexadecimal. It reports false for what is no sum,
// and when the table is full.
func (t *table) add(origin uint16, name string, size int64, alg int, sum string) bool {
	if len(t.entries) >= maxEntries || alg < 0 || len(sum) != 2*algorithms[alg].size {
		return false
	}
	at := len(t.sums)
	sums, err := hex.AppendDecode(t.sums, []byte(sum))
	if err != nil {
		return false
	}
	t.sums = sums
	t.entries = append(t.entries, entry{name: xxhash.Sum64String(name), size: size, sum: uint32(at), origin: origin, alg: uint8(alg)})
	return true
}

// sort makes the table ready. Of what several origins say of a name the first
// counts; where one origin says two things, nothing is known.
func (t *table) sort() {
	slices.SortStableFunc(t.entries, func(a, b entry) int {
		switch {
		case a.name < b.name:
			return -1
		case a.name > b.name:
			return 1
		}
		return 0
	})
	kept := t.entries[:0]
	for _, e := range t.entries {
		if n := len(kept); n > 0 && kept[n-1].name == e.name {
			if last := &kept[n-1]; e.origin == last.origin && !t.same(*last, e) {
				last.state = disputed
			}
			continue
		}
		kept = append(kept, e)
	}
	t.entries = slices.Clip(kept)
}

func (t *table) sumOf(e entry) []byte {
	return t.sums[e.sum:][:algorithms[e.alg].size]
}

// same reports whether two entries can be of one file.
func (t *table) same(a, b entry) bool {
	return a.size == b.size && (a.alg != b.alg || bytes.Equal(t.sumOf(a), t.sumOf(b)))
}

// find looks a name up. The sums are nil if the name is listed, but lists
// disagree over it.
func (t *table) find(name string) (sums *fill.Sums, listed bool) {
	if t == nil {
		return nil, false
	}
	hash := xxhash.Sum64String(name)
	i, found := slices.BinarySearchFunc(t.entries, hash, func(e entry, h uint64) int {
		switch {
		case e.name < h:
			return -1
		case e.name > h:
			return 1
		}
		return 0
	})
	if !found {
		return nil, false
	}
	e := t.entries[i]
	if e.state == disputed {
		return nil, true
	}
	return &fill.Sums{
		Size: e.size, Origin: t.origins[e.origin],
		Hex: map[string]string{algorithms[e.alg].name: hex.EncodeToString(t.sumOf(e))},
	}, true
}
