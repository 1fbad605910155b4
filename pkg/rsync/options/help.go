package options

import (
	"fmt"
	"slices"
	"strings"
)

// Option is one row of the table for people and tests.
type Option struct {
	// Long is the name without dashes, Short the letter; one may be "".
	Long, Short string
	// Aliases are further long names. Negations switch the option off.
	Aliases, Negations []string
	Arg                string // name of its argument, "" for a switch
	Help               string
	// Since is the release of rsync whose notes announce the option, "" where
	// none does (most of these are older than 2.5.0, where the notes begin).
	Since string
	// Why says why it is refused or, of one that is supported, what of it is; "" if
	// nothing is.
	Why string
	// Client, Server and Daemon say whether it is supported on a client's
	// command line, in the list a server gets, and with --daemon.
	Client, Server, Daemon bool
}

// Supported says whether the option is supported anywhere.
func (o Option) Supported() bool { return o.Client || o.Server || o.Daemon }

// All lists every option of rsync 3.5.0, also those it does not document.
func All() []Option {
	var all []Option
	for _, r := range table() {
		all = append(all, Option{
			Long: r.long, Short: r.short, Aliases: slices.Clone(r.aliases), Negations: slices.Clone(r.negations),
			Arg: r.arg, Help: r.help, Since: r.since, Why: r.why,
			Client: r.modes&client != 0, Server: r.modes&server != 0, Daemon: r.modes&daemon != 0,
		})
	}
	return all
}

// Help gives the help text of the options that are supported on a client's
// command line, group by group, a line each.
func Help() string {
	titles := [groupCount]string{
		groupWhat: "What is transferred", groupKeep: "What is kept", groupSkip: "What is skipped",
		groupDelete: "What is deleted", groupFilter: "What is left out", groupHow: "How it is done",
		groupOutput: "What is said", groupConnection: "The connection", groupOther: "Other",
	}
	var b strings.Builder
	last := groupCount
	for _, r := range table() {
		if r.modes&client == 0 {
			continue
		}
		if r.group != last {
			if last != groupCount {
				b.WriteByte('\n')
			}
			fmt.Fprintf(&b, "%s:\n", titles[r.group])
			last = r.group
		}
		fmt.Fprintf(&b, helpLine, r.usage(r.short), r.help)
	}
	return b.String()
}

// DaemonHelp gives the help text of the options that are supported with --daemon.
func DaemonHelp() string {
	var b strings.Builder
	for _, r := range table() {
		if r.daemonMode && r.modes&daemon != 0 {
			fmt.Fprintf(&b, helpLine, r.usage(r.daemonShort), r.help)
		}
	}
	return b.String()
}

// helpLine has the columns of rsync's help, which scripts read.
const helpLine = "%-24s %s\n"

// usage gives "--block-size=SIZE, -B".
func (r *row) usage(short string) string {
	var parts []string
	if r.long != "" {
		long := "--" + r.long
		if r.arg != "" {
			long += "=" + r.arg
		}
		parts = append(parts, long)
	}
	if short != "" {
		parts = append(parts, "-"+short)
	}
	return strings.Join(parts, ", ")
}
