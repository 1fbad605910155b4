package conf

import (
	"errors"
	"strings"
)

// Own is a parameter that a program's own configuration file has beyond those of
// rsyncd.conf(5). It stands in the global part, before the first module.
type Own struct {
	Name string // matched as all names are: case and white space do not count
	// Set keeps the value, or says what is wrong with it.
	Set func(value string) error
}

// ownParameter sets a parameter of the caller's; ok says whether it is one.
func (p *parser) ownParameter(file string, line int, name, value string) (ok bool) {
	own, ok := p.own[fold(name)]
	switch {
	case !ok:
		return false
	case p.inModule >= 0:
		p.fail(file, line, "parameter %q concerns the whole program; move it before the first module or into [global]", own.Name)
		return true
	}
	if err := own.Set(value); err != nil {
		p.fail(file, line, "parameter %q: %v", own.Name, err)
	}
	return true
}

// ParseBool reads a boolean as rsyncd.conf spells it: yes, no, true, false, 1, 0.
func ParseBool(value string) (bool, error) {
	t, err := parseBool(value)
	return t == Yes, err
}

// ParseOwn reads a file that has the syntax of rsyncd.conf(5) and nothing but the
// caller's own parameters: no sections, no includes, none of rsync's parameters.
// Mistakes are told as by Parse.
func ParseOwn(name string, text []byte, own ...Own) error {
	p := &parser{own: make(map[string]Own, len(own)), index: map[string]int{}, inModule: -1, params: map[string]Param{}}
	for _, o := range own {
		p.own[fold(o.Name)] = o
	}
	p.file(name, text, 0)
	for _, m := range p.modules {
		p.fail(m.File, m.Line, "there are no sections here, only lines \"name = value\"")
	}
	return errors.Join(p.errs...)
}

// ReadSections reads a file that has the syntax of rsyncd.conf(5) but sections
// and parameters of the caller's. It calls f for each line "name = value", with
// the section's name, "" before the first and in [global]; names of parameters
// come in lower case with single spaces. What f says is wrong, and mistakes in
// the syntax, are told as by Parse, all of them.
func ReadSections(file string, text []byte, f func(section, name, value string) error) error {
	p := &parser{}
	if len(text) > maxText {
		p.fail(file, 0, "larger than %d bytes, which no configuration is; check that the right file is named", maxText)
		return errors.Join(p.errs...)
	}
	section := ""
	s := scanner{text: string(text)}
	for s.next() {
		switch {
		case s.err != "":
			p.fail(file, s.line, "%s", s.err)
		case s.kind == tokenDirective:
			p.fail(file, s.line, "there are no includes here")
		case s.kind == tokenSection:
			section = strings.TrimSpace(s.name)
			if sameName(section, "global") {
				section = ""
			}
		default:
			if err := f(section, strings.ToLower(strings.Join(strings.Fields(s.name), " ")), s.value); err != nil {
				p.fail(file, s.line, "%v", err)
			}
		}
	}
	return errors.Join(p.errs...)
}
