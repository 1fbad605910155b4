package boot

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
)

// hostsMark ends a line of /etc/hosts that boot wrote and may change. The line
// for localhost never changes and carries no mark.
const hostsMark = "# empegsync"

// hostLine is an entry of /etc/hosts.
type hostLine struct {
	address netip.Addr
	name    string
}

func (l hostLine) String() string { return l.address.String() + " " + l.name }

// planHosts returns the text of /etc/hosts with 127.0.0.1 localhost and own in
// it, and one line saying what is new.
//
// If own has no address yet, the address of the line written last time is kept.
// A line of somebody else that gives the name the same address is enough. One
// that gives it another address stays too, and being first it wins.
func planHosts(text []byte, own hostLine) ([]byte, string) {
	lines := bytes.SplitAfter(text, []byte("\n"))
	hasLocal, covered := false, false
	ours := -1 // the first line that carries our mark
	for i, line := range lines {
		address, names := parseHosts(line)
		switch {
		case isOurs(line):
			if ours < 0 {
				ours = i
				if !own.address.IsValid() {
					own.address = address
				}
			}
		case address == netip.AddrFrom4([4]byte{127, 0, 0, 1}) && hasName(names, "localhost"):
			hasLocal = true
		}
	}
	for _, line := range lines {
		address, names := parseHosts(line)
		if !isOurs(line) && address.IsValid() && address == own.address && hasName(names, own.name) {
			covered = true
		}
	}
	p := hostsPlan{covered: covered, ours: ours}
	after := p.rewrite(lines, own)
	if !hasLocal {
		after = appendLine(after, "127.0.0.1 localhost")
		p.added = append([]string{"127.0.0.1 localhost"}, p.added...)
	}
	if p.missing {
		after = appendLine(after, own.String()+" "+hostsMark)
	}
	return after, p.summary()
}

// hostsPlan collects what happens to our own line, for the summary.
type hostsPlan struct {
	covered bool // somebody else's line says the same
	ours    int  // index of our line, -1 if there is none
	missing bool // our line is to be appended

	added, changed, removed []string
}

// rewrite copies all lines and brings ours up to date in its place.
func (p *hostsPlan) rewrite(lines [][]byte, own hostLine) []byte {
	var after []byte
	for i, line := range lines {
		if !isOurs(line) {
			after = append(after, line...)
			continue
		}
		address, names := parseHosts(line)
		was := strings.Join(append([]string{address.String()}, names...), " ")
		switch {
		case p.covered || i != p.ours:
			p.removed = append(p.removed, was)
		case address == own.address && slices.Equal(names, []string{own.name}):
			after = append(after, line...)
		default:
			after = appendLine(after, own.String()+" "+hostsMark)
			p.changed = append(p.changed, was+" to "+own.String())
		}
	}
	if p.ours < 0 && !p.covered && own.address.IsValid() {
		p.missing = true
		p.added = append(p.added, own.String())
	}
	return after
}

func (p *hostsPlan) summary() string {
	var parts []string
	if len(p.added) > 0 {
		parts = append(parts, "add "+strings.Join(p.added, " and ")+" to "+hostsFile)
	}
	if len(p.changed) > 0 {
		parts = append(parts, "change "+strings.Join(p.changed, " and ")+" in "+hostsFile)
	}
	if len(p.removed) > 0 {
		parts = append(parts, "remove "+strings.Join(p.removed, " and ")+" from "+hostsFile)
	}
	return strings.Join(parts, "; ")
}

// parseHosts returns the address and the names of one line; the zero Addr if
// there is none. Carriage returns count as blanks, as the C library has it.
func parseHosts(line []byte) (netip.Addr, []string) {
	entry, _, _ := strings.Cut(string(line), "#")
	fields := strings.Fields(entry)
	if len(fields) < 2 {
		return netip.Addr{}, nil
	}
	address, err := netip.ParseAddr(fields[0])
	if err != nil {
		return netip.Addr{}, nil
	}
	return address, fields[1:]
}

// isOurs reports whether boot wrote the line: it has an entry and our mark.
func isOurs(line []byte) bool {
	address, _ := parseHosts(line)
	return address.IsValid() && strings.HasSuffix(strings.TrimSpace(string(line)), hostsMark)
}

func hasName(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}
