package transfer

import "testing"

func TestNameDistance(t *testing.T) {
	const u = fuzzyUnit
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"same.mp3", "same.mp3", 0}, {"", "abc", 3 * u}, {"abc", "abd", u + 1}, {"abc", "ab", u},
		{"kitten", "sitting", 3*u + 12}, // k>s: 8, e>i: 4, and a g
		{"a.c", "a.d", 11 * (u + 1)},    // an end counts ten times more
		{"a-1.2.c", "a-1.3.c", u + 1},
		{"file.bak", "file", 4 * u}, {".profile", "profile", u},
	} {
		for _, names := range [][2]string{{c.a, c.b}, {c.b, c.a}} {
			if got := nameDistance(names[0], names[1], fuzzyFar); got != c.want {
				t.Errorf("from %q to %q: %d/%d, want %d/%d", names[0], names[1], got, u, c.want, u)
			}
		}
	}
	if d := nameDistance("a", "a name that is far too long to be one of the same", fuzzyLimit); d != fuzzyFar {
		t.Errorf("a name beyond the limit has the distance %d", d)
	}
}

func TestNameEnd(t *testing.T) {
	for name, want := range map[string]string{
		"": "", "none": "", ".hidden": "", "a.mp3": ".mp3", "a.tar.gz": ".gz", "a.mp3~": ".mp3", "a.mp3.bak": ".mp3", "lib.so.1.2": ".so",
		"a.mp3.~1~": ".mp3", "...": "", "1.2.3": ".2", "a-1.2": ".2", "a.bak~": ".bak", "a.": ".", "~": "",
	} {
		if got := nameEnd(name); got != want {
			t.Errorf("%q ends in %q, want %q", name, got, want)
		}
	}
}

// FuzzNameDistance: it is none between equal names, the same both ways, and never
// less than the difference of lengths or more than all that could be changed.
func FuzzNameDistance(f *testing.F) {
	f.Add("a-1.0.tar.gz", "a-1.1.tar.gz")
	f.Add("~~~", ".~1~.bak.~1~")
	f.Fuzz(func(t *testing.T, a, b string) {
		if len(a) > 255 || len(b) > 255 {
			return
		}
		d := editDistance(a, b, fuzzyFar)
		if d != editDistance(b, a, fuzzyFar) || (d == 0) != (a == b) {
			t.Errorf("%q and %q: %d and back %d", a, b, d, editDistance(b, a, fuzzyFar))
		}
		if least, most := len(a)-len(b), max(len(a), len(b)); d < max(least, -least)*fuzzyUnit || d > most*(fuzzyUnit+255) {
			t.Errorf("%q and %q: %d", a, b, d)
		}
		if limited := editDistance(a, b, fuzzyLimit); limited != d && (limited != fuzzyFar || d <= fuzzyLimit) {
			t.Errorf("%q and %q: %d, with a limit %d", a, b, d, limited)
		}
		_ = nameEnd(a)
	})
}
