package charset

import "unicode/utf8"

// bytewise is a character set with a byte for each character.
type bytewise struct {
	upper [128]rune // of the bytes from 128 on; utf8.RuneError: none
	bytes map[rune]byte
}

// newBytewise makes the table of what letter gives for the bytes from 128 on:
// utf8.RuneError where there is none.
func newBytewise(letter func(b byte) rune) *bytewise {
	t := &bytewise{bytes: make(map[rune]byte, 128)}
	for i := range t.upper {
		r := letter(byte(utf8.RuneSelf + i))
		if t.upper[i] = r; r != utf8.RuneError {
			t.bytes[r] = byte(utf8.RuneSelf + i)
		}
	}
	return t
}

func (t *bytewise) decode(dst, src []byte) ([]byte, bool) {
	for _, b := range src {
		r := rune(b)
		if b >= utf8.RuneSelf {
			r = t.upper[b-utf8.RuneSelf]
		}
		if r == utf8.RuneError {
			return dst, false
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst, true
}

func (t *bytewise) encode(dst, src []byte) ([]byte, bool) {
	for len(src) > 0 {
		r, n := utf8.DecodeRune(src)
		b, ok := byte(r), r < utf8.RuneSelf
		if !ok {
			b, ok = t.bytes[r] // which has no utf8.RuneError
		}
		if !ok {
			return dst, false
		}
		dst = append(dst, b)
		src = src[n:]
	}
	return dst, true
}

// bytewiseSet is the set whose upper half letter gives.
func bytewiseSet(name string, letter func(b byte) rune, keys ...string) set {
	return set{name, append(keys, key(name)), func() table { return newBytewise(letter) }}
}

// fewSets are the character sets that every build has: those of the systems that
// boards talk to.
func fewSets() []set {
	return []set{
		{"UTF-8", []string{"utf8", "iso10646utf8"}, func() table { return plain{} }},
		{"US-ASCII", []string{"usascii", "ascii", "ansix341968", "ansix341986", "iso646us", "646"}, func() table { return ascii{} }},
		bytewiseSet("ISO-8859-1", latin1, "latin1", "l1", "isolatin1", "iso885911987", "cp819", "ibm819"),
		bytewiseSet("ISO-8859-15", latin9, "latin9", "isolatin9"),
		bytewiseSet("windows-1252", windows1252, "cp1252", "mswindows1252", "msansi"),
	}
}

func latin1(b byte) rune { return rune(b) }

// latin9 is Latin-1 with the euro and letters of French and Finnish.
func latin9(b byte) rune {
	switch b {
	case 0xa4:
		return '€'
	case 0xa6:
		return 'Š'
	case 0xa8:
		return 'š'
	case 0xb4:
		return 'Ž'
	case 0xb8:
		return 'ž'
	case 0xbc:
		return 'Œ'
	case 0xbd:
		return 'œ'
	case 0xbe:
		return 'Ÿ'
	}
	return latin1(b)
}

// windows1252 is Latin-1 with letters in place of the control characters.
func windows1252(b byte) rune {
	const none = utf8.RuneError
	letters := [32]rune{
		'€', none, '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', none, 'Ž', none,
		none, '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', none, 'ž', 'Ÿ',
	}
	if b < 0xa0 {
		return letters[b-0x80]
	}
	return latin1(b)
}
