package restricted

import (
	"errors"
	"strconv"
	"strings"
)

// letter is one byte of a word, and whether it stood in quotes.
type letter struct {
	c      byte
	quoted bool
}

// maxBraces is how many words the braces of a command may make, maxNested how many
// pairs of them a word may have.
const (
	maxBraces = 1000
	maxNested = 100
)

// errManyBraces is what a command gets that has more.
var errManyBraces = errors.New("the braces in a name make too many names")

// braces expands {a,b} and {1..9} in a word as rrsync does where python3-braceexpand
// is installed, and bash for the most part: braces that have no counterpart leave the
// whole word as it is. Clients since 3.2.4 quote braces; with older ones they are meant.
func braces(word []letter) ([][]letter, error) {
	n := 0
	for _, l := range word {
		if l.is('{') {
			n++
		}
	}
	if n > maxNested {
		return nil, errManyBraces
	}
	all := [][]letter{nil}
	for i := 0; i < len(word); i++ {
		var next [][]letter
		switch {
		case word[i].is('}'):
			return [][]letter{word}, nil
		case word[i].is('{'):
			n := closing(word[i:])
			if n < 0 {
				return [][]letter{word}, nil
			}
			var err error
			if next, err = alternatives(word[i+1 : i+n]); err != nil {
				return nil, err
			}
			i += n
		default:
			next = [][]letter{word[i : i+1]}
		}
		if len(all)*len(next) > maxBraces {
			return nil, errManyBraces
		}
		longer := make([][]letter, 0, len(all)*len(next))
		for _, a := range all {
			for _, b := range next {
				longer = append(longer, append(a[:len(a):len(a)], b...))
			}
		}
		all = longer
	}
	return all, nil
}

func (l letter) is(c byte) bool { return l.c == c && !l.quoted }

// closing finds the brace that closes the first one, -1 if there is none.
func closing(word []letter) int {
	depth := 0
	for i, l := range word {
		switch {
		case l.is('{'):
			depth++
		case l.is('}'):
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// alternatives are what may stand in the place of braces: the parts of a list, the
// steps of a range, or else the braces with what is in them.
func alternatives(inner []letter) ([][]letter, error) {
	if r, ok, err := steps(inner); ok || err != nil {
		return r, err
	}
	parts, depth, start := [][]letter{}, 0, 0
	for i, l := range inner {
		switch {
		case l.is('{'):
			depth++
		case l.is('}'):
			depth--
		case l.is(',') && depth == 0:
			parts = append(parts, inner[start:i])
			start = i + 1
		}
	}
	parts = append(parts, inner[start:])
	var all [][]letter
	for _, p := range parts {
		more, err := braces(p)
		if err != nil {
			return nil, err
		}
		if all = append(all, more...); len(all) > maxBraces {
			return nil, errManyBraces
		}
	}
	if len(parts) > 1 {
		return all, nil
	}
	for i, a := range all {
		all[i] = append(append([]letter{{c: '{'}}, a...), letter{c: '}'})
	}
	return all, nil
}

// steps are those of FROM..TO and FROM..TO..STEP, of numbers or of letters; ok is
// false for anything else.
func steps(inner []letter) (all [][]letter, ok bool, err error) {
	var text strings.Builder
	for _, l := range inner {
		if l.quoted {
			return nil, false, nil
		}
		text.WriteByte(l.c)
	}
	f := strings.Split(text.String(), "..")
	if len(f) < 2 || len(f) > 3 {
		return nil, false, nil
	}
	step := int64(1)
	if len(f) == 3 {
		n, ok := number(f[2])
		if !ok {
			return nil, false, nil
		}
		step = max(1, n, -n)
	}
	from, ok1 := number(f[0])
	to, ok2 := number(f[1])
	show := func(n int64) string { return padded(n, width(f[0], f[1])) }
	if !ok1 || !ok2 {
		if !isLetter(f[0]) || !isLetter(f[1]) {
			return nil, false, nil
		}
		from, to = int64(f[0][0]), int64(f[1][0])
		show = func(n int64) string { return string(rune(n)) }
	}
	if from > to {
		step = -step
	}
	for n := from; step > 0 && n <= to || step < 0 && n >= to; n += step {
		s := show(n)
		if !ok1 && !isLetter(s) {
			continue // what is between Z and a
		}
		if len(all) == maxBraces {
			return nil, true, errManyBraces
		}
		var word []letter
		for i := range len(s) {
			word = append(word, letter{c: s[i]})
		}
		all = append(all, word)
	}
	return all, true, nil
}

// number reads a whole number, which is small enough that sums of two are exact.
func number(s string) (int64, bool) {
	n, err := strconv.ParseInt(s, 10, 32)
	return n, err == nil && s[0] != '+'
}

func isLetter(s string) bool {
	return len(s) == 1 && (s[0] >= 'a' && s[0] <= 'z' || s[0] >= 'A' && s[0] <= 'Z')
}

// width is how wide the numbers of a range are: as its ends, if one begins with 0.
func width(ends ...string) int {
	wide, pads := 0, false
	for _, s := range ends {
		wide = max(wide, len(s))
		digits := strings.TrimPrefix(s, "-")
		pads = pads || len(digits) > 1 && digits[0] == '0'
	}
	if !pads {
		return 0
	}
	return wide
}

func padded(n int64, wide int) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	return sign + strings.Repeat("0", max(0, wide-len(sign)-len(s))) + s
}
