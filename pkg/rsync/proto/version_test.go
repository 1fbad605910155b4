package proto

import (
	"strings"
	"testing"
)

func TestAgree(t *testing.T) {
	for _, tt := range []struct {
		ours, theirs, want int // want 0: refused
	}{
		{32, 32, 32}, {32, 20, 20}, {32, 26, 26}, {20, 32, 20}, {30, 31, 30}, {32, 40, 32},
		{32, 19, 0}, {32, 41, 0}, {32, 0, 0}, {32, -1, 0}, {32, 0x6f6c6548, 0}, // "Helo" of a login message
		{19, 32, 0}, {33, 32, 0}, {0, 32, 0},
	} {
		got, err := Agree(tt.ours, tt.theirs)
		if got != tt.want || (err == nil) != (tt.want != 0) {
			t.Errorf("Agree(%d, %d) = %d, %v, want %d", tt.ours, tt.theirs, got, err, tt.want)
		}
	}
	if _, err := Agree(32, 72); !strings.Contains(err.Error(), "is your shell clean?") {
		t.Errorf("no hint in %q", err)
	}
}

// Both sides announce and then agree on what the other announced: it must be
// the same number, and a release up to 2.5.7 must not hear more than 30.
func TestAnnounce(t *testing.T) {
	for ours := MinVersion; ours <= MaxVersion; ours++ {
		for theirs := MinVersion; theirs <= MaxVersion; theirs++ {
			told := Announce(ours, theirs)
			here, err := Agree(told, theirs)
			if err != nil {
				t.Fatal(err)
			}
			there, err := Agree(theirs, told)
			if err != nil {
				t.Fatal(err)
			}
			if here != there || here != min(ours, theirs) {
				t.Errorf("%d meets %d: told %d, %d here and %d there", ours, theirs, told, here, there)
			}
			if theirs <= 26 && told > 30 {
				t.Errorf("%d is told %d", theirs, told)
			}
		}
	}
	if got := Announce(32, 11); got != MinVersion {
		t.Errorf("a peer below %d is told %d", MinVersion, got)
	}
}

func TestGreetingForms(t *testing.T) {
	for v, want := range map[int][2]bool{20: {}, 26: {}, 29: {}, 30: {true, false}, 31: {true, false}, 32: {true, true}} {
		if got := [2]bool{HasSubVersion(v), NamesDigests(v)}; got != want {
			t.Errorf("version %d: sub-version and digests %v, want %v", v, got, want)
		}
	}
}
