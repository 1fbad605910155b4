package options

import (
	"strconv"
	"strings"
	"time"
)

// minBwLimit is the lowest rate in bytes a second. // options.c:parse_arguments
const minBwLimit = 512

// setBwLimit reads a rate: a size whose unit is KiB where none is given.
func setBwLimit(s *state, arg string) *Error {
	text := arg
	if arg != "" && (arg[len(arg)-1] >= '0' && arg[len(arg)-1] <= '9' || arg[len(arg)-1] == '.') {
		text += "K"
	}
	n, problem := parseSize(text, maxInt64)
	if problem == "" && n != 0 && n < minBwLimit {
		problem = "too small (min: " + strconv.Itoa(minBwLimit) + " or 0 for unlimited)"
	}
	if problem != "" {
		return syntaxError("%s--bwlimit=%s is %s", s.remote(), arg, problem)
	}
	s.BwLimit = n / 1024
	if n%1024 >= 512 {
		s.BwLimit++
	}
	return nil
}

// minMaxAlloc is the least that --max-alloc takes. // options.c:parse_arguments
const minMaxAlloc = 1 << 20

func setMaxAlloc(s *state, arg string) *Error {
	n, problem := parseSize(arg, maxInt64)
	if problem == "" && n != 0 && n < minMaxAlloc {
		problem = "too small (min: 1.00M or 0 for unlimited)"
	}
	if problem != "" {
		return syntaxError("%s--max-alloc=%s is %s", s.remote(), arg, problem)
	}
	s.MaxAlloc, s.maxAllocWord = Number{true, n}, "--max-alloc="+arg
	return nil
}

// stopAfter reads how many minutes a run may take.
func stopAfter(s *state, arg string) *Error {
	n, err := s.parseInt("stop-after", arg)
	if err != nil {
		return err
	}
	if n <= 0 {
		return syntaxError("invalid --stop-after value: %s", arg)
	}
	s.StopAfter = int(n)
	return nil
}

// StopTime is the next point in time after now that fits a value of --stop-at:
// year-month-dayThour:minute, of which larger parts may be missing; a day
// without a time begins at midnight. // options.c:parse_time
func StopTime(value string, now time.Time) (time.Time, error) {
	invalid := syntaxError("invalid --stop-at format: %s", value)
	date, clock, parted := strings.Cut(value, "T")
	if !parted && strings.Contains(value, ":") {
		date, clock = "", value
	}
	if date == "" && clock == "" {
		return time.Time{}, invalid
	}
	y, mon, d := now.Year(), int(now.Month()), now.Day()
	h, m := 0, 0
	step := func(t time.Time, n int) time.Time { return t.AddDate(0, 0, n) }
	if clock != "" {
		hour, minute, ok := strings.Cut(clock, ":")
		var good bool
		if m, good = field(minute, 0, 59); !ok || !good {
			return time.Time{}, invalid
		}
		if h, good = field(hour, 0, 23); hour != "" && !good || hour == "" && date != "" {
			return time.Time{}, invalid
		}
		if hour == "" {
			h = now.Hour()
			step = func(t time.Time, n int) time.Time { return t.Add(time.Duration(n) * time.Hour) }
		}
	}
	if date != "" {
		parts := strings.FieldsFunc(date, func(r rune) bool { return r == '-' || r == '/' })
		if len(parts) != strings.Count(date, "-")+strings.Count(date, "/")+1 || len(parts) > 3 {
			return time.Time{}, invalid
		}
		var ok [3]bool
		ok[0], ok[1] = true, true
		d, ok[2] = field(parts[len(parts)-1], 1, 31)
		step = func(_ time.Time, n int) time.Time { return exactly(y, mon+n, d, h, m, now) }
		if len(parts) > 1 {
			mon, ok[1] = field(parts[len(parts)-2], 1, 12)
			step = func(_ time.Time, n int) time.Time { return exactly(y+n, mon, d, h, m, now) }
		}
		if len(parts) > 2 {
			if y, ok[0] = field(parts[0], 0, 9999); y < 100 {
				y += now.Year() / 100 * 100
			}
			step = func(time.Time, int) time.Time { return exactly(y, mon, d, h, m, now) }
		}
		if ok != [3]bool{true, true, true} {
			return time.Time{}, invalid
		}
	}
	first := time.Date(y, time.Month(mon), d, h, m, 0, 0, now.Location())
	const years = 8 // within which each February 29 comes again
	for n := range 12 * years {
		if t := step(first, n); t.After(now) {
			return t, nil
		}
	}
	return time.Time{}, syntaxError("--stop-at time is not in the future: %s", value)
}

// field reads a number of up to four digits.
func field(s string, low, high int) (int, bool) {
	n, err := strconv.ParseUint(s, 10, 14)
	return int(n), err == nil && int(n) >= low && int(n) <= high
}

// exactly is a point in time, or none where the month has no such day.
func exactly(y, mon, d, h, m int, now time.Time) time.Time {
	t := time.Date(y, time.Month(mon), d, h, m, 0, 0, now.Location())
	if t.Day() != d {
		return time.Time{}
	}
	return t
}
