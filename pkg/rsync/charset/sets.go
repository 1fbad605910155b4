//go:build !board

package charset

import (
	"bytes"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
)

// sets are the character sets of this build: those in which ASCII is ASCII and
// no character has a byte of a slash in it. UTF-16, EBCDIC and ISO-2022 are no
// character sets for names.
func sets() []set {
	return append(fewSets(),
		bytewiseSet("ISO-8859-2", iso(charmap.ISO8859_2), "latin2", "l2", "isolatin2"),
		bytewiseSet("ISO-8859-3", iso(charmap.ISO8859_3), "latin3", "l3"),
		bytewiseSet("ISO-8859-4", iso(charmap.ISO8859_4), "latin4", "l4"),
		bytewiseSet("ISO-8859-5", iso(charmap.ISO8859_5), "cyrillic"),
		bytewiseSet("ISO-8859-6", iso(charmap.ISO8859_6), "arabic"),
		bytewiseSet("ISO-8859-7", iso(charmap.ISO8859_7), "greek"),
		bytewiseSet("ISO-8859-8", iso(charmap.ISO8859_8), "hebrew"),
		bytewiseSet("ISO-8859-9", iso(charmap.ISO8859_9), "latin5", "l5"),
		bytewiseSet("ISO-8859-10", iso(charmap.ISO8859_10), "latin6", "l6"),
		bytewiseSet("ISO-8859-13", iso(charmap.ISO8859_13), "latin7", "l7"),
		bytewiseSet("ISO-8859-14", iso(charmap.ISO8859_14), "latin8", "l8"),
		bytewiseSet("ISO-8859-16", iso(charmap.ISO8859_16), "latin10", "l10"),
		bytewiseSet("windows-1250", charmap.Windows1250.DecodeByte, "cp1250"),
		bytewiseSet("windows-1251", charmap.Windows1251.DecodeByte, "cp1251"),
		bytewiseSet("windows-1253", charmap.Windows1253.DecodeByte, "cp1253"),
		bytewiseSet("windows-1254", charmap.Windows1254.DecodeByte, "cp1254"),
		bytewiseSet("windows-1255", charmap.Windows1255.DecodeByte, "cp1255"),
		bytewiseSet("windows-1256", charmap.Windows1256.DecodeByte, "cp1256"),
		bytewiseSet("windows-1257", charmap.Windows1257.DecodeByte, "cp1257"),
		bytewiseSet("windows-1258", charmap.Windows1258.DecodeByte, "cp1258"),
		bytewiseSet("windows-874", charmap.Windows874.DecodeByte, "cp874"),
		bytewiseSet("IBM437", charmap.CodePage437.DecodeByte, "cp437", "437"),
		bytewiseSet("IBM850", charmap.CodePage850.DecodeByte, "cp850", "850"),
		bytewiseSet("IBM852", charmap.CodePage852.DecodeByte, "cp852", "852"),
		bytewiseSet("IBM855", charmap.CodePage855.DecodeByte, "cp855", "855"),
		bytewiseSet("IBM858", charmap.CodePage858.DecodeByte, "cp858", "858"),
		bytewiseSet("IBM866", charmap.CodePage866.DecodeByte, "cp866", "866"),
		bytewiseSet("KOI8-R", charmap.KOI8R.DecodeByte),
		bytewiseSet("KOI8-U", charmap.KOI8U.DecodeByte),
		bytewiseSet("macintosh", charmap.Macintosh.DecodeByte, "mac"),
		manySet("EUC-JP", japanese.EUCJP, "ujis"),
		manySet("Shift_JIS", japanese.ShiftJIS, "sjis", "cp932", "windows31j"),
		manySet("EUC-KR", korean.EUCKR, "cp949", "uhc"),
		manySet("GBK", simplifiedchinese.GBK, "cp936"),
		manySet("GB18030", simplifiedchinese.GB18030),
		manySet("Big5", traditionalchinese.Big5, "bigfive", "cp950"),
	)
}

// iso has control characters between the halves, as the C library does and x/text
// does not.
func iso(m *charmap.Charmap) func(b byte) rune {
	return func(b byte) rune {
		if b < 0xa0 {
			return rune(b)
		}
		return m.DecodeByte(b)
	}
}

// several is a character set with several bytes for a character, each of which
// stands for itself.
type several struct{ e encoding.Encoding }

func manySet(name string, e encoding.Encoding, keys ...string) set {
	return set{name, append(keys, key(name)), func() table { return several{e} }}
}

// unknown is what x/text's decoders make of what they do not know.
var unknown = []byte(string(utf8.RuneError))

func (t several) decode(dst, src []byte) ([]byte, bool) {
	made, err := t.e.NewDecoder().Bytes(src)
	return append(dst, made...), err == nil && !bytes.Contains(made, unknown)
}

func (t several) encode(dst, src []byte) ([]byte, bool) {
	if !utf8.Valid(src) || bytes.Contains(src, unknown) {
		return dst, false
	}
	made, err := t.e.NewEncoder().Bytes(src)
	return append(dst, made...), err == nil
}
