package logformat

import (
	"strconv"
	"strings"
)

// Number writes a count as -h asks for: -1 plain, 0 with commas between
// thousands, 1 in units of 1000, 2 and more in units of 1024
// (lib/compat.c:do_big_num).
func Number(n int64, level int) string {
	if s, ok := inUnits(float64(n), level); ok {
		return s
	}
	s := strconv.FormatInt(n, 10)
	if level < 0 {
		return s
	}
	return commas(s)
}

// Decimal is [Number] for what has a fraction, of which it writes two digits.
func Decimal(f float64, level int) string {
	if s, ok := inUnits(f, level); ok {
		return s
	}
	s := strconv.FormatFloat(f, 'f', 2, 64)
	if level < 0 {
		return s
	}
	whole, fraction, found := strings.Cut(s, ".")
	if !found {
		return s // no number at all
	}
	return commas(whole) + "." + fraction
}

// Commas writes a count with commas between thousands.
func Commas(n int64) string { return Number(n, 0) }

func commas(s string) string {
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// inUnits writes f with a letter for its unit; false if it is too small or no
// unit is wanted.
func inUnits(f float64, level int) (string, bool) {
	step := 1000.0
	if level > 1 {
		step = 1024
	}
	if level <= 0 || f < step && f > -step {
		return "", false
	}
	const units = "KMGTP"
	i := 0
	for f /= step; (f >= step || f <= -step) && i < len(units)-1; i++ {
		f /= step
	}
	return strconv.FormatFloat(f, 'f', 2, 64) + units[i:i+1], true
}
