// Package charset converts file names between the character set of one side
// and UTF-8, which names are in while they travel under --iconv (rsync.c:
// setup_iconv, iconvbufs).
//
// A name is only converted if it converts back to itself. So two names of one
// folder never become one, and what cannot be converted is an error that the
// caller tells of: no name is guessed.
package charset

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Why a name is not converted, in the words of the C library (EILSEQ, E2BIG).
var (
	ErrInvalid = errors.New("invalid or incomplete multibyte or wide character")
	ErrTooLong = errors.New("argument list too long")
)

// maxName is how long a name or a link's target may get, in bytes: one less than
// what Linux takes with the zero byte at its end.
const maxName = 4095

// table is a character set that has ASCII in its lower half. Both methods report
// false for what the other side of the table has no like of.
type table interface {
	// decode appends src, in the character set, as UTF-8.
	decode(dst, src []byte) ([]byte, bool)
	// encode appends src, which is UTF-8, in the character set.
	encode(dst, src []byte) ([]byte, bool)
}

// Conversion converts between one character set and UTF-8. It is not changed by
// its use: several goroutines may share it. A nil *Conversion leaves everything
// as it is.
type Conversion struct {
	name  string
	table table
}

// Open returns the conversion for a character set by one of its usual names;
// case, dashes, underscores and the like do not count.
func Open(name string) (*Conversion, error) {
	k := key(name)
	for _, s := range sets() {
		if slices.Contains(s.keys, k) {
			return &Conversion{s.name, s.table()}, nil
		}
	}
	return nil, fmt.Errorf("the character set %q is not known to this program, which has %s", clip(name), strings.Join(Names(), ", "))
}

// Names returns the character sets that [Open] knows, by their usual names.
func Names() []string {
	var names []string
	for _, s := range sets() {
		names = append(names, s.name)
	}
	return names
}

// set is a character set and what it is called, as [key] has it.
type set struct {
	name  string
	keys  []string
	table func() table
}

// key leaves of a name what counts: "ISO_8859-1" and "iso88591" are one.
func key(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		}
		return -1
	}, clip(name))
}

func clip(name string) string { return name[:min(len(name), 64)] }

// Name is the character set's usual name, "" for a nil Conversion.
func (c *Conversion) Name() string {
	if c == nil {
		return ""
	}
	return c.name
}

// ToWire converts a name of this side to UTF-8. Errors are [ErrInvalid] and
// [ErrTooLong].
func (c *Conversion) ToWire(name string) (string, error) {
	if c == nil {
		return name, nil
	}
	return convert(name, c.table.decode, c.table.encode)
}

// FromWire converts a name from UTF-8 to this side's character set. Errors are
// those of [Conversion.ToWire].
func (c *Conversion) FromWire(name string) (string, error) {
	if c == nil {
		return name, nil
	}
	return convert(name, c.table.encode, c.table.decode)
}

// step is one direction of a table.
type step func(dst, src []byte) ([]byte, bool)

func convert(name string, there, back step) (string, error) {
	if len(name) > maxName {
		return "", ErrTooLong
	}
	made, ok := there(make([]byte, 0, len(name)+16), []byte(name))
	if !ok {
		return "", ErrInvalid
	}
	if len(made) > maxName {
		return "", ErrTooLong
	}
	again, ok := back(make([]byte, 0, len(name)), made)
	if !ok || string(again) != name {
		return "", ErrInvalid
	}
	return string(made), nil
}

// TextToWire converts what people read, such as a message: bytes that cannot be
// converted stay as they are.
func (c *Conversion) TextToWire(text string) string {
	if c == nil {
		return text
	}
	return leniently(text, c.table.decode)
}

// TextFromWire is the way back of [Conversion.TextToWire].
func (c *Conversion) TextFromWire(text string) string {
	if c == nil {
		return text
	}
	return leniently(text, c.table.encode)
}

// maxText is how much text is looked at letter by letter, in bytes. Beyond it stays
// what cannot be converted as a whole.
const maxText = 16 << 10

// longest is how many bytes a character has at most, in any of the sets.
const longest = 4

// leniently converts what it can, a character at a time where something is amiss
// (rsync.c:iconvbufs, ICB_INCLUDE_BAD).
func leniently(text string, s step) string {
	src := []byte(text)
	if made, ok := s(make([]byte, 0, len(src)+16), src); ok {
		return string(made)
	}
	if len(src) > maxText {
		return text
	}
	dst := make([]byte, 0, len(src)+16)
	for len(src) > 0 {
		n := 1
		for ; n <= min(longest, len(src)); n++ {
			if made, ok := s(dst, src[:n]); ok {
				dst = made
				break
			}
		}
		if n > min(longest, len(src)) {
			n = 1
			dst = append(dst, src[0])
		}
		src = src[n:]
	}
	return string(dst)
}

// plain is UTF-8 itself: names only have to be sound.
type plain struct{}

func (plain) decode(dst, src []byte) ([]byte, bool) { return append(dst, src...), utf8.Valid(src) }
func (plain) encode(dst, src []byte) ([]byte, bool) { return append(dst, src...), utf8.Valid(src) }

// ascii has nothing but that.
type ascii struct{}

func (ascii) decode(dst, src []byte) ([]byte, bool) {
	return append(dst, src...), !slices.ContainsFunc(src, func(b byte) bool { return b >= utf8.RuneSelf })
}
func (a ascii) encode(dst, src []byte) ([]byte, bool) { return a.decode(dst, src) }
