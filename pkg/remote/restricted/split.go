package restricted

import (
	"errors"
	"fmt"
	"strings"
)

// Word is one word of a command line.
type Word struct {
	// Text is the word without its quotes.
	Text string
	// Pattern is the word as a pattern for [path.Match] if it has wildcards
	// that are not quoted, else "".
	Pattern string
}

// Limits of a command: what Linux passes as one variable, and what a session
// takes as arguments.
const (
	maxCommand = 128 * 1024 // bytes
	maxWords   = 1000
)

// Split takes a command line apart as a POSIX shell does that expands nothing.
// What only a shell could carry out (variables, pipes, lists of commands) is an
// error. A quoted line break stays in its word: a shell drops one behind a
// backslash, but a client that writes it means a name that has one.
func Split(command string) ([]Word, error) {
	if len(command) > maxCommand {
		return nil, fmt.Errorf("the command has more than %d bytes", maxCommand)
	}
	s := splitter{rest: command}
	for s.next() {
		if len(s.words) == maxWords {
			return nil, fmt.Errorf("the command has more than %d words", maxWords)
		}
		if err := s.word(); err != nil {
			return nil, err
		}
	}
	return s.words, nil
}

type splitter struct {
	rest  string
	words []Word

	text, pattern strings.Builder // of the word that is being read
	wild          bool            // it has a wildcard that is not quoted
}

// next passes over what is between words, and reports whether one follows.
func (s *splitter) next() bool {
	s.rest = strings.TrimLeft(s.rest, " \t")
	return s.rest != ""
}

// errNeedsShell is what a command gets that is more than a list of words.
var errNeedsShell = errors.New("the command needs a shell, and this key runs none: quote what is not a plain word")

// word reads one word.
func (s *splitter) word() error {
	s.text.Reset()
	s.pattern.Reset()
	s.wild = false
	if s.rest[0] == '#' {
		return errNeedsShell
	}
	for s.rest != "" {
		c := s.rest[0]
		if c == ' ' || c == '\t' {
			break
		}
		s.rest = s.rest[1:]
		var err error
		switch {
		case c == '\\' && s.rest == "":
			err = errors.New("the command ends in a backslash")
		case c == '\\':
			s.literal(s.rest[0])
			s.rest = s.rest[1:]
		case c == '\'':
			err = s.single()
		case c == '"':
			err = s.double()
		case strings.IndexByte("$`;&|<>()\n\r\x00", c) >= 0:
			err = errNeedsShell
		case strings.IndexByte("*?[", c) >= 0:
			s.wild = true
			s.text.WriteByte(c)
			s.pattern.WriteByte(c)
		default:
			s.text.WriteByte(c)
			s.pattern.WriteByte(c)
		}
		if err != nil {
			return err
		}
	}
	w := Word{Text: s.text.String()}
	if s.wild {
		w.Pattern = s.pattern.String()
	}
	s.words = append(s.words, w)
	return nil
}

// literal adds a letter that is quoted. As a pattern it stands for itself.
func (s *splitter) literal(c byte) {
	s.text.WriteByte(c)
	switch c {
	case '*', '?', '[':
		s.pattern.WriteString("[" + string(c) + "]")
	case '\\':
		s.pattern.WriteString(`[\\]`)
	default:
		s.pattern.WriteByte(c)
	}
}

// single reads to the end of '...'.
func (s *splitter) single() error {
	inside, rest, ok := strings.Cut(s.rest, "'")
	if !ok {
		return errors.New("the command has a quote without an end")
	}
	for i := range len(inside) {
		s.literal(inside[i])
	}
	s.rest = rest
	return nil
}

// double reads to the end of "...".
func (s *splitter) double() error {
	for s.rest != "" {
		c := s.rest[0]
		s.rest = s.rest[1:]
		switch {
		case c == '"':
			return nil
		case c == '$' || c == '`':
			return errNeedsShell
		case c == '\\' && s.rest != "" && strings.IndexByte("$`\"\\\n", s.rest[0]) >= 0:
			c = s.rest[0]
			s.rest = s.rest[1:]
		}
		s.literal(c)
	}
	return errors.New("the command has a quote without an end")
}
