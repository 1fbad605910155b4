package checksum

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	//lint:ignore SA1019 the deprecated MD4 is what rsync speaks; here it checks ours
	"golang.org/x/crypto/md4"
)

func sizeName(n int) string { return fmt.Sprintf("%dB", n) }

func allAlgorithms() []Algorithm {
	var all []Algorithm
	for a := None; a.Valid(); a++ {
		all = append(all, a)
	}
	return all
}

// reversed is b with its bytes turned around: xxHash prints big-endian.
func reversed(b []byte) []byte {
	b = slices.Clone(b)
	slices.Reverse(b)
	return b
}

func TestStrongVectors(t *testing.T) {
	tests := []struct {
		a        Algorithm
		in, want string // want as the algorithm's own tools print it
	}{
		{MD4, "", "31d6cfe0d16ae931b73c59d7e0c089c0"},
		{MD4, "abc", "a448017aaf21d8525fc10ae87aa6729d"},
		{MD4Old, "abc", "a448017aaf21d8525fc10ae87aa6729d"},
		{MD4Busted, "abc", "a448017aaf21d8525fc10ae87aa6729d"},
		{MD4Busted, "", "0123456789abcdeffedcba9876543210"}, // MD4's starting state
		{MD5, "abc", "900150983cd24fb0d6963f7d28e17f72"},
		{SHA1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
		{XXH64, "", "ef46db3751d8e999"},
		{XXH64, "abc", "44bc2cf5ad770999"},
		{XXH3, "", "2d06800538d394c2"},
		{XXH128, "", "99aa06d3014798d86001c324468d497f"},
	}
	for _, tt := range tests {
		h := tt.a.NewPlain()
		h.Write([]byte(tt.in))
		got := h.Sum(nil)
		if tt.a >= XXH64 && tt.a <= XXH128 {
			got = reversed(got)
		}
		if hex.EncodeToString(got) != tt.want {
			t.Errorf("%s(%q) = %x, want %s", tt.a, tt.in, got, tt.want)
		}
	}
}

// TestSeededVectors holds xxHash with a seed to the values of xxHash's own
// sanity checks, and shows that a negative seed is extended to 64 bits.
func TestSeededVectors(t *testing.T) {
	const prime32 = 2654435761
	b := NewBlocks(XXH64, 0, false)
	b.xxSeed = prime32 // does not fit an int32, so it is set by hand
	if got := hex.EncodeToString(reversed(b.Sum(nil, nil))); got != "ac75fda2929b17ef" {
		t.Errorf("XXH64 with a seed = %s", got)
	}
	b = NewBlocks(XXH3, 0, false)
	b.xxSeed = 0x9e3779b185ebca8d
	if got := hex.EncodeToString(reversed(b.Sum(nil, nil))); got != "a8a6b918b2f0364a" {
		t.Errorf("XXH3 with a seed = %s", got)
	}
	if got := NewBlocks(XXH3, -2, false).xxSeed; got != 0xfffffffffffffffe {
		t.Errorf("seed -2 becomes %#x", got)
	}
}

func TestIncrementalEqualsOneShot(t *testing.T) {
	data := noise(70_000)
	for _, a := range allAlgorithms() {
		for _, n := range []int{0, 1, 3, 4, 60, 63, 64, 65, 124, 128, 240, 241, 1024, 70_000} {
			whole := a.NewFile(77)
			whole.Write(data[:n])
			want := whole.Sum(nil)
			if len(want) != a.Size() || whole.Size() != a.Size() {
				t.Fatalf("%s: sum of %d bytes, Size says %d, the hash %d", a, len(want), a.Size(), whole.Size())
			}
			parts := a.NewFile(77)
			parts.Write([]byte("forgotten by Reset"))
			parts.Reset()
			for rest, step := data[:n], 1; len(rest) > 0; step = step*2 + 1 {
				k := min(step, len(rest))
				parts.Write(rest[:k])
				rest = rest[k:]
				parts.Sum(nil) // must not disturb what follows
			}
			if got := parts.Sum([]byte("x")); !bytes.Equal(got[1:], want) || got[0] != 'x' {
				t.Errorf("%s over %d bytes in parts: %x, want %x", a, n, got[1:], want)
			}
		}
	}
}

func TestMD4AgainstAnother(t *testing.T) {
	data := noise(300)
	for n := range data {
		other := md4.New()
		other.Write(data[:n])
		ours := newMD4(nil, false)
		ours.Write(data[:n])
		if got, want := ours.Sum(nil), other.Sum(nil); !bytes.Equal(got, want) {
			t.Fatalf("MD4 over %d bytes: %x, want %x", n, got, want)
		}
	}
}

// TestBustedEnding uses that correct MD4 over m is the bare state after m and
// its padding, which is exactly what the old ending gives for a whole number
// of chunks.
func TestBustedEnding(t *testing.T) {
	data := noise(200)
	for n := range data {
		padded := append(slices.Clone(data[:n]), 0x80)
		for len(padded)%64 != 56 {
			padded = append(padded, 0)
		}
		padded = binary.LittleEndian.AppendUint64(padded, uint64(n)*8)
		old := newMD4(nil, true)
		old.Write(padded)
		right := newMD4(nil, false)
		right.Write(data[:n])
		if !bytes.Equal(old.Sum(nil), right.Sum(nil)) {
			t.Fatalf("%d bytes: the old ending added to a whole number of chunks", n)
		}
		old.Reset()
		old.Write(data[:n])
		if same := bytes.Equal(old.Sum(nil), right.Sum(nil)); same != (n%64 != 0) {
			t.Fatalf("%d bytes: old ending equal to the right one: %v", n, same)
		}
	}
}

func TestBustedCountsIn32Bits(t *testing.T) {
	short, old, right := newMD4(nil, false), newMD4(nil, true), newMD4(nil, false)
	for _, d := range []*md4Digest{short, old, right} {
		d.Write([]byte("tail"))
	}
	old.length += 1 << 29 // as if 512 MiB had gone before: 2^32 bits
	right.length += 1 << 29
	if !bytes.Equal(old.Sum(nil), short.Sum(nil)) {
		t.Error("the old ending counts beyond 2^32 bits")
	}
	if bytes.Equal(right.Sum(nil), short.Sum(nil)) {
		t.Error("the right ending counts modulo 2^32 bits")
	}
}

func TestFileSeed(t *testing.T) {
	const seed = 0x01020304
	for _, a := range allAlgorithms() {
		seeded, plain := a.NewFile(seed), a.NewPlain()
		if a >= MD4Archaic && a <= MD4Old {
			plain.Write([]byte{4, 3, 2, 1})
		}
		seeded.Write([]byte("data"))
		plain.Write([]byte("data"))
		if !bytes.Equal(seeded.Sum(nil), plain.Sum(nil)) {
			t.Errorf("%s (%d): the file sum treats the seed otherwise", a, a)
		}
	}
}

func TestBlockSeed(t *testing.T) {
	before, after, none := "\x04\x03\x02\x01data", "data\x04\x03\x02\x01", "data"
	tests := []struct {
		a         Algorithm
		seed      int32
		seedFirst bool
		same      string // what hashes alike without a seed
	}{
		{MD4Archaic, 0x01020304, true, after},
		{MD4Busted, 0x01020304, false, after},
		{MD4Old, 0x01020304, false, after},
		{MD4, 0x01020304, true, after},
		{MD5, 0x01020304, true, before},
		{MD5, 0x01020304, false, after},
		{SHA1, 0x01020304, false, before},
		{MD5, 0, true, none},
		{MD4Old, 0, false, none},
		{XXH64, 0, false, none},
		{XXH3, 0, false, none},
		{XXH128, 0, true, none},
		{None, 5, false, none},
	}
	for _, tt := range tests {
		plain := tt.a.NewPlain()
		plain.Write([]byte(tt.same))
		b := NewBlocks(tt.a, tt.seed, tt.seedFirst)
		for range 2 { // the second call finds a used hash
			if got, want := b.Sum(nil, []byte("data")), plain.Sum(nil); !bytes.Equal(got, want) {
				t.Errorf("%s, seed %d, first %v: %x, want %x", tt.a, tt.seed, tt.seedFirst, got, want)
			}
		}
	}
}

func TestBlocksDoNotAllocate(t *testing.T) {
	block, dst := noise(4096), make([]byte, 0, MaxSize)
	for _, a := range allAlgorithms() {
		b := NewBlocks(a, 7, true)
		if n := testing.AllocsPerRun(20, func() { dst = b.Sum(dst[:0], block) }); n > 0 {
			t.Errorf("%s: %v allocations a block", a, n)
		}
	}
}

// TestFileSumsAgainstRsync compares with the sums that rsync prints (%C).
func TestFileSumsAgainstRsync(t *testing.T) {
	dir := t.TempDir()
	for _, n := range []int{0, 1, 63, 64, 65, 200, 241, 5000, 1<<18 + 7} {
		file := filepath.Join(dir, sizeName(n))
		if err := os.WriteFile(file, noise(n), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, a := range []Algorithm{MD4, MD5, SHA1, XXH64, XXH3, XXH128} {
			out, err := exec.Command("rsync", "-n", "-c", "--checksum-choice="+a.String(), "--out-format=%C", file, dir+"/none").CombinedOutput()
			if err != nil {
				t.Fatalf("rsync: %v\n%s", err, out)
			}
			h := a.NewPlain()
			h.Write(noise(n))
			got := h.Sum(nil)
			if a >= XXH64 && a <= XXH128 {
				got = reversed(got)
			}
			if want := strings.TrimSpace(string(out)); hex.EncodeToString(got) != want {
				t.Errorf("%s over %d bytes: %x, rsync says %s", a, n, got, want)
			}
		}
	}
}

func FuzzMD4(f *testing.F) {
	f.Add([]byte("abc"), uint8(1))
	f.Add(noise(129), uint8(64))
	f.Fuzz(func(t *testing.T, data []byte, cut uint8) {
		other := md4.New()
		other.Write(data)
		ours := newMD4(nil, false)
		k := min(int(cut), len(data))
		ours.Write(data[:k])
		ours.Write(data[k:])
		if got, want := ours.Sum(nil), other.Sum(nil); !bytes.Equal(got, want) {
			t.Fatalf("%x, want %x", got, want)
		}
	})
}

func BenchmarkBlocks(b *testing.B) {
	block, dst := noise(8192), make([]byte, 0, MaxSize)
	for _, a := range []Algorithm{MD4Old, MD5, SHA1, XXH64, XXH3, XXH128} {
		b.Run(a.String(), func(b *testing.B) {
			sums := NewBlocks(a, 7, true)
			b.SetBytes(int64(len(block)))
			b.ReportAllocs()
			for b.Loop() {
				dst = sums.Sum(dst[:0], block)
			}
		})
	}
}
