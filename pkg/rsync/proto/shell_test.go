package proto

import "testing"

func TestAnnounceToClient(t *testing.T) {
	for _, tt := range []struct {
		ours    int
		letters string
		want    int
	}{{32, "", 30}, {32, "LsfxCIvu", 32}, {31, "Lsf", 31}, {26, "", 26}, {26, "Lsf", 26}} {
		if got := AnnounceToClient(tt.ours, tt.letters); got != tt.want {
			t.Errorf("AnnounceToClient(%d, %q) = %d, want %d", tt.ours, tt.letters, got, tt.want)
		}
	}
	for v := MinVersion; v <= MaxVersion; v++ {
		c := mustCaps(t, v)
		if ShowsLetters(v) != c.CompatFlags {
			t.Errorf("version %d shows letters: %v", v, ShowsLetters(v))
		}
		c.MuxBeforeSeed, c.MuxBeforeSeedAll = false, false
		if got := mustCaps(t, v).OverShell(); got != c {
			t.Errorf("version %d over a shell: %+v", v, got)
		}
	}
}

func TestIsVersion(t *testing.T) {
	for n, want := range map[uint32]bool{0: false, 19: false, 20: true, 32: true, 40: true, 41: false, 0x6c6c6568: false, 1<<32 - 1: false} {
		if IsVersion(n) != want {
			t.Errorf("IsVersion(%d) = %v", n, !want)
		}
	}
}
