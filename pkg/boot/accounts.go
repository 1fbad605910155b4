package boot

import (
	"slices"
	"strings"
)

// account is a line that passwd or group must have.
type account struct {
	name string
	line string
	or   string // another name that does as well
}

// users are those that rsyncd.conf may name. A player has no passwords: who
// reaches its console is root.
func users() []account {
	return []account{
		{name: "root", line: "root::0:0:root:/:/bin/sh"},
		{name: "nobody", line: "nobody:*:65534:65534:nobody:/:/bin/false"},
	}
}

// groups go with users. Debian and its kin call the group of nobody nogroup.
func groups() []account {
	return []account{
		{name: "root", line: "root:x:0:"},
		{name: "nobody", line: "nobody:x:65534:", or: "nogroup"},
	}
}

// planAccounts appends the accounts that text lacks; kind is "user" or "group".
func planAccounts(text []byte, wanted []account, kind, file string) ([]byte, string) {
	after := slices.Clone(text)
	var added []string
	for _, a := range wanted {
		if hasAccount(text, a.name) || a.or != "" && hasAccount(text, a.or) {
			continue
		}
		after = appendLine(after, a.line)
		added = append(added, kind+" "+a.name)
	}
	return after, "add " + strings.Join(added, " and ") + " to " + file
}

// hasAccount reports whether a line of passwd or group is for name.
func hasAccount(text []byte, name string) bool {
	for line := range strings.Lines(string(text)) {
		if first, _, ok := strings.Cut(line, ":"); ok && first == name {
			return true
		}
	}
	return false
}
