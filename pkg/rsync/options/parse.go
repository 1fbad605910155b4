package options

import (
	"slices"
	"strings"
)

// Parse reads a command line without the program's name as rsync's main does:
// that of a client, of a server (--server) or of a daemon (--daemon).
// Every error is an *Error. // options.c:parse_arguments
func Parse(args []string) (*Options, error) { return ParseIn(nil, Aliases{}, args) }

// ParseIn is [Parse] in an environment, which decides what the command line
// leaves open, and with a client's aliases.
func ParseIn(env func(name string) (string, bool), aliases Aliases, args []string) (*Options, error) {
	s := newState(client, Refusal{})
	s.env, s.aliases = env, aliases
	switch next, err := s.scan(args); {
	case err != nil:
		return nil, err
	case next != 0:
		return parseAs(next, args)
	}
	if len(args) == 1 && args[0] == "-h" {
		s.Help = true // -h is help only on its own
	}
	if err := s.finish(); err != nil {
		return nil, err
	}
	if err := s.finishArguments(); err != nil {
		return nil, err
	}
	return &s.Options, nil
}

// parseAs starts again once --server or --daemon has been seen.
func parseAs(m mode, args []string) (*Options, error) {
	s := newState(m, Refusal{})
	switch next, err := s.scan(args); {
	case err != nil:
		return nil, err
	case next != 0:
		return parseAs(next, args)
	}
	finish := s.finish
	if m == daemon {
		finish = s.finishDaemon
	}
	s.Incomplete = m == server && s.Secluded == Yes && !s.dotted
	if err := finish(); err != nil {
		return nil, err
	}
	return &s.Options, nil
}

// ParseServer reads the argument list that a client sent to a daemon. It is
// always that of a server; refuse says what the module does not allow.
// Every error is an *Error whose Text may be sent to the client.
func ParseServer(args []string, refuse Refusal) (*Options, error) {
	s := newState(server, refuse)
	switch next, err := s.scan(args); {
	case err != nil:
		return nil, err
	case next != 0:
		return nil, syntaxError("a client cannot ask a daemon to become another one")
	case !s.Server:
		return nil, syntaxError("the argument list does not begin with --server")
	}
	if err := s.finish(); err != nil {
		return nil, err
	}
	return &s.Options, nil
}

// state is one parse under way.
type state struct {
	Options
	mode    mode
	refuse  Refusal
	names   index
	env     func(name string) (string, bool) // nil: an empty one
	aliases Aliases

	// The --delete family, settled in finish.
	delete, deleteBefore, deleteAfter bool
	deleteDuring                      DeleteMode // None, During or Delay
	suffix                            *string    // of backups, if given

	chownUser, chownGroup bool // UserMap or GroupMap is from --chown
	folderRules           int  // how many -F there were

	relative, iconv Tri
	recurseImplied  bool // Recurse is from --archive alone

	become mode // parse again in this mode, 0: no
	dotted bool // a server's "." has been passed
}

func newState(m mode, refuse Refusal) *state {
	return &state{mode: m, refuse: refuse, names: newIndex(m)}
}

// entry is one spelling of an option.
type entry struct {
	row *row
	off bool
}

// index finds options by name.
type index struct {
	long  map[string]entry
	short map[byte]*row
}

func newIndex(m mode) index {
	x := index{map[string]entry{}, map[byte]*row{}}
	rows := table()
	for i := range rows {
		r := &rows[i]
		short := r.short
		if m == daemon {
			if !r.daemonMode {
				continue
			}
			short = r.daemonShort
		}
		for _, name := range append([]string{r.long}, r.aliases...) {
			if name != "" {
				x.long[name] = entry{r, false}
			}
		}
		for _, name := range r.negations {
			x.long[name] = entry{r, true}
		}
		if short != "" {
			x.short[short[0]] = r
		}
	}
	return x
}

// scan walks the arguments as popt does: options and others may be mixed, "--"
// ends the options. A server's "." ends them as well: the paths behind it come
// from the client's user and one may well begin with a dash. next is not 0
// when the list turns out to be meant for another mode.
func (s *state) scan(args []string) (next mode, _ error) {
	rest := &following{args: args}
	for len(rest.args) > 0 && s.become == 0 {
		arg, from := rest.next()
		aliased, err := s.expand(rest, arg, from)
		switch {
		case err != nil || aliased:
		case arg == "--":
			s.Args = append(s.Args, rest.args...)
			return 0, nil
		case s.mode == server && arg == ".":
			s.dotted = true
			s.Args = append(s.Args, rest.args...)
			return 0, nil
		case strings.HasPrefix(arg, "--"):
			err = s.longOption(arg, rest)
		case len(arg) > 1 && arg[0] == '-':
			err = s.bundle(arg, rest)
		case s.mode == server:
			err = syntaxError("on remote machine: unexpected argument %q before the \".\" that ends the options", arg)
		default:
			s.Args = append(s.Args, arg)
		}
		if err != nil {
			return 0, err
		}
	}
	return s.become, nil
}

// following are the arguments behind the one being looked at.
type following struct {
	args    []string
	origins []origin // of the first ones; the others are the user's
}

// next takes the first of them off, of which there must be one.
func (f *following) next() (string, origin) {
	arg, from := f.args[0], origin{}
	f.args = f.args[1:]
	if len(f.origins) > 0 {
		from, f.origins = f.origins[0], f.origins[1:]
	}
	return arg, from
}

// push puts an argument ahead of the others.
func (f *following) push(arg string, from origin) {
	f.args = slices.Concat([]string{arg}, f.args)
	f.origins = slices.Concat([]origin{from}, f.origins)
}

// longOption handles --name, --name=arg and "--name arg".
func (s *state) longOption(arg string, rest *following) *Error {
	name, val, glued := strings.Cut(arg[2:], "=")
	e, ok := s.names.long[name]
	if !ok {
		return s.bad(arg, "unknown option")
	}
	switch {
	case e.row.arg == "" || e.off:
		if glued {
			return s.bad(arg, "option does not take an argument")
		}
	case !glued:
		if len(rest.args) == 0 {
			return s.bad(arg, "missing argument")
		}
		val, _ = rest.next()
	}
	return s.apply(e, name, val)
}

// bundle handles letters: -avz, -B700, -B=700, "-B 700".
func (s *state) bundle(arg string, rest *following) *Error {
	for i := 1; i < len(arg) && s.become == 0; i++ {
		r, ok := s.names.short[arg[i]]
		if !ok {
			return s.bad(arg, "unknown option")
		}
		val := ""
		if r.arg != "" {
			val = strings.TrimPrefix(arg[i+1:], "=")
			if i+1 == len(arg) {
				if len(rest.args) == 0 {
					return s.bad(arg, "missing argument")
				}
				val, _ = rest.next()
			}
		}
		if err := s.apply(entry{r, false}, r.key(), val); err != nil || r.arg != "" {
			return err
		}
	}
	return nil
}

// apply carries out one option, spelled name.
func (s *state) apply(e entry, name, val string) *Error {
	r := e.row
	if s.refuse.refused[name] {
		return refusedError(spelled(r, name))
	}
	switch {
	case e.off && r.off != nil:
		return r.off(s, "")
	case e.off && !r.supported() && r.on == nil:
		return nil // what is not done need not be undone
	case r.modes&s.mode == 0 || e.off || r.on == nil:
		return s.unsupported(r, spelled(r, name))
	}
	return r.on(s, val)
}

// unsupported names what is missing: the option or one that it stands for.
func (s *state) unsupported(r *row, name string) *Error {
	switch {
	case r.lacks != "":
		return syntaxError("%s%s", s.remote(), r.lacks)
	case r.needs == "":
		return unsupportedError(name, r.why)
	}
	return &Error{Kind: Unsupported, Option: "--" + r.needs,
		Text: name + " cannot be used, since --" + r.needs + ", a part of it, is not supported yet; leave it out"}
}

// spelled names the option as it was used.
func spelled(r *row, name string) string {
	if name == r.key() {
		return r.name()
	}
	return "--" + name
}

// bad words a mistake as rsync does.
func (s *state) bad(arg, what string) *Error {
	return syntaxError("%s%s: %s", s.remote(), arg, what)
}

func (s *state) remote() string {
	if s.mode == server {
		return "on remote machine: "
	}
	return ""
}
