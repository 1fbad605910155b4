package role

import (
	"fmt"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/conf"
)

// Answers are what a person decides about a player.
type Answers struct {
	Hostname   string // "" for the player's own name
	Role       Role
	Master     string // "" if unknown
	PullAtBoot bool
	Drives     []string // drive0, drive1: what is served
	Writable   bool     // clients may write to them
	User       string   // who may connect, with a password; "" for everybody
	MasterUser string   // as whom this player connects to its master; "" for nobody
}

// Where the files that a configuration names lie on a player.
const (
	SecretsFile  = "/drive0/empegsync/secrets"  // of the daemon: user:password
	PasswordFile = "/drive0/empegsync/password" // for the master: the password alone
)

// Text is the configuration file that says what a says.
func Text(a Answers) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line(`# empegsync.conf: what this player does when it starts, and what it serves.`)
	line(`# The syntax is rsyncd.conf's: "name = value", # begins a comment, [name] begins`)
	line(`# a module. "empegsync setup" asks for all of this and writes the file anew;`)
	line(`# "empegsync serve --check" says what would be served.`)
	line(``)
	line(`# master: others fetch this player's music. slave: this player fetches a`)
	line(`# master's. both: it does both.`)
	line(`role = %s`, a.Role)
	line(``)
	line(`# Whom a slave pulls from, by name or address; HOST:PORT where the port is not`)
	line(`# 873. "empegsync pull" without a name takes this one.`)
	setting(&b, "master", a.Master, "192.168.0.1")
	line(``)
	line(`# Whether a slave pulls at every start, if the master is there.`)
	line(`pull at boot = %s`, yesNo(a.PullAtBoot))
	line(``)
	line(`# This machine's name in the network. Without the line it is the player's own`)
	line(`# name, the one on its display.`)
	setting(&b, "hostname", a.Hostname, "kitchen")
	line(``)
	line(`# For a master that asks for a password: as whom to connect, and the file that`)
	line(`# holds the password (only root may read it).`)
	setting(&b, "master user", a.MasterUser, "car")
	if a.MasterUser == "" {
		line(`# password file = %s`, PasswordFile)
	} else {
		line(`password file = %s`, PasswordFile)
	}
	line(``)
	line(`# From here on rsyncd.conf(5): what a master serves, and to whom.`)
	line(`# Who reads and writes the drives here. The names are in /etc/passwd and`)
	line(`# /etc/group, which "empegsync boot" sees to.`)
	line(`uid = root`)
	line(`gid = root`)
	line(`# Clients are logged by address: a player knows few names.`)
	line(`reverse lookup = no`)
	line(`# Where the log goes. On a drive it is opened for each line only, so that the`)
	line(`# drive can be made read-only again; without the line it goes to the kernel's`)
	line(`# log (dmesg).`)
	line(`# log file = /drive0/empegsync/log`)
	for _, drive := range a.Drives {
		b.WriteString(moduleText(drive, a))
	}
	if len(a.Drives) == 0 {
		line(``)
		line(`# Nothing is served: there is no module here. One looks like this:`)
		line(`# [drive0]`)
		line(`#     path = /drive0`)
	}
	return b.String()
}

// moduleText is the section of one drive.
func moduleText(drive string, a Answers) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line(``)
	line(`[%s]`, drive)
	line(`    comment = music of the %s drive`, map[string]string{"drive0": "first", "drive1": "second"}[drive])
	line(`    path = /%s`, drive)
	line(`    # Passwords may lie there.`)
	line(`    exclude = /empegsync`)
	line(`    # This program confines every module to its path by itself.`)
	line(`    use chroot = no`)
	line(`    # Slaves only read. With "no", clients may write into this player's music.`)
	line(`    read only = %s`, yesNo(!a.Writable))
	if a.User != "" {
		line(`    # Who may come in; the passwords are in the secrets file, as name:password.`)
		line(`    auth users = %s`, a.User)
		line(`    secrets file = %s`, SecretsFile)
	}
	return b.String()
}

// setting writes a value, or an example of one behind a #.
func setting(b *strings.Builder, name, value, example string) {
	if value == "" {
		fmt.Fprintf(b, "# %s = %s\n", name, example)
		return
	}
	fmt.Fprintf(b, "%s = %s\n", name, value)
}

func yesNo(yes bool) string {
	if yes {
		return conf.Yes.String()
	}
	return conf.No.String()
}
