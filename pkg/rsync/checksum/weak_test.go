package checksum

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// definition is the weak sum as its definition reads, slowly.
func definition(b []byte) uint32 {
	var s1, s2 int64
	for i, c := range b {
		s1 += int64(int8(c))
		s2 += int64(len(b)-i) * int64(int8(c))
	}
	return uint32(s1)&0xffff | uint32(s2)<<16
}

func noise(n int) []byte {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func TestWeakVectors(t *testing.T) {
	tests := []struct {
		in   string
		want uint32
	}{
		{"", 0},
		{"a", 0x00610061},
		{"abc", 0x024a0126},
		{"\x7f", 0x007f007f},
		{"\x80", 0xff80ff80}, // -128: bytes are signed
		{"\xff", 0xffffffff},
		{"\xff\xff", 0xfffdfffe},
		{"\x00\x80", 0xff80ff80},
		{"\x80\x00", 0xff00ff80},
	}
	for _, tt := range tests {
		if got := Weak([]byte(tt.in)); got != tt.want {
			t.Errorf("Weak(%q) = %#08x, want %#08x", tt.in, got, tt.want)
		}
	}
}

func TestWeakFormsAgree(t *testing.T) {
	inputs := [][]byte{
		bytes.Repeat([]byte{0x80}, 128<<10),
		bytes.Repeat([]byte{0xff}, 128<<10+3),
		bytes.Repeat([]byte{0x7f}, 70001),
		noise(1 << 20),
	}
	for n := range 150 {
		inputs = append(inputs, noise(n))
	}
	for _, b := range inputs {
		want := definition(b)
		if got := Weak(b); got != want {
			t.Errorf("Weak over %d bytes = %#08x, want %#08x", len(b), got, want)
		}
		s1, s2 := weakWords(b)
		if got := s1&0xffff | s2<<16; got != want {
			t.Errorf("weakWords over %d bytes = %#08x, want %#08x", len(b), got, want)
		}
		s1, s2 = weakBytes(0, 0, b)
		if got := s1&0xffff | s2<<16; got != want {
			t.Errorf("weakBytes over %d bytes = %#08x, want %#08x", len(b), got, want)
		}
	}
}

func TestRollerFollowsWindow(t *testing.T) {
	data := noise(5000)
	for _, n := range []int{1, 2, 7, 700, 4999} {
		checkRolling(t, data, n)
	}
	checkRolling(t, noise(200_000), 131_072)
}

func checkRolling(t *testing.T, data []byte, n int) {
	t.Helper()
	var r Roller
	r.Init(data[:n])
	for i := n; i < len(data); i++ {
		if i%97 == 0 && r.Sum() != Weak(data[i-n:i]) {
			t.Fatalf("window %d at %d: %#08x, want %#08x", n, i-n, r.Sum(), Weak(data[i-n:i]))
		}
		r.Roll(data[i-n], data[i])
	}
	for rest := data[len(data)-n:]; len(rest) > 0; rest = rest[1:] {
		if len(rest)%97 == 0 && r.Sum() != Weak(rest) {
			t.Fatalf("window %d, %d left: %#08x, want %#08x", n, len(rest), r.Sum(), Weak(rest))
		}
		r.Out(rest[0])
	}
	if r.Sum() != 0 {
		t.Errorf("window %d: %#08x after the last byte left, want 0", n, r.Sum())
	}
}

func FuzzRoller(f *testing.F) {
	f.Add([]byte("the quick brown fox"), uint16(4))
	f.Add(noise(700), uint16(64))
	f.Add([]byte{0x80, 0xff, 0x7f, 0}, uint16(2))
	f.Fuzz(func(t *testing.T, data []byte, size uint16) {
		n := int(size)
		if n == 0 || n > len(data) {
			return
		}
		var r Roller
		r.Init(data[:n])
		for i := n; i < len(data); i++ {
			r.Roll(data[i-n], data[i])
			if got, want := r.Sum(), definition(data[i-n+1:i+1]); got != want {
				t.Fatalf("window %d at %d: %#08x, want %#08x", n, i-n+1, got, want)
			}
		}
		for rest := data[len(data)-n:]; len(rest) > 0; {
			r.Out(rest[0])
			rest = rest[1:]
			if got, want := r.Sum(), definition(rest); got != want {
				t.Fatalf("window %d, %d left: %#08x, want %#08x", n, len(rest), got, want)
			}
		}
	})
}

func BenchmarkWeak(b *testing.B) {
	for _, n := range []int{700, 131072} {
		block := noise(n)
		b.Run(sizeName(n), func(b *testing.B) {
			b.SetBytes(int64(n))
			for b.Loop() {
				Weak(block)
			}
		})
	}
}

func BenchmarkRoll(b *testing.B) {
	data := noise(1 << 16)
	var r Roller
	r.Init(data[:700])
	b.SetBytes(int64(len(data) - 700))
	for b.Loop() {
		for i := 700; i < len(data); i++ {
			r.Roll(data[i-700], data[i])
		}
	}
	if r.n != 700 {
		b.Fatal("the window's size changed")
	}
}
