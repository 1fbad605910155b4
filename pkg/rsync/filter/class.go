package filter

import "strings"

// class holds c against the character class that p begins with, as in [a-z_],
// [!0-9] or [[:alpha:]], and returns the length of the class. A class never
// matches a slash. A class without end, or with an unknown [:name:], matches
// nothing, and neither does the pattern that it stands in.
// // lib/wildmatch.c:dowild
func class(p string, c byte) (size int, ok bool) {
	i := 1
	inverted := i < len(p) && (p[i] == '!' || p[i] == '^')
	if inverted {
		i++
	}
	found := false
	var previous byte // the start of a range, if a dash follows; 0 for none
	for first := i; ; first = -1 {
		if i >= len(p) {
			return len(p), false
		}
		if p[i] == ']' && i != first { // a bracket in front stands for itself
			return i + 1, found != inverted && c != '/'
		}
		size, hit, start, valid := member(p[i:], c, previous)
		if !valid {
			return len(p), false
		}
		found = found || hit
		previous = start
		i += size
	}
}

// member holds c against one member of a class: a range's dash and end, a named
// class, or a byte. It returns how many bytes the member takes, whether c is
// meant, and the byte that a following dash would range from (0 for none).
func member(p string, c, previous byte) (size int, hit bool, start byte, valid bool) {
	switch {
	case p[0] == '\\':
		if len(p) < 2 {
			return 0, false, 0, false
		}
		return 2, c == p[1], p[1], true
	case p[0] == '-' && previous != 0 && len(p) > 1 && p[1] != ']':
		size, end := 2, p[1]
		if end == '\\' {
			if len(p) < 3 {
				return 0, false, 0, false
			}
			size, end = 3, p[2]
		}
		return size, previous <= c && c <= end, 0, true
	case strings.HasPrefix(p, "[:"):
		end := strings.IndexByte(p[2:], ']')
		if end < 0 {
			return 0, false, 0, false
		}
		name, closed := strings.CutSuffix(p[2:2+end], ":")
		if !closed {
			break // a plain bracket after all
		}
		hit, known := named(name, c)
		return 2 + end + 1, hit, 0, known
	}
	return 1, c == p[0], p[0], true
}

// named reports whether c belongs to the POSIX class name, in ASCII.
func named(name string, c byte) (hit, known bool) {
	lower := c >= 'a' && c <= 'z'
	upper := c >= 'A' && c <= 'Z'
	digit := c >= '0' && c <= '9'
	graph := c > ' ' && c < 0x7f
	switch name {
	case "alnum":
		return lower || upper || digit, true
	case "alpha":
		return lower || upper, true
	case "blank":
		return c == ' ' || c == '\t', true
	case "cntrl":
		return c < ' ' || c == 0x7f, true
	case "digit":
		return digit, true
	case "graph":
		return graph, true
	case "lower":
		return lower, true
	case "print":
		return graph || c == ' ', true
	case "punct":
		return graph && !lower && !upper && !digit, true
	case "space":
		return c == ' ' || c >= '\t' && c <= '\r', true
	case "upper":
		return upper, true
	case "xdigit":
		return digit || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F', true
	}
	return false, false
}
