package verbs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrHelp is what Parse returns when --help was said; the verb that it returns
// is the one to explain.
var ErrHelp = errors.New("help was asked for")

// parser is one Parse.
type parser struct {
	at      *Verb
	words   []string
	args    int  // arguments taken by the verb
	literal bool // after "--"
}

// Parse fills the struct from a command line without the program's name, and
// returns the verb that was called. A mistake is told in words for the user.
func (v *Verb) Parse(words []string) (*Verb, error) {
	p := &parser{at: v, words: words}
	for len(p.words) > 0 {
		if err := p.word(); err != nil {
			return p.at, err
		}
	}
	return p.at, p.finish()
}

// word takes the next word, and the value that may follow it.
func (p *parser) word() error {
	w := p.words[0]
	p.words = p.words[1:]
	arg := p.arg()
	switch {
	case arg != nil && arg.Passthrough && (p.literal || !isHelp(w) || arg.given):
		all := append([]string{w}, p.words...)
		p.words = nil
		return p.take(arg, all)
	case !p.literal && w == "--":
		p.literal = true
		return nil
	case !p.literal && strings.HasPrefix(w, "--"):
		return p.long(w)
	case !p.literal && len(w) > 1 && w[0] == '-':
		return p.short(w[1:])
	}
	for _, sub := range p.at.Verbs {
		if sub.Name == w && !p.literal {
			p.at, p.args = sub, 0
			return nil
		}
	}
	if arg == nil {
		if p.standIn() {
			p.words = append([]string{w}, p.words...)
			return nil
		}
		return fmt.Errorf("unexpected argument %s", w)
	}
	return p.take(arg, []string{w})
}

func isHelp(w string) bool { return w == "--help" || w == "-h" }

// arg is the argument whose turn it is, nil if there is none.
func (p *parser) arg() *Field {
	if p.args < len(p.at.Args) {
		return p.at.Args[p.args]
	}
	return nil
}

func (p *parser) take(f *Field, values []string) error {
	for _, v := range values {
		if err := f.set(v); err != nil {
			return fmt.Errorf("<%s>: %w", f.Name, err)
		}
	}
	f.given = true
	if _, list := f.value.Interface().([]string); !list {
		p.args++
	}
	return nil
}

// standIn goes to the verb that stands for the one around it.
func (p *parser) standIn() bool {
	for _, sub := range p.at.Verbs {
		if sub.byDefault {
			p.at, p.args = sub, 0
			return true
		}
	}
	return false
}

// find looks for a flag, of the verb or of those around it, or of the one that
// stands for it.
func (p *parser) find(match func(*Field) bool) *Field {
	for {
		for v := p.at; v != nil; v = v.Parent {
			for _, f := range v.Flags {
				if match(f) {
					return f
				}
			}
		}
		if !p.standIn() {
			return nil
		}
	}
}

// long takes --NAME, --NAME=VALUE and --no-NAME.
func (p *parser) long(w string) error {
	name, value, hasValue := strings.Cut(w[2:], "=")
	if name == "help" && !hasValue {
		return ErrHelp
	}
	f := p.find(func(f *Field) bool { return f.Name == name || slices.Contains(f.Also, name) })
	if f == nil {
		positive, no := strings.CutPrefix(name, "no-")
		if f = p.find(func(f *Field) bool { return no && f.Negatable && f.Name == positive }); f != nil && !hasValue {
			value, hasValue = "false", true
		}
	}
	if f == nil {
		return fmt.Errorf("unknown flag --%s", name)
	}
	return p.flag(f, "--"+name, value, hasValue)
}

// short takes letters: flags without a value, and a last one with it.
func (p *parser) short(letters string) error {
	for letters != "" {
		letter := letters[:1]
		letters = letters[1:]
		f := p.find(func(f *Field) bool { return f.Short == letter })
		if letter == "h" && f == nil {
			return ErrHelp
		}
		if f == nil {
			return fmt.Errorf("unknown flag -%s", letter)
		}
		value, hasValue := "", false
		if !f.isBool() && !f.Counter && letters != "" {
			value, hasValue, letters = strings.TrimPrefix(letters, "="), true, ""
		}
		if err := p.flag(f, "-"+letter, value, hasValue); err != nil {
			return err
		}
	}
	return nil
}

func (p *parser) flag(f *Field, name, value string, hasValue bool) error {
	switch {
	case hasValue:
	case f.Counter:
		value = strconv.FormatInt(f.value.Int()+1, 10)
	case f.isBool():
		value = "true"
	case len(p.words) == 0:
		return fmt.Errorf("%s: a value is missing", name)
	default:
		value, p.words = p.words[0], p.words[1:]
	}
	f.given = true
	if f.Also != nil {
		if len(name) == 2 { // a letter
			name = "--" + f.Name
		}
		value = name + "=" + value
	}
	if err := f.set(value); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// set sets or, for lists, adds a value.
func (f *Field) set(s string) error {
	if f.Enum != nil {
		ok := false
		for _, e := range f.Enum {
			ok = ok || e == s
		}
		if !ok {
			return fmt.Errorf("%q is none of %s", s, strings.Trim(strings.Join(f.Enum, ", "), ", "))
		}
	}
	if f.Path {
		s = home(s)
	}
	switch f.value.Interface().(type) {
	case string:
		f.value.SetString(s)
	case []string:
		list := []string{s}
		if !f.NoSplit && !f.Passthrough && f.Also == nil {
			list = strings.Split(s, ",")
		}
		for _, e := range list {
			old, _ := f.value.Interface().([]string)
			f.value.Set(reflect.ValueOf(append(old[:len(old):len(old)], e)))
		}
	case bool:
		b, err := strconv.ParseBool(s)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", s)
		}
		f.value.SetBool(b)
	case time.Duration:
		d, err := time.ParseDuration(s)
		if err != nil {
			return fmt.Errorf("%q is no time: write 90s, 2m or 1h30m", s)
		}
		f.value.SetInt(int64(d))
	default:
		n, err := strconv.ParseInt(s, 10, f.value.Type().Bits())
		if err != nil {
			return fmt.Errorf("%q is no number", s)
		}
		f.value.SetInt(n)
	}
	return nil
}

// home puts the home folder in the place of "~".
func home(s string) string {
	if s != "~" && !strings.HasPrefix(s, "~/") {
		return s
	}
	dir, err := os.UserHomeDir()
	if err != nil {
		return s
	}
	return filepath.Join(dir, s[1:])
}

// finish checks what is missing, and what does not go together.
func (p *parser) finish() error {
	if len(p.at.Verbs) > 0 && !p.standIn() {
		return fmt.Errorf("expected one of %s", quotedNames(p.at.Verbs))
	}
	for _, a := range p.at.Args {
		if !a.given && !a.Optional {
			return fmt.Errorf("expected %q", "<"+a.Name+">")
		}
	}
	groups := make(map[string]string)
	for v := p.at; v != nil; v = v.Parent {
		for _, f := range v.Flags {
			switch {
			case f.Required && !f.given:
				return fmt.Errorf("missing flag --%s", f.Name)
			case f.Xor == "" || !f.given:
			case groups[f.Xor] != "":
				return fmt.Errorf("--%s and --%s do not go together", groups[f.Xor], f.Name)
			default:
				groups[f.Xor] = f.Name
			}
		}
	}
	return nil
}

func quotedNames(verbs []*Verb) string {
	var names []string
	for _, v := range verbs {
		if !v.Hidden {
			names = append(names, strconv.Quote(v.Name))
		}
	}
	if len(names) > 5 {
		names = append(names[:5], "...")
	}
	return strings.Join(names, ", ")
}
