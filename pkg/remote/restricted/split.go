package restricted

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Word is one word of a command line.
type Word struct {
	// Text is the word without its quotes.
	Text string
	// Pattern is the word as a pattern for [path.Match] if it has wildcards
	// that are not quoted, else "".
	Pattern string
	// Braces are the words that {a,b} and {1..9} in it stand for, where they are not
	// quoted; nil if there are none.
	Braces []Word
}

// Limits of a command: what Linux passes as one variable, and what a session
// takes as arguments.
const (
	maxCommand = 128 * 1024 // bytes
	maxWords   = 1000
)

// Split takes a command line apart as a POSIX shell does that expands nothing.
// What only a shell could carry out (variables, pipes, lists of commands) is an
// error; of braces both the word and what it stands for is given. A quoted line break stays in its word: a shell drops one behind a
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

	letters []letter // of the word that is being read
	made    int      // words that braces have made
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
	s.letters = nil
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
		default:
			s.letters = append(s.letters, letter{c: c})
		}
		if err != nil {
			return err
		}
	}
	w := makeWord(s.letters)
	if slices.ContainsFunc(s.letters, func(l letter) bool { return l.is('{') }) {
		all, err := braces(s.letters)
		if err != nil {
			return err
		}
		if s.made += len(all); s.made > maxBraces {
			return errManyBraces
		}
		for _, l := range all {
			w.Braces = append(w.Braces, makeWord(l))
		}
	}
	s.words = append(s.words, w)
	return nil
}

// makeWord takes the quotes off.
func makeWord(letters []letter) Word {
	var text, pattern strings.Builder
	wild := false
	for _, l := range letters {
		text.WriteByte(l.c)
		switch {
		case strings.IndexByte("*?[", l.c) >= 0 && l.quoted: // as a pattern it stands for itself
			pattern.WriteString("[" + string(l.c) + "]")
		case l.c == '\\' && l.quoted:
			pattern.WriteString(`[\\]`)
		default:
			wild = wild || strings.IndexByte("*?[", l.c) >= 0
			pattern.WriteByte(l.c)
		}
	}
	w := Word{Text: text.String()}
	if wild {
		w.Pattern = pattern.String()
	}
	return w
}

// literal adds a letter that is quoted.
func (s *splitter) literal(c byte) { s.letters = append(s.letters, letter{c, true}) }

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
