package conf

import "strings"

type tokenKind uint8

const (
	tokenParameter tokenKind = iota
	tokenSection
	tokenDirective
)

// scanner takes the text apart into sections, parameters and directives.
// White space is C's isspace. // params.c:Parse
type scanner struct {
	text string // what is still unread
	read int    // physical lines taken so far

	// The token that next found. err is set instead where the line is no good.
	kind        tokenKind
	line        int // where it starts, from 1
	name, value string
	err         string
}

const space = " \t\v\f\r\n"

// next moves to the next token and says whether there was one.
func (s *scanner) next() bool {
	for s.text != "" {
		first := s.physical()
		start := s.read
		// A backslash in front of anything else is passed over, as in rsync.
		for strings.HasPrefix(first, `\`) {
			first = strings.TrimLeft(first[1:], space)
		}
		if first == "" || first[0] == '#' || first[0] == ';' {
			continue // a comment is not continued, whatever it ends in
		}
		*s = scanner{text: s.text, read: s.read, line: start}
		if first[0] == '[' {
			s.section(first)
		} else {
			s.parameter(s.logical(first))
		}
		return true
	}
	return false
}

// physical takes one line without its end and its leading white space.
func (s *scanner) physical() string {
	line, rest, _ := strings.Cut(s.text, "\n")
	s.text = rest
	s.read++
	return strings.TrimLeft(line, space)
}

// logical joins the lines that follow one whose last visible character is a
// backslash. // params.c:Continuation
func (s *scanner) logical(first string) string {
	var b strings.Builder
	for line := first; ; {
		trimmed := strings.TrimRight(line, space)
		if !strings.HasSuffix(trimmed, `\`) {
			b.WriteString(line)
			return b.String()
		}
		b.WriteString(trimmed[:len(trimmed)-1])
		if s.text == "" {
			return b.String()
		}
		line, s.text, _ = strings.Cut(s.text, "\n")
		s.read++
	}
}

// section reads "[name]".
func (s *scanner) section(first string) {
	s.kind = tokenSection
	if !strings.Contains(first, "]") {
		first = s.logical(first)
	}
	name, rest, closed := strings.Cut(first[1:], "]")
	s.name = strings.Join(strings.FieldsFunc(name, isSpace), " ")
	rest = strings.Trim(rest, space)
	switch {
	case !closed:
		s.err = "module header without a closing ]"
	case strings.IndexByte(first, 0) >= 0:
		s.err = "the line holds a zero byte; this is not a text file"
	case s.name == "":
		s.err = "module header without a name between [ and ]"
	case rest != "" && rest[0] != '#' && rest[0] != ';':
		s.err = "unexpected text after ]: put it on a line of its own"
	}
}

// parameter reads "name = value" or "&directive value".
func (s *scanner) parameter(line string) {
	if strings.IndexByte(line, 0) >= 0 {
		s.err = "the line holds a zero byte; this is not a text file"
		return
	}
	if line[0] == '&' {
		s.kind = tokenDirective
		end := strings.IndexAny(line, space+"=")
		if end < 0 {
			end = len(line)
		}
		s.name = line[:end]
		s.value = strings.TrimLeft(line[end:], space)
		s.value = strings.Trim(strings.TrimPrefix(s.value, "="), space)
		return
	}
	name, value, found := strings.Cut(line, "=")
	s.name = strings.Join(strings.FieldsFunc(name, isSpace), " ")
	// Carriage returns vanish wherever they are: files edited elsewhere.
	s.value = strings.Trim(strings.ReplaceAll(value, "\r", ""), space)
	switch {
	case !found:
		s.err = "expected \"name = value\" or \"[module]\"; put # in front to make it a comment"
	case s.name == "":
		s.err = "parameter without a name before ="
	}
}

func isSpace(r rune) bool { return r < 0x80 && strings.ContainsRune(space, r) }

// fold makes a name comparable: rsync ignores its case and white space.
// // loadparm.c:strwiEQ
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case isSpace(r):
			return -1
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		}
		return r
	}, name)
}

func sameName(a, b string) bool { return fold(a) == fold(b) }
