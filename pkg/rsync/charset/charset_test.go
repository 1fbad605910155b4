package charset

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func open(t testing.TB, name string) *Conversion {
	t.Helper()
	c, err := Open(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestConvert(t *testing.T) {
	for _, tt := range []struct{ set, here, wire string }{
		{"utf8", "ä☃/日本", "ä☃/日本"},
		{"US-ASCII", "a/b~", "a/b~"},
		{"iso88591", "\xe4/\xff\xa4", "ä/ÿ¤"},
		{"ISO_8859-15", "\xe4/\xa4", "ä/€"},
		{"cp1252", "\x80\x84", "€„"},
	} {
		c := open(t, tt.set)
		if got, err := c.ToWire(tt.here); err != nil || got != tt.wire {
			t.Errorf("%s to the wire: %q, %v", tt.set, got, err)
		}
		if got, err := c.FromWire(tt.wire); err != nil || got != tt.here {
			t.Errorf("%s from the wire: %q, %v", tt.set, got, err)
		}
	}
}

func TestCannotConvert(t *testing.T) {
	long := strings.Repeat("ä", 2047) + "a"
	for _, tt := range []struct {
		set, name string
		from      bool
		want      error
	}{
		{"utf8", "a\xff", false, ErrInvalid}, {"utf8", "a\xc3", true, ErrInvalid}, {"utf8", "\xed\xa0\x80", true, ErrInvalid},
		{"ascii", "\x80", false, ErrInvalid}, {"ascii", "ä", true, ErrInvalid},
		{"latin1", "☃", true, ErrInvalid}, {"latin1", "\xc3", true, ErrInvalid}, {"latin1", "a\ufffd", true, ErrInvalid},
		{"latin1", strings.Repeat("\xe4", 2048), false, ErrTooLong}, {"latin1", strings.Repeat("a", 4096), true, ErrTooLong},
		{"latin1", strings.Repeat("\xe4", 2047) + "a", false, nil}, {"latin1", long, true, nil},
	} {
		c := open(t, tt.set)
		convert := c.ToWire
		if tt.from {
			convert = c.FromWire
		}
		if got, err := convert(tt.name); !errors.Is(err, tt.want) || err != nil && got != "" {
			t.Errorf("%s, %.20q: %.20q, %v; want %v", tt.set, tt.name, got, err, tt.want)
		}
	}
}

func TestText(t *testing.T) {
	c := open(t, "latin1")
	for wire, here := range map[string]string{"plain": "plain", "é ☃ ä\xff": "\xe9 ☃ \xe4\xff", "\xc3": "\xc3", "": ""} {
		if got := c.TextFromWire(wire); got != here {
			t.Errorf("%q becomes %q, not %q", wire, got, here)
		}
	}
	if got := c.TextToWire("\xe9"); got != "é" {
		t.Errorf("%q", got)
	}
	if got := open(t, "utf8").TextToWire("é\xff☃"); got != "é\xff☃" {
		t.Errorf("%q", got)
	}
}

func TestNone(t *testing.T) {
	var c *Conversion
	a, errA := c.ToWire("\xff")
	b, errB := c.FromWire("\xff")
	if all := a + b + c.TextToWire("\xff") + c.TextFromWire("\xff") + c.Name(); all != "\xff\xff\xff\xff" || errA != nil || errB != nil {
		t.Errorf("%q, %v, %v", all, errA, errB)
	}
}

func TestOpen(t *testing.T) {
	seen := map[string]string{}
	for _, s := range sets() {
		for _, k := range append(s.keys, key(s.name)) {
			if k != key(k) || seen[k] != "" && seen[k] != s.name {
				t.Errorf("%s: the key %q, also of %q", s.name, k, seen[k])
			}
			seen[k] = s.name
		}
		if c := open(t, s.name); c.Name() != s.name {
			t.Errorf("%s opens %s", s.name, c.Name())
		}
	}
	for _, name := range []string{"", "-", "nix", "UTF-16", "IBM037", "iso88591,utf8", strings.Repeat("utf8", 100)} {
		if _, err := Open(name); err == nil || !strings.Contains(err.Error(), "US-ASCII, ISO-8859-1,") {
			t.Errorf("%.20q: %v", name, err)
		}
	}
}

func TestLocale(t *testing.T) {
	for _, tt := range []struct{ all, ctype, lang, want string }{
		{"", "", "", "US-ASCII"}, {"C", "", "de_DE.UTF-8", "US-ASCII"}, {"", "", "de_DE.ISO-8859-15@euro", "ISO-8859-15"},
		{"C.UTF-8", "de_DE.latin1", "POSIX", "UTF-8"}, {"", "de_DE.latin1", "C.UTF-8", "ISO-8859-1"}, {"", "", "de_DE", ""}, {"", "", "x.nix", ""},
	} {
		env := func(name string) (string, bool) {
			v := map[string]string{"LC_ALL": tt.all, "LC_CTYPE": tt.ctype, "LANG": tt.lang}[name]
			return v, v != ""
		}
		if c, err := OpenIn(env, "."); c.Name() != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%+v: %q, %v", tt, c.Name(), err)
		}
		if c, err := OpenIn(env, "latin1"); err != nil || c.Name() != "ISO-8859-1" {
			t.Errorf("%v", err)
		}
	}
}

// What is a path's syntax stays so in each character set: ASCII is itself, and
// no other character brings a slash, a dot or a zero byte.
func TestSyntaxIsSafe(t *testing.T) {
	for _, s := range sets() {
		c := s.table()
		var ascii []byte
		for b := byte(1); b < utf8.RuneSelf; b++ {
			ascii = append(ascii, b)
		}
		for _, step := range []step{c.encode, c.decode} {
			if got, ok := step(nil, ascii); !ok || !bytes.Equal(got, ascii) {
				t.Errorf("%s: ASCII is %q, %v", s.name, got, ok)
			}
		}
		for r := rune(utf8.RuneSelf); r < 0x10000; r++ {
			if !utf8.ValidRune(r) {
				continue
			}
			if made, ok := c.encode(nil, []byte(string(r))); ok && bytes.ContainsAny(made, "/.\x00") {
				t.Errorf("%s: %q is %q", s.name, r, made)
			}
		}
		for b := 0; b < 0x10000; b++ {
			in := []byte{byte(b >> 8), byte(b)}
			if bytes.ContainsAny(in, "/.\x00") {
				continue
			}
			if made, ok := c.decode(nil, in); ok && bytes.ContainsAny(made, "/.\x00") {
				t.Errorf("%s: the bytes %q are %q", s.name, in, made)
			}
		}
	}
}

// FuzzConvert has any bytes converted both ways: what is converted comes back, is
// no path that it was not, and leniently nothing gets lost.
func FuzzConvert(f *testing.F) {
	for i := range sets() {
		f.Add(byte(i), "a/\xe4\x84/ä☃€日本\xff")
		f.Add(byte(i), "\x82\xa0\xb0\xa1/\x81\x30\x81\x30")
	}
	all := sets()
	f.Fuzz(func(t *testing.T, i byte, name string) {
		c := &Conversion{"", all[int(i)%len(all)].table()}
		for _, way := range [][2]func(string) (string, error){{c.ToWire, c.FromWire}, {c.FromWire, c.ToWire}} {
			made, err := way[0](name)
			if err != nil {
				continue
			}
			if back, err := way[1](made); err != nil || back != name {
				t.Errorf("%q becomes %q, and that %q, %v", name, made, back, err)
			}
			if strings.Count(made, "/") != strings.Count(name, "/") || strings.Count(made, "\x00") != strings.Count(name, "\x00") || len(made) > maxName {
				t.Errorf("%q becomes %q", name, made)
			}
			if text := c.TextToWire(name); utf8.ValidString(name) && c.table == (table)(plain{}) && text != name {
				t.Errorf("%q is shown as %q", name, text)
			}
		}
		if len(c.TextToWire(name)) < len(name)/longest || len(c.TextFromWire(name)) < len(name)/longest {
			t.Errorf("of %q something is lost", name)
		}
	})
}
