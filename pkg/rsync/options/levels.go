package options

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Info is a word of --info: something that may be said, at a level.
type Info uint8

// The words, in rsync's order. // options.c:info_words
const (
	InfoBackup Info = iota
	InfoCopy
	InfoDel
	InfoFlist
	InfoMisc
	InfoMount
	InfoName
	InfoNonreg
	InfoProgress
	InfoRemove
	InfoSkip
	InfoStats
	InfoSymsafe

	infoWords
)

const debugWords = 24

// concerns says which side a word's level matters to.
type concerns uint8

const (
	sender concerns = 1 << iota
	receiver
)

// word is one of --info or --debug.
type word struct {
	name, help string
	concerns   concerns // the sides that are told of it
	levels     string   // the level that each -v from none on sets, a digit each
}

// infoTable gives the words in the order of their constants.
func infoTable() [infoWords]word {
	return [infoWords]word{
		InfoBackup:   {"BACKUP", "files that were backed up", receiver, "001111"},
		InfoCopy:     {"COPY", "files copied on the receiving side", receiver, "011111"},
		InfoDel:      {"DEL", "deletions", receiver, "011111"},
		InfoFlist:    {"FLIST", "the file list on its way (levels 1-2)", 0, "011111"},
		InfoMisc:     {"MISC", "this and that (levels 1-2)", sender | receiver, "012222"},
		InfoMount:    {"MOUNT", "mount points found or skipped", sender | receiver, "001111"},
		InfoName:     {"NAME", "names: 1) what changes, 2) what does not", sender | receiver, "012222"},
		InfoNonreg:   {"NONREG", "skipped files that are not regular (0 for none)", receiver, "111111"},
		InfoProgress: {"PROGRESS", "progress: 1) of each file, 2) of the whole", 0, "000000"},
		InfoRemove:   {"REMOVE", "files removed on the sending side", sender, "001111"},
		InfoSkip:     {"SKIP", "files that options have skipped (levels 1-2)", receiver, "001111"},
		InfoStats:    {"STATS", "totals at the end (levels 1-3)", sender | receiver, "011111"},
		InfoSymsafe:  {"SYMSAFE", "unsafe symlinks", sender | receiver, "011111"},
	}
}

// debugTable gives the words of --debug. What they ask for shows how C rsync
// works inside; of this program most have nothing to show.
func debugTable() [debugWords]word {
	names := [debugWords][2]string{
		{"ACL", "000111"}, {"BACKUP", "000111"}, {"BIND", "001111"}, {"CHDIR", "000001"}, {"CONNECT", "001222"}, {"CMD", "001122"},
		{"DEL", "001233"}, {"DELTASUM", "001234"}, {"DUP", "001111"}, {"EXIT", "000122"}, {"FILTER", "001222"}, {"FLIST", "001234"},
		{"FUZZY", "000112"}, {"GENR", "000111"}, {"HASH", "000001"}, {"HLINK", "000001"}, {"ICONV", "001122"}, {"IO", "000000"},
		{"NSTR", "000000"}, {"OWN", "000122"}, {"PROTO", "000011"}, {"RECV", "000111"}, {"SEND", "000111"}, {"TIME", "000122"},
	}
	var t [debugWords]word
	for i, n := range names {
		t[i] = word{name: n[0], levels: n[1]}
	}
	t[debugConnect].help = "connections that are opened"
	t[debugCmd].help = "the command of a remote shell"
	t[debugDeltasum].help = "how many blocks were found"
	t[debugFilter].help = "which rule hides, shows, protects or risks a file"
	return t
}

// The words of --debug that this program has something to say to.
const (
	debugConnect  = 4
	debugCmd      = 5
	debugDeltasum = 7
	debugFilter   = 10
)

const maxLevel = 4 // options.c:MAX_OUT_LEVEL

// level is one that was asked for by name.
type level struct {
	set   bool
	value uint8
}

// parseWords reads "name2,stats,all0" into levels. help is true where the list
// asks what there is. // options.c:parse_output_words
func (s *state) parseWords(option, list string, words []word, levels []level) (help bool, _ *Error) {
	for part := range strings.SplitSeq(list, ",") {
		name := strings.TrimRight(part, "0123456789")
		lev := 1
		if digits := part[len(name):]; digits != "" {
			n, err := strconv.Atoi(digits)
			if err != nil {
				n = maxLevel
			}
			lev = min(n, maxLevel)
		}
		set := level{true, uint8(lev)}
		i := slices.IndexFunc(words, func(w word) bool { return strings.EqualFold(w.name, name) })
		switch {
		case part == "":
		case strings.EqualFold(name, "help"):
			return true, nil
		case strings.EqualFold(name, "none"):
			for i := range levels {
				levels[i] = level{set: true}
			}
		case name == "" || strings.EqualFold(name, "all"):
			for i := range levels {
				levels[i] = set
			}
		case i >= 0:
			levels[i] = set
		case s.mode != server:
			return false, syntaxError("Unknown --%s item: \"%s\"", option, name)
		}
	}
	return false, nil
}

func setInfo(s *state, arg string) (err *Error) {
	words := infoTable()
	var help bool
	help, err = s.parseWords("info", arg, words[:], s.info[:])
	s.InfoHelp = s.InfoHelp || help
	return err
}

func setDebug(s *state, arg string) (err *Error) {
	words := debugTable()
	var help bool
	help, err = s.parseWords("debug", arg, words[:], s.debug[:])
	s.DebugHelp = s.DebugHelp || help
	return err
}

// byVerbosity is the level that so many -v set.
func (w word) byVerbosity(verbose int) int {
	return int(w.levels[min(max(verbose, 0), len(w.levels)-1)] - '0')
}

// Info gives the level of a word: what --info says, else what -v, --stats,
// --progress and the output's format come to. // options.c:parse_arguments
func (o *Options) Info(i Info) int {
	if l := o.info[i]; l.set {
		return int(l.value)
	}
	n := infoTable()[i].byVerbosity(o.Verbose)
	switch i {
	case InfoStats:
		if o.Stats {
			n = 2
			if o.Verbose > 1 {
				n = 3
			}
		}
	case InfoProgress:
		if o.Progress {
			n = 1
		}
	case InfoFlist:
		if o.Progress {
			n = 2
		}
	case InfoName:
		if o.Progress && !o.Server && n == 0 && (o.OutFormat == "" && o.Itemize == 0 || Late(o.OutFormat)) {
			n = 1
		}
	}
	return n
}

// debugLevel gives the level of a word of --debug.
func (o *Options) debugLevel(i int) int {
	if l := o.debug[i]; l.set {
		return int(l.value)
	}
	return debugTable()[i].byVerbosity(o.Verbose)
}

// ShowsCommand says whether a remote shell's command is shown, as with -vv.
func (o *Options) ShowsCommand() bool { return o.debugLevel(debugCmd) > 0 }

// ShowsConnection says whether it is shown where a connection is opened to, as
// with -vv.
func (o *Options) ShowsConnection() bool { return o.debugLevel(debugConnect) > 0 }

// ShowsMatches says whether the sender tells how many blocks it has found, as
// with -vv.
func (o *Options) ShowsMatches() bool { return o.debugLevel(debugDeltasum) > 0 }

// ExplainsFilters says whether it is told which rule decides about a file, as
// with -vv.
func (o *Options) ExplainsFilters() bool { return o.debugLevel(debugFilter) > 0 }

// DebugLike chooses what from has chosen with --debug, which no server is told
// (a side of a local copy knows it, being forked).
func (o *Options) DebugLike(from *Options) { o.debug = from.debug }

// Undebugged lists the words that --debug names, above level 0, of which this
// program has nothing to show.
func (o *Options) Undebugged() []string {
	var names []string
	for i, w := range debugTable() {
		if o.debug[i].set && o.debug[i].value > 0 && w.help == "" {
			names = append(names, w.name)
		}
	}
	return names
}

// infoWord tells the server what the user has chosen of what concerns it. A
// level that most words have is said once. // options.c:make_output_option
func infoWord(o *Options, p Peer) string {
	side := sender
	if p.Push {
		side = receiver
	}
	var counts [maxLevel + 1]int
	var named []Info
	skipped := false
	words := infoTable()
	for i := range infoWords {
		switch {
		case words[i].concerns&side == 0:
		case !o.info[i].set:
			skipped = true
		default:
			named = append(named, i)
			counts[o.info[i].value]++
		}
	}
	if len(named) == 0 {
		return ""
	}
	most := -1
	var parts []string
	if !skipped {
		for l, n := range counts {
			if most < 0 || n > counts[most] {
				most = l
			}
		}
		parts = append(parts, levelName("ALL", most))
		if most == 0 {
			parts[0] = "NONE"
		}
	}
	for _, i := range named {
		if l := int(o.info[i].value); l != most {
			parts = append(parts, levelName(words[i].name, l))
		}
	}
	return "--info=" + strings.Join(parts, ",")
}

// levelName writes a word with its level, which is left out if it is 1.
func levelName(name string, l int) string {
	if l == 1 {
		return name
	}
	return name + strconv.Itoa(l)
}

// InfoHelpText is what --info=help shows.
func InfoHelpText() string {
	words := infoTable()
	return wordsHelp("info", words[:])
}

// DebugHelpText is what --debug=help shows.
func DebugHelpText() string {
	words := debugTable()
	for i := range words {
		if words[i].help == "" {
			words[i].help = "(nothing to show in this program)"
		}
	}
	return wordsHelp("debug", words[:])
}

// wordsHelp describes the words of an option, and what each -v adds.
// // options.c:output_item_help
func wordsHelp(option string, words []word) string {
	var b strings.Builder
	b.WriteString("Use OPT or OPT1 for level 1, OPT2 for level 2 and so on; OPT0 silences.\n\n")
	for _, w := range words {
		fmt.Fprintf(&b, "%-10s %s\n", w.name, w.help)
	}
	fmt.Fprintf(&b, "\n%-10s every --%s option, also with a level (all4)\n", "ALL", option)
	fmt.Fprintf(&b, "%-10s no --%s option (the same as all0)\n", "NONE", option)
	fmt.Fprintf(&b, "%-10s this text\n\nAdded at each level of -v:\n", "HELP")
	for v := range len(words[0].levels) {
		var added []string
		for _, w := range words {
			l := w.byVerbosity(v)
			if l > 0 && (v == 0 || l > w.byVerbosity(v-1)) {
				added = append(added, levelName(w.name, l))
			}
		}
		if len(added) > 0 {
			fmt.Fprintf(&b, "%d) %s\n", v, strings.Join(added, ","))
		}
	}
	return b.String()
}

// Format is how changes are listed, "" for not at all: what --out-format says,
// or what -i or names come to. // options.c:parse_arguments
func (o *Options) Format() string {
	switch {
	case o.OutFormat != "":
		return o.OutFormat
	case o.Itemize > 0:
		return "%i %n%L"
	case o.Info(InfoName) > 0:
		return "%n%L"
	}
	return ""
}

// Itemizes says how far the format has itemized changes in it: 0 not, 1 it has,
// 2 those of what does not change, too.
func (o *Options) Itemizes() int {
	if o.OutFormat == "" {
		return o.Itemize
	}
	if FormatHas(o.OutFormat, 'i') {
		return o.Itemize | 1
	}
	return 0
}

// Late reports whether a format says what is only known when a file has moved.
func Late(format string) bool {
	return FormatHas(format, 'b') || FormatHas(format, 'c') || FormatHas(format, 'C')
}

// FormatHas reports whether a format has an escape in it, which may have a
// width: %i, %10i, %-10i, %'i. // log.c:log_format_has
func FormatHas(format string, escape byte) bool {
	for {
		_, rest, ok := strings.Cut(format, "%")
		if !ok {
			return false
		}
		format = strings.TrimLeft(rest, "'")
		format = strings.TrimPrefix(format, "-")
		format = strings.TrimLeft(format, "0123456789")
		format = strings.TrimLeft(format, "'")
		if format == "" {
			return false
		}
		if format[0] == escape {
			return true
		}
		format = format[1:]
	}
}
