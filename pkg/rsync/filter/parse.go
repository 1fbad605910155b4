package filter

import (
	"errors"
	"fmt"
	"strings"
)

// The lengths that C rsync bounds its rules with. // rsync.h:MAXPATHLEN, BIGPATHBUFLEN
const (
	// MaxPattern is the longest pattern of a rule, in bytes.
	MaxPattern = 4095
	// MaxRule is the longest text of a rule with its prefix, in bytes.
	MaxRule = MaxPattern + 1024
)

// style says how a text of rules is to be read. It is what a merge rule hands
// on to the rules in its file.
type style struct {
	flags            // defaults of the rules; also noPrefixes, wordSplit, cvs
	oldPrefixes bool // only "+ ", "- " and "!" are prefixes, and none is needed
}

// parsed is one rule as it was read.
type parsed struct {
	flags
	pattern string
	clear   bool // the list-clearing rule "!"
}

// next reads the first rule of text, which is not empty, and returns what is
// left behind it; only in a style that splits words is anything left.
// // exclude.c:parse_rule_tok
func (st style) next(text string) (p parsed, rest string, err error) {
	p.flags = st.flags & inherited
	body := text
	switch {
	case st.flags&noPrefixes != 0:
		p.clear = st.flags&cvs != 0 && text[0] == '!'
	case st.oldPrefixes:
		switch {
		case strings.HasPrefix(text, "- "):
			p.flags &^= include
			body = text[2:]
		case strings.HasPrefix(text, "+ "):
			p.flags |= include
			body = text[2:]
		default:
			p.clear = text[0] == '!'
		}
	default:
		if body, err = p.prefix(text, st.flags&wordSplit != 0); err != nil {
			return p, "", err
		}
	}
	if st.flags&sides != 0 {
		if p.flags&sides != 0 {
			return p, "", errors.New("the rule names a side although its merge rule does: give the side in one of the two places")
		}
		p.flags |= st.flags & sides
	}
	p.pattern = body
	if st.flags&wordSplit != 0 {
		if end := strings.IndexFunc(body, isSpace); end >= 0 {
			p.pattern, rest = body[:end], body[end:]
		}
	}
	return p, rest, p.finish(st)
}

// finish settles what only the whole rule shows.
func (p *parsed) finish(st style) error {
	switch {
	case p.clear && (st.oldPrefixes || st.flags&noPrefixes != 0):
		// Without prefixes the mark is itself the pattern's first byte.
		p.clear = len(p.pattern) == 1
	case p.clear && p.pattern != "":
		return errors.New("the list-clearing rule ! takes no pattern")
	case p.pattern == "" && !p.clear && p.flags&cvs == 0:
		return errors.New("the rule has no pattern")
	}
	if p.flags&mergeFile != 0 && strings.HasSuffix(p.pattern, "/") {
		return errors.New("the name of a merge file cannot end in a slash")
	}
	if len(p.pattern) > MaxPattern {
		return fmt.Errorf("the pattern has %d bytes, more than %d", len(p.pattern), MaxPattern)
	}
	if strings.IndexByte(p.pattern, 0) >= 0 {
		return errors.New("the pattern has a NUL byte")
	}
	return nil
}

func isSpace(r rune) bool { return r == ' ' || r >= '\t' && r <= '\r' }

// ruleName is the short name of the rule with the long name word, or 0.
func ruleName(word string) byte {
	switch word {
	case "clear":
		return '!'
	case "dir-merge":
		return ':'
	case "exclude":
		return '-'
	case "hide":
		return 'H'
	case "include":
		return '+'
	case "merge":
		return '.'
	case "protect":
		return 'P'
	case "risk":
		return 'R'
	case "show":
		return 'S'
	}
	return 0
}

// prefix reads the rule's name and modifiers and returns the text behind them
// and behind the one space or underscore that ends them.
func (p *parsed) prefix(text string, words bool) (string, error) {
	name, rest := text[0], text[1:]
	if name >= 'a' && name <= 'z' {
		end := strings.IndexFunc(text, func(r rune) bool { return isSpace(r) || r == '_' || r == ',' })
		if end < 0 {
			end = len(text)
		}
		name, rest = ruleName(text[:end]), text[end:]
	}
	rest = strings.TrimPrefix(rest, ",")
	switch name {
	case '-':
	case '+':
		p.flags |= include
	case '.':
		p.flags |= mergeFile
	case ':':
		p.flags |= mergeFile | dirMerge
	case 'H':
		p.flags |= senderSide
	case 'S':
		p.flags |= senderSide | include
	case 'P':
		p.flags |= receiverSide
	case 'R':
		p.flags |= receiverSide | include
	case '!':
		p.clear = true
		return rest, nil
	default:
		return "", errors.New("the rule has no known name: begin with + - . : H S P R or !, or with exclude, include, merge, dir-merge, hide, show, protect, risk or clear")
	}
	sided := p.flags&sides != 0
	for i := range len(rest) {
		c := rest[i]
		if c == ' ' || c == '_' {
			return rest[i+1:], nil
		}
		if words && isSpace(rune(c)) {
			return rest[i:], nil
		}
		if !p.modify(c, sided) {
			return "", fmt.Errorf("modifier %q does not go with this rule", c)
		}
	}
	return "", nil
}

// modify adds the modifier c; sided says that the rule's name gave a side. It
// reports false for what the rule cannot have.
func (p *parsed) modify(c byte, sided bool) bool {
	merge := p.flags&mergeFile != 0
	var add flags
	allowed := true
	switch c {
	case '/':
		add = absPath
	case '!':
		add, allowed = negate, !merge
	case 'C':
		add, allowed = noPrefixes|wordSplit|noInherit|cvs, !sided && p.flags&noPrefixes == 0
	case 's':
		add, allowed = senderSide, !sided
	case 'r':
		add, allowed = receiverSide, !sided
	case 'p':
		add = perishable
	case 'x':
		// C rsync takes it on a merge and forgets it; say so instead.
		add, allowed = xattr, !merge
	case 'e':
		add, allowed = excludeSelf, merge
	case 'n':
		add, allowed = noInherit, merge
	case 'w':
		add, allowed = wordSplit, merge
	case '-':
		add, allowed = noPrefixes, merge && p.flags&noPrefixes == 0
	case '+':
		add, allowed = noPrefixes|include, merge && p.flags&noPrefixes == 0
	default:
		return false
	}
	if allowed {
		p.flags |= add
	}
	return allowed
}
