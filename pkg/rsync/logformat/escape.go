package logformat

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Escape shows what is not printable as \#ooo, the byte in octal, so that a
// name cannot play with the terminal (log.c:filtered_fwrite).
func Escape(s string) string {
	clean := func(s string) bool {
		for i, r := range s {
			if r == utf8.RuneError || !unicode.IsPrint(r) || isEscape(s[i:]) {
				return false
			}
		}
		return true
	}
	if clean(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 || !unicode.IsPrint(r) && r != '\t' || isEscape(s[i:]) {
			for _, c := range []byte(s[i : i+n]) {
				fmt.Fprintf(&b, "\\#%03o", c)
			}
		} else {
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

// EscapeControls is [Escape] under -8: characters beyond ASCII stay.
func EscapeControls(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || isEscape(s[i:]) {
			fmt.Fprintf(&b, "\\#%03o", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// isEscape reports whether s starts like an escape, and so needs one itself.
func isEscape(s string) bool {
	if len(s) < 5 || s[0] != '\\' || s[1] != '#' {
		return false
	}
	for _, c := range []byte(s[2:5]) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
