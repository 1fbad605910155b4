package boot

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// Action is one step of a plan: a RaiseLoopback, SetHostname, WriteFile or
// RemoveLeftover. String says in one line what it does, in the imperative.
type Action interface {
	fmt.Stringer
	do(*applier) error
}

// RaiseLoopback brings the interface lo up, or completes it.
type RaiseLoopback struct {
	Up   bool // it is down now
	IPv4 bool // 127.0.0.1/8 is missing
	IPv6 bool // ::1/128 is missing
}

// String names what is missing.
func (a RaiseLoopback) String() string {
	var addresses []string
	if a.IPv4 {
		addresses = append(addresses, "127.0.0.1/8")
	}
	if a.IPv6 {
		addresses = append(addresses, "::1")
	}
	list := strings.Join(addresses, " and ")
	switch {
	case !a.Up:
		return "add " + list + " to loopback"
	case list == "":
		return "bring up loopback"
	}
	return "bring up loopback with " + list
}

// SetHostname sets the kernel's host name.
type SetHostname struct{ Name string }

// String shows the name.
func (a SetHostname) String() string { return fmt.Sprintf("set hostname to %q", a.Name) }

// WriteFile replaces a file, or makes it.
type WriteFile struct {
	Before  File // as it was observed; if it differs by now, it is not replaced
	After   []byte
	Summary string // what changes in it, one line
}

// String is the summary.
func (a WriteFile) String() string { return a.Summary }

// RemoveLeftover removes a temporary file that an interrupted run left behind.
type RemoveLeftover struct{ Name string }

// String names the file.
func (a RemoveLeftover) String() string { return "remove leftover " + a.Name }

// Plan returns what is to be done so that the observed system becomes as desired:
// nothing, if it is so already. What needs no disk comes first.
func Plan(o Observed, d Desired) ([]Action, error) {
	name, err := chooseName(o, d)
	if err != nil {
		return nil, err
	}
	var actions []Action
	if o.System != nil {
		if lo := o.System.Loopback; lo != nil {
			a := RaiseLoopback{Up: !lo.Up, IPv4: !lo.IPv4, IPv6: !lo.IPv6 && !lo.NoIP6}
			if a != (RaiseLoopback{}) {
				actions = append(actions, a)
			}
		}
		if o.System.Hostname != name {
			actions = append(actions, SetHostname{name})
		}
	}
	for _, leftover := range slices.Sorted(slices.Values(o.Leftovers)) {
		actions = append(actions, RemoveLeftover{leftover})
	}
	if o.Hosts != nil {
		var own hostLine
		if o.System != nil {
			own.address = o.System.Address
		}
		own.name = name
		after, summary := planHosts(o.Hosts.Data, own)
		actions = appendWrite(actions, o.Hosts, after, summary)
	}
	if o.Passwd != nil {
		after, summary := planAccounts(o.Passwd.Data, users(), "user", passwdFile)
		actions = appendWrite(actions, o.Passwd, after, summary)
	}
	if o.Group != nil {
		after, summary := planAccounts(o.Group.Data, groups(), "group", groupFile)
		actions = appendWrite(actions, o.Group, after, summary)
	}
	return actions, nil
}

func appendWrite(actions []Action, before *File, after []byte, summary string) []Action {
	if bytes.Equal(before.Data, after) {
		return actions
	}
	return append(actions, WriteFile{Before: *before, After: after, Summary: summary})
}

// appendLine adds a line at the end, where the last one may lack its newline.
func appendLine(text []byte, line string) []byte {
	if len(text) > 0 && text[len(text)-1] != '\n' {
		text = append(text, '\n')
	}
	return append(append(text, line...), '\n')
}
