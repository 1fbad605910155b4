package proto

import "fmt"

// AnnounceToClient returns the version that a server on a remote shell
// announces to a client of which it knows nothing but the letters of its -e
// option: "" means that there was none. Clients show letters since 3.0.0
// (options.c:maybe_add_e_option); of those who show none, releases up to 2.5.7
// would refuse to talk to anyone who announces more than 30, and no other can
// speak more than that.
func AnnounceToClient(ours int, letters string) int {
	if letters == "" {
		return min(ours, 30)
	}
	return ours
}

// ShowsLetters reports whether a client that wants to speak this version shows
// its capability letters in -e (options.c:maybe_add_e_option).
func ShowsLetters(version int) bool { return version >= 30 }

// OverShell returns c without what only daemons do: a server that a remote
// shell has started frames nothing before the seed
// (main.c:start_server, clientserver.c:rsync_module).
func (c Caps) OverShell() Caps {
	c.MuxBeforeSeed, c.MuxBeforeSeedAll = false, false
	return c
}

// IsVersion reports whether a number that has been read where a version
// belongs can be one; if not, something other than an rsync has spoken
// (compat.c:setup_protocol).
func IsVersion(n uint32) bool { return n >= MinVersion && n <= plausibleMax }

// VersionRange names the versions of this implementation, for messages.
func VersionRange() string { return fmt.Sprintf("%d to %d", MinVersion, MaxVersion) }
