package options

import (
	"slices"
	"strings"
)

// Aliases are options of the user's own making, as popt's files define them.
// The zero value has none.
type Aliases struct{ words map[string][]string } // by "--name" or "-x"

// maxAliasDepth is how many aliases may stand for one another.
// // poptint.h:POPT_OPTION_DEPTH
const maxAliasDepth = 10

// Add reads the text of a file such as ~/.popt, of which lines that begin with
// "rsync alias" count: "rsync alias -Z --no-p --no-g". A later definition takes
// the place of an earlier one; a line that makes no sense is passed over.
// // poptconfig.c:poptConfigLine
func (a *Aliases) Add(text string) {
	text = strings.ReplaceAll(text, "\\\n", "")
	for line := range strings.Lines(text) {
		words, ok := splitAlias(strings.TrimSpace(line))
		if !ok || len(words) < 3 || words[0] != "rsync" || words[1] != "alias" {
			continue // another program's, or what popt would run instead
		}
		var meant []string
		for _, w := range words[3:] {
			if !strings.HasPrefix(w, "--POPTdesc=") && !strings.HasPrefix(w, "--POPTargs=") { // for popt's help
				meant = append(meant, w)
			}
		}
		if a.words == nil {
			a.words = map[string][]string{}
		}
		a.words[words[2]] = meant
	}
}

// splitAlias splits a line at white space. Quotes hold words together, a
// backslash takes what follows as it is; ok is false for a comment and for what
// ends in one. // poptparse.c:poptParseArgvString
func splitAlias(line string) (words []string, ok bool) {
	var word strings.Builder
	quote, open := byte(0), false
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case c == '#' && len(words) == 0 && !open:
			return nil, false
		case quote != 0 && c == quote:
			quote = 0
		case c == '\\' && i+1 == len(line):
			return nil, false
		case c == '\\':
			if i++; quote != 0 && line[i] != quote {
				word.WriteByte(c)
			}
			word.WriteByte(line[i])
			open = true
		case quote == 0 && (c == '"' || c == '\''):
			quote, open = c, true
		case quote == 0 && (c == ' ' || c == '\t'):
			if open {
				words = append(words, word.String())
				word.Reset()
			}
			open = false
		default:
			word.WriteByte(c)
			open = true
		}
	}
	if open {
		words = append(words, word.String())
	}
	return words, true
}

// origin says which alias an argument has come from, and how many stand behind.
type origin struct {
	alias string
	depth int
}

// expand puts what an argument stands for in its place, if it is an alias or a
// bundle with one in it.
func (s *state) expand(rest *following, arg string, from origin) (aliased bool, _ *Error) {
	if len(s.aliases.words) == 0 || len(arg) < 2 || arg[0] != '-' || arg == "--" {
		return false, nil
	}
	name, before, behind, last := s.aliasIn(arg, from)
	if name == "" {
		return false, nil
	}
	to := origin{name, from.depth + 1}
	if to.depth > maxAliasDepth {
		return false, s.bad(arg, "aliases nested too deeply")
	}
	if behind != "" || strings.HasPrefix(arg, name+"=") {
		rest.push(behind, last)
	}
	words := s.aliases.words[name]
	if i := slices.IndexFunc(words, func(w string) bool { return strings.Contains(w, "!#:+") }); i >= 0 {
		return false, unsupportedError("the alias "+name+" with \"!#:+\" in it", "what follows an alias is added to it anyway")
	}
	for i := len(words) - 1; i >= 0; i-- {
		rest.push(words[i], to)
	}
	if before != "" {
		rest.push(before, from)
	}
	return true, nil
}

// aliasIn finds an alias, "" if there is none, and what stands before and behind
// it: the other letters of a bundle, or a value. An alias may name the option
// that it hides, so those that come from it are not looked up again.
func (s *state) aliasIn(arg string, from origin) (name, before, behind string, last origin) {
	known := func(name string) bool {
		_, ok := s.aliases.words[name]
		return ok && name != from.alias
	}
	if strings.HasPrefix(arg, "--") {
		if name, behind, _ = strings.Cut(arg, "="); known(name) {
			return name, "", behind, origin{}
		}
		return "", "", "", from
	}
	for i := 1; i < len(arg); i++ {
		if name := "-" + arg[i:i+1]; known(name) {
			if i > 1 {
				before = arg[:i]
			}
			if i+1 < len(arg) {
				behind = "-" + arg[i+1:]
			}
			return name, before, behind, from
		}
		if r, ok := s.names.short[arg[i]]; !ok || r.arg != "" {
			break // what follows is its argument
		}
	}
	return "", "", "", from
}
