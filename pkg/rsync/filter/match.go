package filter

import "strings"

// matcher is a pattern prepared for names. // exclude.c:add_rule, rule_matches
type matcher struct {
	glob  string // the pattern without its anchoring slash
	again string // where set, a second glob: glob after any slash
	tail  int    // where > 0, only the last so many components count

	lastOnly  bool // only the name's last component counts
	deepFirst bool // the pattern begins with **
	orSelf    bool // the pattern ends with ***
	wild      bool
}

// newMatcher prepares pattern, from which a trailing slash was taken already.
func newMatcher(pattern string) matcher {
	slashes := strings.Count(pattern, "/")
	m := matcher{wild: strings.ContainsAny(pattern, "*?[")}
	deep := strings.Contains(pattern, "**")
	m.lastOnly = slashes == 0 && !deep
	m.deepFirst = strings.HasPrefix(pattern, "**")
	m.orSelf = strings.HasSuffix(pattern, "***")
	var anchored bool
	m.glob, anchored = strings.CutPrefix(pattern, "/")
	switch {
	case anchored || m.lastOnly || m.deepFirst:
	case deep:
		m.again = "**/" + pattern
	default:
		m.tail = slashes + 1
	}
	return m
}

// matches reports whether text, as far as it counts, is what the pattern says.
func (m *matcher) matches(text string) bool {
	if m.tail > 0 {
		var enough bool
		if text, enough = lastComponents(text, m.tail); !enough {
			return false
		}
	}
	if !m.wild {
		return text == m.glob
	}
	return glob(m.glob, text) || m.again != "" && glob(m.again, text)
}

// lastComponents is the end of path that holds n components; ok is false if it
// has fewer.
func lastComponents(path string, n int) (end string, ok bool) {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '/' {
			if n--; n == 0 {
				return path[i+1:], true
			}
		}
	}
	return path, n == 1
}

// glob matches all of t with the wildcards of pattern p: ? for one byte that is
// no slash, * for any number of those, ** for any bytes, classes in brackets,
// and a backslash before a byte that stands for itself. A malformed class
// matches nothing. // lib/wildmatch.c:dowild
//
// It goes back to the last star only, and beyond that to the last double star,
// which is enough to be exact: an earlier star could merely reach the same
// places later. Where that takes too many steps, globStates decides instead.
func glob(p, t string) bool {
	i, j := 0, 0
	star, starAt := -1, 0 // what follows the last *, and where in t it began
	deep, deepAt := -1, 0 // the same of the last **
	for left := 16 * (len(p) + len(t) + 16); left > 0; left-- {
		if i < len(p) && p[i] == '*' {
			end := starsEnd(p, i)
			if end-i > 1 {
				deep, deepAt, star = end, j, -1
			} else {
				star, starAt = end, j
			}
			i = end
			continue
		}
		if j == len(t) {
			// Starting a star's rest later would leave it even less.
			return i == len(p)
		}
		if i < len(p) {
			if size, ok := step(p[i:], t[j]); ok {
				i += size
				j++
				continue
			}
		}
		switch {
		case star >= 0 && t[starAt] != '/':
			starAt++
			i, j = star, starAt
		case deep >= 0:
			deepAt++
			i, j, star = deep, deepAt, -1
		default:
			return false
		}
	}
	return globStates(p, t)
}

// starsEnd is the index behind the run of stars at p[i].
func starsEnd(p string, i int) int {
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i
}

// globStates is glob in a time bounded by the product of both lengths: it
// follows all ways through the pattern at once.
func globStates(p, t string) bool {
	now, next := make([]bool, len(p)+1), make([]bool, len(p)+1)
	enter := func(states []bool, i int) {
		states[i] = true
		if i < len(p) && p[i] == '*' {
			states[starsEnd(p, i)] = true // a star may match nothing
		}
	}
	enter(now, 0)
	for j := range len(t) {
		clear(next)
		alive := false
		for i, here := range now[:len(p)] {
			switch {
			case !here:
			case p[i] == '*':
				if t[j] != '/' || starsEnd(p, i)-i > 1 {
					enter(next, i)
					alive = true
				}
			default:
				if size, ok := step(p[i:], t[j]); ok {
					enter(next, i+size)
					alive = true
				}
			}
		}
		if !alive {
			return false
		}
		now, next = next, now
	}
	return now[len(p)]
}

// step holds c against the first item of p, which is neither empty nor a star,
// and returns how many bytes of p the item takes.
func step(p string, c byte) (size int, ok bool) {
	switch p[0] {
	case '?':
		return 1, c != '/'
	case '[':
		return class(p, c)
	case '\\':
		if len(p) == 1 {
			return 1, false
		}
		return 2, p[1] == c
	}
	return 1, p[0] == c
}
