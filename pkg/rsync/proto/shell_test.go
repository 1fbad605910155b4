package proto

import "testing"

func TestAnnounceToClient(t *testing.T) {
	for _, c := range []struct {
		ours    int
		letters string
		want    int
	}{
		{32, "", 30}, {32, "iLsfxCIvu", 32}, {32, "L", 32}, {31, "", 30}, {29, "", 29}, {20, "LsfxCIvu", 20},
	} {
		if got := AnnounceToClient(c.ours, c.letters); got != c.want {
			t.Errorf("AnnounceToClient(%d, %q) = %d, want %d", c.ours, c.letters, got, c.want)
		}
	}
}

func TestShowsLetters(t *testing.T) {
	for v := MinVersion; v <= MaxVersion; v++ {
		if got, want := ShowsLetters(v), v >= 30; got != want {
			t.Errorf("ShowsLetters(%d) = %v", v, got)
		}
	}
}

func TestOverShell(t *testing.T) {
	for v := MinVersion; v <= MaxVersion; v++ {
		c, err := New(v)
		if err != nil {
			t.Fatal(err)
		}
		s := c.OverShell()
		if s.MuxBeforeSeed || s.MuxBeforeSeedAll {
			t.Errorf("%d: a shell's server frames before the seed", v)
		}
		s.MuxBeforeSeed, s.MuxBeforeSeedAll = c.MuxBeforeSeed, c.MuxBeforeSeedAll
		if s != c {
			t.Errorf("%d: something else has changed: %+v, was %+v", v, s, c)
		}
	}
}

func TestIsVersion(t *testing.T) {
	for n, want := range map[uint32]bool{0: false, 19: false, 20: true, 32: true, 40: true, 41: false, 0x59535240: false, 1 << 31: false} {
		if got := IsVersion(n); got != want {
			t.Errorf("IsVersion(%d) = %v", n, got)
		}
	}
}
