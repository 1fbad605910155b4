package client

import (
	"strconv"
)

// Number writes a count of bytes as -h asks for: -1 plain, 0 with commas
// between thousands, 1 in units of 1000, 2 and more in units of 1024
// (lib/compat.c:do_big_num).
func Number(n int64, level int) string {
	if level > 0 {
		if s, ok := inUnits(float64(n), level); ok {
			return s
		}
	}
	if level < 0 {
		return strconv.FormatInt(n, 10)
	}
	return Commas(n)
}

// Decimal is Number for what has a fraction, of which it writes two digits.
func Decimal(f float64, level int) string {
	if level > 0 {
		if s, ok := inUnits(f, level); ok {
			return s
		}
	}
	if level < 0 {
		return strconv.FormatFloat(f, 'f', 2, 64)
	}
	return commas(f)
}

// inUnits writes f with a letter for its unit; false if it is too small.
func inUnits(f float64, level int) (string, bool) {
	step := 1000.0
	if level > 1 {
		step = 1024
	}
	if f < step && f > -step {
		return "", false
	}
	const units = "KMGTP"
	i := 0
	for f /= step; (f >= step || f <= -step) && i < len(units)-1; i++ {
		f /= step
	}
	return strconv.FormatFloat(f, 'f', 2, 64) + units[i:i+1], true
}
