package options

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// parseInt reads a whole number as popt does (strtol with base 0): white space
// in front, a sign, 0x for hexadecimal and 0 for octal; nothing at all is 0.
func (s *state) parseInt(option, arg string) (int32, *Error) {
	digits := strings.TrimLeft(arg, " \t\v\f\r\n")
	sign := ""
	if digits != "" && (digits[0] == '-' || digits[0] == '+') {
		sign, digits = digits[:1], digits[1:]
	}
	base := 10
	switch lower := strings.ToLower(digits); {
	case strings.HasPrefix(lower, "0x"):
		base, digits = 16, digits[2:]
	case strings.HasPrefix(lower, "0"):
		base = 8
	}
	if arg == "" {
		return 0, nil
	}
	if digits != "" && (digits[0] == '-' || digits[0] == '+') {
		return 0, s.bad("--"+option+"="+arg, "invalid numeric value")
	}
	n, err := strconv.ParseInt(sign+digits, base, 32)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, s.bad("--"+option+"="+arg, "number too large or too small")
	case err != nil:
		return 0, s.bad("--"+option+"="+arg, "invalid numeric value")
	}
	return int32(n), nil
}

// number makes an action of a whole number between low and high.
func number(option string, low, high int32, put func(*Options, int32)) action {
	return func(s *state, arg string) *Error {
		n, err := s.parseInt(option, arg)
		switch {
		case err != nil:
			return err
		case n < low:
			return s.bad("--"+option+"="+arg, "too small (min: "+strconv.Itoa(int(low))+")")
		case n > high:
			return s.bad("--"+option+"="+arg, "too large (max: "+strconv.Itoa(int(high))+")")
		}
		put(&s.Options, n)
		return nil
	}
}

// text makes an action that keeps the argument as it is.
func text(f func(*Options) *string) action {
	return func(s *state, arg string) *Error { *f(&s.Options) = arg; return nil }
}

// size makes an action of a size in bytes of at most high.
func size(option string, high int64, put func(*Options, int64)) action {
	return func(s *state, arg string) *Error {
		n, problem := parseSize(arg, high)
		if problem != "" {
			return syntaxError("%s--%s=%s is %s", s.remote(), option, arg, problem)
		}
		put(&s.Options, n)
		return nil
	}
}

// ParseSize reads a size as the options do that have one: a number, perhaps
// with a fraction, and a unit, as in 500m, 1.5GB or 2TiB. It is in bytes.
func ParseSize(text string) (int64, error) {
	n, problem := parseSize(text, math.MaxInt64)
	if problem != "" {
		return 0, fmt.Errorf("the size %q is %s", text, problem)
	}
	return n, nil
}

// parseSize reads a number with an optional fraction, one of the letters
// b, k, m, g, t, p (powers of 1024, or of 1000 with a "b" behind, of 1024 with
// "ib") and an optional "+1" or "-1". // options.c:parse_size_arg
func parseSize(arg string, high int64) (n int64, problem string) {
	digits := 0
	for digits < len(arg) && (arg[digits] >= '0' && arg[digits] <= '9' || arg[digits] == '.' && !strings.Contains(arg[:digits], ".")) {
		digits++
	}
	f := 0.0
	if strings.Trim(arg[:digits], ".") != "" {
		var err error
		if f, err = strconv.ParseFloat(arg[:digits], 64); err != nil && !errors.Is(err, strconv.ErrRange) {
			return 0, "invalid"
		}
	}
	power, rest := 0, strings.ToLower(arg[digits:])
	if rest != "" && rest[0] != '+' && rest[0] != '-' {
		if power = strings.IndexByte("bkmgtp", rest[0]); power < 0 {
			return 0, "invalid"
		}
		rest = rest[1:]
	}
	unit := 1024.0
	switch {
	case strings.HasPrefix(rest, "ib"):
		rest = rest[2:]
	case strings.HasPrefix(rest, "b"):
		unit, rest = 1000, rest[1:]
	}
	f *= math.Pow(unit, float64(power))
	if f >= math.MaxInt64 {
		return 0, "too large"
	}
	n = int64(f)
	switch {
	case rest == "+1" && len(arg) > 2 && n < math.MaxInt64:
		n++
	case rest == "-1" && len(arg) > 2:
		n--
	case rest != "":
		return 0, "invalid"
	}
	switch {
	case n < 0:
		return 0, "too small (min: 0)"
	case n > high:
		return 0, "too large (max: " + strconv.FormatInt(high, 10) + ")"
	}
	return n, ""
}

// remoteShell is -e: a command for a client; a server learns by it what the
// client can do.
func remoteShell(s *state, arg string) *Error {
	if s.mode == server {
		return clientInfo(s, arg)
	}
	s.Shell = arg
	return nil
}

// clientInfo reads what a client says of itself behind -e: letters after a
// dot or, of a pre-release, after its version. // compat.c:check_sub_protocol
func clientInfo(s *state, arg string) *Error {
	version := strings.TrimLeft(arg, "0123456789.")
	s.ClientPrerelease = strings.Trim(arg[:len(arg)-len(version)], ".")
	s.ClientInfo = version
	return nil
}
