package options

import (
	"path"
	"strings"
)

// Refusal is a module's "refuse options", ready for use. The zero value
// refuses nothing; NewRefusal(nil) refuses what rsync refuses by default.
type Refusal struct {
	refused map[string]bool // by long name, by letter where there is none
}

// NewRefusal compiles the patterns of "refuse options": names or letters with
// the wildcards *, ? and [], accepted again where they begin with "!". The
// last that fits decides. unmatched lists those that fit no option of rsync,
// which are probably misspelt. // options.c:set_refuse_options
func NewRefusal(patterns []string) (r Refusal, unmatched []string) {
	c := compileRefusal()
	// Writing to device files must be allowed by name, and the log is the
	// administrator's own.
	c.add("copy-devices", true)
	c.add("write-devices", true)
	for _, p := range patterns {
		name := p
		if len(p) > 1 && p[0] == '!' {
			name = p[1:]
		}
		if !c.add(name, name == p) {
			unmatched = append(unmatched, p)
		}
	}
	c.add("log-file*", true)
	c.add("insecure-links", true) // "insecure links" is the administrator's to say
	return Refusal{c.refused}, unmatched
}

// NewKeyRefusal is [NewRefusal] for the list of an ssh key's forced command, where
// a log file is an option like others: it lies among the client's files.
func NewKeyRefusal(patterns []string) (r Refusal, unmatched []string) {
	c := compileRefusal()
	for _, p := range patterns {
		if name := strings.TrimPrefix(p, "!"); !c.add(name, name == p) {
			unmatched = append(unmatched, p)
		}
	}
	return Refusal{c.refused}, unmatched
}

// refusable is one name in the order of the table.
type refusable struct {
	key, short string
	exact      bool // wildcards pass it over
}

type refusals struct {
	names   []refusable
	refused map[string]bool
}

func compileRefusal() *refusals {
	c := &refusals{refused: map[string]bool{}}
	// Without these no transfer could be asked for, or they are harmless.
	exact := map[string]bool{
		"rsh": true, "from0": true, "secluded-args": true, "dry-run": true, "iconv": true, "no-iconv": true,
		"checksum-seed": true, "copy-devices": true, "write-devices": true, "log-format": true,
		"sender": true, "server": true,
	}
	for _, r := range table() {
		c.names = append(c.names, refusable{r.key(), r.short, exact[r.key()]})
		for _, n := range append(append([]string{}, r.aliases...), r.negations...) {
			c.names = append(c.names, refusable{n, "", exact[n]})
		}
	}
	return c
}

// add refuses what the pattern fits, or accepts it again, and says whether it
// fits anything.
func (c *refusals) add(pattern string, refuse bool) (matched bool) {
	wild := strings.ContainsAny(pattern, "*?[")
	if pattern == "a" || pattern == "archive" {
		pattern, wild = "[ardlptgoD]", true // what --archive stands for
	}
	pattern = strings.ReplaceAll(pattern, "[!", "[^")
	fits := func(name string) bool {
		if !wild {
			return name == pattern
		}
		ok, err := path.Match(pattern, name)
		return ok && err == nil
	}
	for _, n := range c.names {
		if !fits(n.key) && (n.short == "" || !fits(n.short)) {
			continue
		}
		matched = true
		if !n.exact || !wild {
			c.refused[n.key] = refuse
		}
		if !wild {
			break
		}
	}
	return matched
}

// refusedAmong gives the first of the options that is refused.
func (r Refusal) refusedAmong(names index, keys ...string) *Error {
	for _, k := range keys {
		if !r.refused[k] {
			continue
		}
		if e, ok := names.long[k]; ok {
			return refusedError(e.row.name())
		}
		return refusedError("-" + k)
	}
	return nil
}
