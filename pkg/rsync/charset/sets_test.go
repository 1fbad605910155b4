//go:build !board

package charset

import (
	"bytes"
	"os/exec"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/charmap"
)

// The tables that boards have are x/text's, control characters left out.
func TestOwnTables(t *testing.T) {
	for name, m := range map[string]*charmap.Charmap{"ISO-8859-1": charmap.ISO8859_1, "ISO-8859-15": charmap.ISO8859_15, "windows-1252": charmap.Windows1252} {
		own := open(t, name).table.(*bytewise)
		for i, r := range own.upper {
			if want := m.DecodeByte(byte(utf8.RuneSelf + i)); r != want && !(unicode.IsControl(want) || unicode.IsControl(r)) {
				t.Errorf("%s: %#x is %q, not %q", name, utf8.RuneSelf+i, r, want)
			}
		}
	}
}

// A byte means what it means to the C library of rsync.
func TestAgainstIconv(t *testing.T) {
	for _, name := range []string{"ISO-8859-1", "ISO-8859-2", "ISO-8859-5", "ISO-8859-7", "ISO-8859-9", "ISO-8859-15", "windows-1250", "windows-1251", "windows-1252", "KOI8-R", "IBM437", "IBM850"} {
		c := open(t, name)
		var here, wire []byte
		for b := 0x80; b < 0x100; b++ {
			if got, err := c.ToWire(string([]byte{byte(b)})); err == nil {
				here, wire = append(here, byte(b)), append(wire, got...)
			}
		}
		cmd := exec.Command("iconv", "-f", name, "-t", "UTF-8")
		cmd.Stdin = bytes.NewReader(here)
		if want, err := cmd.Output(); err != nil || len(here) < 90 {
			t.Errorf("%s: after %q of %d letters: %v", name, want, len(here), err)
		} else if d := cmp.Diff(string(want), string(wire)); d != "" {
			t.Errorf("%s: iconv (-) and we (+):\n%s", name, d)
		}
	}
}
