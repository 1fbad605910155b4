package delta

import (
	"bytes"
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/checksum"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// overwrite makes target of a file that holds basis, in place: each block is taken
// from what the file holds when its turn comes.
func overwrite(t testing.TB, basis, target []byte, block int32) (Stats, []byte) {
	t.Helper()
	h, ok := NewHead(int64(len(basis)), block, false, limits)
	if !ok {
		t.Fatal("no head")
	}
	sums := checksum.NewBlocks(checksum.XXH128, 7, true)
	var up, down bytes.Buffer
	if _, err := WriteSums(&up, bytes.NewReader(basis), h, sums, nil); err != nil {
		t.Fatal(err)
	}
	sig, err := ReadSignature(wire.NewReader(&up, 0), h)
	if err != nil {
		t.Fatal(err)
	}
	sig.InPlace = true
	st, err := Search(bytes.NewReader(target), sig, sums, checksum.XXH128.NewFile(7), PlainWriter{&down})
	if err != nil {
		t.Fatal(err)
	}
	file := append(bytes.Clone(basis), make([]byte, len(target))...)
	r, at := wire.NewReader(&down, 0), int64(0)
	var tr PlainReader
	for {
		lit, i, done, err := tr.Next(r, h.Count)
		if err != nil {
			t.Fatal(err)
		}
		if done {
			return st, file[:at]
		}
		from := lit
		if lit == nil {
			from = file[h.Offset(i):][:h.Len(i)]
		}
		at += int64(copy(file[at:], bytes.Clone(from)))
	}
}

func TestInPlace(t *testing.T) {
	big := random(200_000, 3)
	shifted := append([]byte("ahead"), big...)
	edited := bytes.Clone(big)
	copy(edited[100_000:], "changed here")
	swapped := append(bytes.Clone(big[100_000:]), big[:100_000]...)
	equal := bytes.Repeat(big[:1000], 50)
	for _, c := range []struct {
		name          string
		basis, target []byte
		least, most   float64 // parts of the target that are found
	}{
		{"the same", big, big, 1, 1},
		{"edited", big, edited, 0.98, 1},
		{"cut off ahead", big, big[1000:], 0.98, 1},
		{"shifted to the back", big, shifted, 0, 0.02}, // what moves back has been written over
		{"swapped halves", big, swapped, 0.48, 0.52},
		{"equal blocks", equal, equal, 1, 1},
		{"equal blocks and more", equal, append(bytes.Clone(equal), equal...), 0.5, 1},
	} {
		st, got := overwrite(t, c.basis, c.target, 1000)
		if !bytes.Equal(got, c.target) {
			t.Errorf("%s: the file holds something else", c.name)
		}
		if part := float64(st.Matched) / float64(len(c.target)); part < c.least || part > c.most {
			t.Errorf("%s: %.2f of it was found, want %.2f to %.2f", c.name, part, c.least, c.most)
		}
	}
}

func FuzzInPlace(f *testing.F) {
	f.Add([]byte("abcdefghijklmnopqrstuvwxyz"), []byte("abcdefgXhijklmnopqrstuvwxyz"), uint8(4))
	f.Add(bytes.Repeat([]byte("abc"), 40), bytes.Repeat([]byte("bca"), 40), uint8(3))
	f.Fuzz(func(t *testing.T, basis, target []byte, block uint8) {
		if block == 0 || len(basis) == 0 || len(basis) > 4096 || len(target) > 4096 {
			return
		}
		if _, got := overwrite(t, basis, target, int32(block)); !bytes.Equal(got, target) {
			t.Errorf("%q over %q in blocks of %d became %q", target, basis, block, got)
		}
	})
}
