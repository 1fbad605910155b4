package options

// mode says in which kind of command line an option may stand.
type mode uint8

const (
	client mode = 1 << iota
	server      // the argument list a client sends
	daemon      // a command line with --daemon
	both   = client | server
)

// group gathers options under one heading of the help text.
type group uint8

const (
	groupWhat group = iota
	groupKeep
	groupSkip
	groupDelete
	groupFilter
	groupHow
	groupOutput
	groupConnection
	groupOther
	groupCount
)

// action is what an option does on being met. arg is "" for switches.
type action func(s *state, arg string) *Error

// send is one thing that may be put into the argument list for a server: a
// letter of the bundle when order is below bundleEnd, else a whole argument.
// "" is left out. Order is rsync's. // options.c:server_options
type send struct {
	order int
	text  func(o *Options, p Peer) string
	args  func(o *Options, p Peer) []string // instead of text: any number of arguments
}

const bundleEnd = 100

// row is one option of rsync.
type row struct {
	long, short string   // without dashes; at least one is given
	aliases     []string // further long names
	negations   []string // names of the forms that switch it off, "no-r"
	arg         string   // name of its argument, "" for a switch
	help        string
	since       string
	group       group

	needs string // an option that this one stands for, among others
	why   string // it, or a part of it, is refused
	lacks string // what rsync itself says where it was built without the option

	modes       mode   // where it is supported
	daemonMode  bool   // rsync knows it with --daemon ...
	daemonShort string // ... and then it has this letter

	on    action
	off   action
	sends []send

	flag func(*Options) *bool // what letter and sendLong look at
}

// supported says whether the engine does what the option asks for anywhere.
func (r *row) supported() bool { return r.modes != 0 }

// name gives the option as it is shown to people.
func (r *row) name() string {
	switch {
	case r.long == "":
		return "-" + r.short
	case r.short == "":
		return "--" + r.long
	}
	return "--" + r.long + " (-" + r.short + ")"
}

// key gives the name under which "refuse options" keeps the row.
func (r *row) key() string {
	if r.long == "" {
		return r.short
	}
	return r.long
}

// The rest are the words in which the table is written.

// flag is a switch that sets a bool.
func flag(long, short, help string, f func(*Options) *bool) row {
	return row{long: long, short: short, help: help, modes: both, flag: f,
		on: func(s *state, _ string) *Error { *f(&s.Options) = true; return nil }}
}

// count is a switch that adds up.
func count(long, short, help string, f func(*Options) *int) row {
	return row{long: long, short: short, help: help, modes: both,
		on: func(s *state, _ string) *Error { *f(&s.Options)++; return nil }}
}

// value is an option with an argument.
func value(long, short, arg, help string, on action) row {
	return row{long: long, short: short, arg: arg, help: help, modes: both, on: on}
}

// todo is an option that the engine does not know yet, and why. Its negation, if
// it has one, asks for what happens anyway and is therefore accepted.
func todo(long, short, arg, help, why string) row {
	return row{long: long, short: short, arg: arg, help: help, why: why}
}

// but says what of a supported option is refused, and why.
func (r row) but(why string) row { r.why = why; return r }

// never marks an option that Debian's rsync does not have either, with its words.
func (r row) never(words string) row { r.lacks = words; return r }

// in says where the option is supported.
func (r row) in(m mode) row { r.modes = m; return r }

func (r row) from(release string) row { r.since = release; return r }

func (r row) alias(names ...string) row { r.aliases = names; return r }

// no adds --no-LONG and --no-SHORT (and those of names), which undo the option.
func (r row) no(names ...string) row {
	for _, n := range append([]string{r.long, r.short}, names...) {
		if n != "" {
			r.negations = append(r.negations, "no-"+n)
		}
	}
	if f := r.flag; f != nil {
		r.off = func(s *state, _ string) *Error { *f(&s.Options) = false; return nil }
	}
	return r
}

// also adds to what the option does.
func (r row) also(more action) row {
	on := r.on
	r.on = func(s *state, arg string) *Error {
		if err := on(s, arg); err != nil {
			return err
		}
		return more(s, arg)
	}
	return r
}

// noLong adds --no-LONG alone.
func (r row) noLong() row {
	short := r.short
	r.short = ""
	r = r.no()
	r.short = short
	return r
}

func (r row) undo(off action) row { r.off = off; return r }

// asDaemon marks an option that rsync takes together with --daemon.
func (r row) asDaemon(short string) row { r.daemonMode, r.daemonShort = true, short; return r }

// standsFor makes the option as supported as the one it needs.
func (r row) standsFor(long string) row { r.needs = long; return r }

// toServer sends what text gives.
func (r row) toServer(order int, text func(o *Options, p Peer) string) row {
	r.sends = append(r.sends, send{order: order, text: text})
	return r
}

// argsToServer sends what args gives, an argument each.
func (r row) argsToServer(order int, args func(o *Options, p Peer) []string) row {
	r.sends = append(r.sends, send{order: order, args: args})
	return r
}

// side says which server an argument is meant for.
type side uint8

const (
	anySide  side = iota
	onlyPush      // the server receives
	onlyPull      // the server sends
)

func (s side) match(p Peer) bool {
	return s == anySide || (s == onlyPush) == p.Push
}

// letter sends the short name where the switch is on.
func (r row) letter(order int, s side) row { return r.sendFlag(order, s, r.short) }

// word sends the long name where the switch is on.
func (r row) word(order int, s side) row { return r.sendFlag(order, s, "--"+r.long) }

func (r row) sendFlag(order int, s side, text string) row {
	f := r.flag
	return r.toServer(order, func(o *Options, p Peer) string {
		if *f(o) && s.match(p) {
			return text
		}
		return ""
	})
}
