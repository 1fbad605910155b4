package delta

import (
	"bytes"
	"fmt"
	"io"
	"math/bits"
	"math/rand/v2"
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/checksum"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

var limits = SumLimits{OnWire: true, Size: 16, MaxSize: proto.MaxBlock}

// transfer makes target from basis over the wire format and returns it with
// the search's counts.
func transfer(t testing.TB, basis, target []byte, block int32, chunk int) ([]byte, Stats) {
	t.Helper()
	h, ok := NewHead(int64(len(basis)), block, false, limits)
	if !ok {
		t.Fatal("no head")
	}
	sums := checksum.NewBlocks(checksum.XXH128, 7, true)
	var up bytes.Buffer
	up.Write(h.Append(nil, limits))
	if _, err := WriteSums(&up, bytes.NewReader(basis), h, sums, nil); err != nil {
		t.Fatal(err)
	}
	r := wire.NewReader(&up, 0)
	got, err := ReadHead(r, limits)
	if err != nil {
		t.Fatal(err)
	}
	if got != h {
		t.Fatalf("head %+v came back as %+v", h, got)
	}
	sig, err := ReadSignature(r, got)
	if err != nil {
		t.Fatal(err)
	}
	var down bytes.Buffer
	whole := checksum.XXH128.NewFile(7)
	st, err := Search(&slowReader{bytes.NewReader(target), chunk}, sig, sums, whole, PlainWriter{&down})
	if err != nil {
		t.Fatal(err)
	}
	check := checksum.XXH128.NewFile(7)
	check.Write(target)
	if !bytes.Equal(check.Sum(nil), whole.Sum(nil)) {
		t.Error("the search hashed something other than the file")
	}
	out := patch(t, &down, h, basis)
	return out, st
}

type slowReader struct {
	r io.Reader
	n int
}

func (s *slowReader) Read(p []byte) (int, error) { return s.r.Read(p[:min(len(p), s.n)]) }

func patch(t testing.TB, down io.Reader, h Head, basis []byte) []byte {
	t.Helper()
	r := wire.NewReader(down, 0)
	var tr PlainReader
	var out []byte
	for {
		lit, block, done, err := tr.Next(r, h.Count)
		switch {
		case err != nil:
			t.Fatal(err)
		case done:
			return out
		case lit != nil:
			out = append(out, lit...)
		default:
			at := h.Offset(block)
			out = append(out, basis[at:at+int64(h.Len(block))]...)
		}
	}
}

func random(n int, seed uint64) []byte {
	rng := rand.New(rand.NewPCG(seed, 1))
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(rng.Uint32())
	}
	return p
}

func TestTransfer(t *testing.T) {
	big := random(900_000, 1)
	edited := bytes.Clone(big)
	copy(edited[500_000:], "changed here")
	inserted := append(append(bytes.Clone(big[:300_001]), "some new bytes"...), big[300_001:]...)
	cut := append(bytes.Clone(big[:100]), big[70_123:]...)
	for _, tc := range []struct {
		name          string
		basis, target []byte
		block         int32
		matched       float64 // least part of target that must be found
	}{
		{"empty basis", nil, big, 0, -1},
		{"same", big, big, 0, 1},
		{"same, short last block", big[:12_345], big[:12_345], 700, 1},
		{"one block", big[:700], big[:700], 700, 1},
		{"shorter than a block", big[:300], big[:300], 700, 1},
		{"empty target", big, nil, 0, -1},
		{"edited", big, edited, 0, 0.99},
		{"inserted", big, inserted, 0, 0.99},
		{"cut", big, cut, 0, 0.9},
		{"appended", big[:800_000], big, 0, 0.88},
		{"large blocks", big, inserted, 65536, 0.85},
		{"nothing in common", big, random(500_000, 9), 0, -1},
		{"zeros", make([]byte, 500_000), make([]byte, 500_001), 0, 0.99},
		{"target is the tail", big, big[len(big)-100:], 700, -1},
	} {
		for _, chunk := range []int{1 << 20, 1000} {
			t.Run(fmt.Sprintf("%s/%d", tc.name, chunk), func(t *testing.T) {
				if len(tc.basis) == 0 {
					if h, ok := NewHead(0, 0, false, limits); !ok || h != (Head{}) {
						t.Errorf("head of an empty file is %+v", h)
					}
					return
				}
				out, st := transfer(t, tc.basis, tc.target, tc.block, chunk)
				if !bytes.Equal(out, tc.target) {
					t.Fatalf("%d bytes came out, not the %d of the target", len(out), len(tc.target))
				}
				if st.Matched+st.Literal != int64(len(tc.target)) {
					t.Errorf("%d matched + %d literal bytes are not %d", st.Matched, st.Literal, len(tc.target))
				}
				if f := float64(st.Matched) / float64(max(len(tc.target), 1)); f < tc.matched {
					t.Errorf("found %.3f of the target in the basis, want %.3f", f, tc.matched)
				}
			})
		}
	}
}

// The figures are what rsync 3.5.0 prints with --debug=deltasum2.
func TestNewHead(t *testing.T) {
	for _, tc := range []struct {
		size         int64
		block, count int32
		sumLen       int32
	}{
		{1, 700, 1, 2},
		{490_000, 700, 700, 2},
		{1 << 20, 1024, 1024, 2},
		{10_000_000, 3160, 3165, 2},
		{1 << 30, 32768, 32768, 3},
		{1 << 40, 131072, 8388608, 6},
	} {
		h, ok := NewHead(tc.size, 0, false, limits)
		if !ok && bits.UintSize == 32 && tc.size == 1<<40 {
			continue // beyond what a board keeps sums of: sent whole
		}
		if !ok || h.Block != tc.block || h.Count != tc.count || h.SumLen != tc.sumLen {
			t.Errorf("size %d: %+v, want block %d count %d sum %d", tc.size, h, tc.block, tc.count, tc.sumLen)
		}
	}
	if h, _ := NewHead(5000, 0, true, limits); h.SumLen != 16 {
		t.Errorf("second pass has sums of %d bytes", h.SumLen)
	}
	if _, ok := NewHead(1<<60, 0, false, limits); ok {
		t.Error("a file of 2^60 bytes can be described")
	}
}

func FuzzReadSignature(f *testing.F) {
	f.Add(append(Head{2, 700, 2, 10}.Append(nil, limits), "abcdefghijkl"...))
	f.Add(Head{-1, 1 << 30, 99, -5}.Append(nil, limits))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := wire.NewReader(bytes.NewReader(data), 0)
		h, err := ReadHead(r, limits)
		if err != nil {
			return
		}
		if sig, err := ReadSignature(r, h); err == nil && h.Count > 0 && h.Len(h.Count-1) > 0 {
			var out bytes.Buffer
			sums := checksum.NewBlocks(checksum.MD5, 0, true)
			if _, err := Search(bytes.NewReader(data), sig, sums, checksum.MD5.NewFile(0), PlainWriter{&out}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func FuzzTokens(f *testing.F) {
	f.Add([]byte{3, 0, 0, 0, 'a', 'b', 'c', 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		r := wire.NewReader(bytes.NewReader(data), 0)
		var tr PlainReader
		for {
			_, block, done, err := tr.Next(r, 3)
			if err != nil || done {
				return
			}
			if block < 0 || block >= 3 {
				t.Fatalf("block %d of 3", block)
			}
		}
	})
}

func FuzzTransfer(f *testing.F) {
	f.Add([]byte("hello hello hello"), []byte("hello there hello"), uint8(4))
	f.Fuzz(func(t *testing.T, basis, target []byte, block uint8) {
		if len(basis) == 0 || block == 0 {
			return
		}
		if out, _ := transfer(t, basis, target, int32(block), 64); !bytes.Equal(out, target) {
			t.Fatalf("got %q", out)
		}
	})
}

func BenchmarkSearch(b *testing.B) {
	basis := random(16<<20, 1)
	for _, tc := range []struct {
		name   string
		target []byte
	}{{"same", basis}, {"different", random(16<<20, 2)}} {
		b.Run(tc.name, func(b *testing.B) {
			b.SetBytes(int64(len(basis)))
			h, _ := NewHead(int64(len(basis)), 0, false, limits)
			sums := checksum.NewBlocks(checksum.XXH128, 7, true)
			var up bytes.Buffer
			if _, err := WriteSums(&up, bytes.NewReader(basis), h, sums, nil); err != nil {
				b.Fatal(err)
			}
			sig, err := ReadSignature(wire.NewReader(&up, 0), h)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, err := Search(bytes.NewReader(tc.target), sig, sums, checksum.XXH128.NewFile(7), PlainWriter{io.Discard}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
