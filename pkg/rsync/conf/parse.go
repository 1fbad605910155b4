package conf

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// Limits of what one configuration may consist of. They are far above any
// real use and keep a file that includes itself, or /dev/zero, from filling a
// small machine's memory.
const (
	maxDepth    = 16      // files including each other
	maxIncludes = 256     // files read by &include and &merge together
	maxText     = 4 << 20 // bytes of one file
	maxModules  = 4096
	maxErrors   = 50 // after this many the rest is not shown
)

// Error is one mistake, with its place.
type Error struct {
	File string
	Line int // from 1; 0 when the file as a whole is meant
	Text string
}

// Error gives "file:line: text".
func (e *Error) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Text
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Text)
}

// Parse reads the text of the configuration file called name. Where errors are
// found it returns a nil Config and all of them, joined, each an *Error. src
// may be nil: then %VAR% in numbers and booleans stays as it is and &include
// and &merge are errors. own are parameters of the caller's beyond rsync's.
// // loadparm.c:lp_load
func Parse(name string, text []byte, src Source, own ...Own) (*Config, error) {
	return ParseOver(name, text, src, nil, own...)
}

// ParseOver is [Parse] with parameters, "name=value" each, that are set where the
// global part ends: over what it says, and before the first module begins.
// // loadparm.c:set_dparams
func ParseOver(name string, text []byte, src Source, over []string, own ...Own) (*Config, error) {
	p := &parser{over: over, src: src, defaults: DefaultModule(), index: map[string]int{}, inModule: -1}
	p.own = make(map[string]Own, len(own))
	for _, o := range own {
		p.own[fold(o.Name)] = o
	}
	p.params = map[string]Param{}
	for _, par := range Params() {
		p.params[fold(par.Name)] = par
	}
	p.file(name, text, 0)
	p.override()
	p.checkModules()
	if len(p.errs) > 0 {
		return nil, errors.Join(p.errs...)
	}
	p.global.LogFile = p.defaults.LogFile
	return &Config{Global: p.global, Defaults: p.defaults, Modules: p.modules, Notes: p.notes, Places: p.places}, nil
}

// Module finds a module by the name a client asked for, which must match
// exactly, unlike a second [header] of the same module. // loadparm.c:lp_number
func (c *Config) Module(name string) (*Module, bool) {
	for i := range c.Modules {
		if c.Modules[i].Name == name {
			return &c.Modules[i], true
		}
	}
	return nil, false
}

// parser is the state of one Parse.
type parser struct {
	src      Source
	params   map[string]Param // by folded name
	own      map[string]Own   // the caller's, by folded name
	global   Global
	defaults Module // what a module that starts here begins with
	modules  []Module
	index    map[string]int // folded name -> position in modules
	inModule int            // index into modules, -1 in the global part
	includes int
	over     []string // to be set where the global part ends
	places   map[string]string
	notes    []*Error
	errs     []error
}

func (p *parser) fail(file string, line int, format string, args ...any) {
	switch {
	case len(p.errs) < maxErrors:
		p.errs = append(p.errs, &Error{file, line, fmt.Sprintf(format, args...)})
	case len(p.errs) == maxErrors:
		p.errs = append(p.errs, &Error{file, line, "too many errors; the rest is not shown"})
	}
}

// file reads one file's lines into the state. depth counts the files around it.
func (p *parser) file(name string, text []byte, depth int) {
	if len(text) > maxText {
		p.fail(name, 0, "larger than %d bytes, which no configuration is; check that the right file is named", maxText)
		return
	}
	s := scanner{text: string(text)}
	for s.next() {
		switch {
		case s.err != "":
			p.fail(name, s.line, "%s", s.err)
		case s.kind == tokenSection:
			p.section(name, s.line, s.name)
		case s.kind == tokenDirective:
			p.directive(name, s.line, s.name, s.value, depth)
		default:
			p.parameter(name, s.line, s.name, s.value)
		}
	}
}

// section starts a module, goes on with one, or returns to the global part.
// // loadparm.c:do_section
func (p *parser) section(file string, line int, name string) {
	if sameName(name, "global") {
		p.inModule = -1
		return
	}
	p.override()
	if strings.Contains(name, "/") {
		p.fail(file, line, "module name %q contains a slash, which clients use to separate module and path; rename it", name)
	}
	if i, ok := p.index[fold(name)]; ok {
		p.inModule = i
		return
	}
	if len(p.modules) == maxModules {
		p.fail(file, line, "more than %d modules", maxModules)
		p.inModule = maxModules - 1
		return
	}
	m := p.defaults
	m.Name = name
	m.File, m.Line = file, line
	m.RefuseOptions = slices.Clone(m.RefuseOptions)
	p.modules = append(p.modules, m)
	p.inModule = len(p.modules) - 1
	p.index[fold(name)] = p.inModule
}

// override sets what is to be set over the global part, once.
func (p *parser) override() {
	for i, text := range p.over {
		name, value, _ := strings.Cut(text, "=")
		in := p.inModule
		p.inModule = -1
		p.parameter("--dparam", i+1, strings.TrimSpace(name), strings.TrimSpace(value))
		p.inModule = in
	}
	p.over = nil
}

// parameter sets one value in the module or, before any, in the defaults.
// // loadparm.c:do_parameter
func (p *parser) parameter(file string, line int, name, value string) {
	if p.ownParameter(file, line, name, value) {
		return
	}
	par, ok := p.params[fold(name)]
	switch {
	case !ok && len(p.errs) >= maxErrors:
		p.fail(file, line, "unknown parameter %q", name)
		return
	case !ok:
		p.fail(file, line, "unknown parameter %q%s; remove the line or correct the name", name, suggestion(name))
		return
	case par.Scope == ScopeGlobal && p.inModule >= 0:
		p.fail(file, line, "parameter %q concerns the whole daemon; move it before the first module or into [global]", par.Name)
		return
	}
	if par.Kind != KindString && par.Kind != KindPath && par.Kind != KindList && p.src != nil {
		value = Expand(value, p.src.Env)
	}
	if !par.Supported() {
		p.unsupported(file, line, par)
		return
	}
	module := &p.defaults
	if p.inModule >= 0 {
		module = &p.modules[p.inModule]
	}
	if value == "" && strings.HasPrefix(par.Name, "hosts ") && len(p.notes) < maxErrors {
		p.notes = append(p.notes, &Error{file, line, fmt.Sprintf("%q is empty, which is as if it were not there", par.Name)})
	}
	if err := store(par.field(&p.global, module), par, value); err != nil {
		p.fail(file, line, "parameter %q: %v", par.Name, err)
	}
	if par.Scope == ScopeGlobal {
		if p.places == nil {
			p.places = map[string]string{}
		}
		p.places[par.Name] = fmt.Sprintf("%s:%d", file, line)
	}
}

// unsupported refuses a parameter that is not there.
func (p *parser) unsupported(file string, line int, par Param) {
	advice := par.advice
	if advice == "" {
		advice = "remove the line"
	}
	p.fail(file, line, "parameter %q is not supported yet; %s", par.Name, advice)
}

// checkModules looks at what can only be seen at the end.
func (p *parser) checkModules() {
	for i := range p.modules {
		if m := &p.modules[i]; m.Path == "" {
			p.fail(m.File, m.Line, "module [%s] has no path; add a line like: path = /drive0", m.Name)
		}
	}
}

// directive carries out &include and &merge. // params.c:include_config
func (p *parser) directive(file string, line int, name, value string, depth int) {
	include := sameName(name, "&include")
	switch {
	case !include && !sameName(name, "&merge"):
		p.fail(file, line, "unknown directive %q; there are &include and &merge", name)
		return
	case value == "":
		p.fail(file, line, "%s names no file", name)
		return
	case p.src == nil:
		p.fail(file, line, "%s cannot be used here; put the contents of %s in its place", name, value)
		return
	case depth+1 >= maxDepth:
		p.fail(file, line, "%s: more than %d files include each other; does %s include itself?", name, maxDepth, value)
		return
	}
	files, err := p.includedFiles(value, include)
	if err != nil {
		p.fail(file, line, "%s %s: %v", name, value, err)
		return
	}
	for _, f := range files {
		if p.includes++; p.includes > maxIncludes {
			p.fail(file, line, "%s %s: more than %d files in all", name, value, maxIncludes)
			return
		}
		text, err := p.src.Read(f)
		if err != nil {
			p.fail(file, line, "%s %s: read %s: %v", name, value, f, err)
			continue
		}
		if include {
			p.apart(f, text, depth+1)
		} else {
			p.file(f, text, depth+1)
		}
	}
	if include {
		p.inModule = -1
	}
}

// apart reads an &include file: it starts in the global part with the
// defaults of here, and what it sets there ends with it.
func (p *parser) apart(name string, text []byte, depth int) {
	global, defaults, places := p.global, p.defaults, maps.Clone(p.places)
	p.inModule = -1
	p.file(name, text, depth)
	p.global, p.defaults, p.places = global, defaults, places
}

// includedFiles gives the file itself or, of a directory, its *.conf (of
// &include) or *.inc (of &merge) in byte order.
func (p *parser) includedFiles(value string, include bool) ([]string, error) {
	names, dir, err := p.src.List(value)
	if err != nil {
		return nil, err
	}
	if !dir {
		return []string{value}, nil
	}
	suffix := ".inc"
	if include {
		suffix = ".conf"
	}
	var files []string
	for _, n := range names {
		if strings.HasSuffix(n, suffix) {
			files = append(files, path.Join(value, n))
		}
	}
	slices.Sort(files)
	return files, nil
}
