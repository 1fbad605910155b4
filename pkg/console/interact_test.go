package console

import "testing"

func TestLeaver(t *testing.T) {
	tests := []struct {
		typed, through string
		leave          bool
	}{
		{"~.", "", true},
		{"ls\r~.rest", "ls\r", true},
		{"a~.b", "a~.b", false},
		{"~~.", "~.", false},
		{"~x", "~x", false},
		{"cd ~\n", "cd ~\n", false},
		{"\x03~.", "\x03", true},
	}
	for _, tt := range tests {
		var v leaver
		var got []byte
		left := false
		for _, b := range []byte(tt.typed) { // one by one, as somebody types
			through, leave := v.filter([]byte{b})
			got = append(got, through...)
			if left = leave; leave {
				break
			}
		}
		if string(got) != tt.through || left != tt.leave {
			t.Errorf("%q: %q, leave %v", tt.typed, got, left)
		}
		v = leaver{}
		if all, leave := v.filter([]byte(tt.typed)); string(all) != tt.through || leave != tt.leave {
			t.Errorf("%q at once: %q, leave %v", tt.typed, all, leave)
		}
	}
}
