package transfer

import "testing"

func TestParseFaked(t *testing.T) {
	for text, want := range map[string]faked{
		"100644 0,0 5:6":      {0o100644, 0, 0, 5, 6},
		"20666 1,3 0:0":       {0o020666, 1, 3, 0, 0},
		"120777 0,0 1000:100": {0o120777, 0, 0, 1000, 100},
	} {
		got, err := parseFaked(text)
		if err != nil || got != want {
			t.Errorf("%q is %+v, %v", text, got, err)
		}
		if got.String() != text {
			t.Errorf("%q becomes %q", text, got)
		}
	}
	for _, text := range []string{"", "644 0,0 1:1", "100644", "100644 0,0", "100644 0 1:1", "100644 0,0 1", "100644 0,0 1:1 x", "100648 0,0 1:1",
		"100644 -1,0 1:1", "100644 0,0 4294967295:1", "100644 0,0 1:99999999999", "1100644 0,0 1:1", "150644 0,0 1:1"} {
		if got, err := parseFaked(text); err == nil {
			t.Errorf("%q is %+v", text, got)
		}
	}
}

func FuzzFaked(f *testing.F) {
	f.Add("100644 0,0 5:6")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parseFaked(text)
		if err != nil {
			return
		}
		if again, err := parseFaked(got.String()); err != nil || again != got {
			t.Errorf("%q becomes %+v: %v", got, again, err)
		}
	})
}

func TestUnsafeLink(t *testing.T) {
	for _, tt := range []struct {
		target, where string
		unsafe        bool
	}{
		{"file", "link", false}, {"../file", "link", true}, {"../file", "a/link", false}, {"../../file", "a/link", true}, {"/etc", "a/link", true},
		{"", "link", true}, {"a/../b", "link", true}, {"a/..", "link", true}, {"..", "link", true}, {"..", "a/link", false}, {"./a", "link", false},
		{"..//..//x", "a/b/link", false}, {"../../../x", "a/b/link", true}, {"a..b/..c", "link", false}, {"../a/b", "x/link", false},
	} {
		if got := unsafeLink(tt.target, tt.where); got != tt.unsafe {
			t.Errorf("%s -> %s: %v", tt.where, tt.target, got)
		}
	}
}
