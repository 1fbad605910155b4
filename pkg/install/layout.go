package install

import (
	"path"
	"strings"

	"github.com/empegsync/empegsync/pkg/role"
)

// Where things lie on a player.
const (
	Folder     = "/drive0/empegsync"
	Program    = Folder + "/empegsync"
	OldProgram = Folder + "/empegsync.old" // the one before, which may still run
	Config     = Folder + "/empegsync.conf"
	Reinstate  = Folder + "/reinstate"

	playerProgram = "/empeg/bin/player"
	playerFolder  = "/empeg/bin/empegsync"
	// The player program under its second name. Its last part is "player", so
	// that a list of processes shows what it always did.
	keptPlayer = playerFolder + "/player"

	preinitFolder = "/etc/preinit.d"
	preinitHook   = preinitFolder + "/empegsync"

	stockConfig = "/etc/rsyncd.conf"
)

// ByHand is the line that starts the program, for whoever has to add it himself.
const ByHand = Program + " start"

// linkNames are the names under which the program is called.
func linkNames() []string { return []string{"empegsync", "rsync", "reindex"} }

// ours is a line of every script that is laid down, by which it is known again.
const ours = "# empegsync's; \"empegsync uninstall\" takes it away."

// isOurs reports whether a script has been laid down by an installation.
func isOurs(script []byte) bool { return strings.Contains(string(script), "\n"+ours+"\n") }

// starter are the lines that start program in the background of a script. They
// use nothing but the shell itself. The program is looked at before it is
// started: a shell takes what is no program for a script and would run it.
func starter(program string) string {
	return `(
	cd /
	log=/dev/null
	test -c /dev/kmsg && log=/dev/kmsg
	read -r magic <` + program + ` || exit 0
	case $magic in
	?ELF*) exec ` + program + ` start >$log 2>&1 ;;
	esac
) </dev/null >/dev/null 2>&1 &
`
}

// wrapper stands in the place of the player program and becomes the player.
func wrapper(program, player string) string {
	return `#!/bin/sh
` + ours + `
# Starts empegsync in the background, then becomes the player, whatever happens
# to empegsync. The player program itself is ` + player + `.
` + starter(program) + `exec ` + player + ` "$@"
`
}

// preinit is the script in preinit.d. The drives may be mounted only after it, so
// it waits for them where the system has a way to wait.
func preinit(program string) string {
	return `#!/bin/sh
` + ours + `
# Starts empegsync in the background once its drive is there. Never waits, never
# fails.
(
	n=0
	while test $n -lt 60 && test ! -f ` + program + `; do
		sleep 1 || break
		n=$((n + 1))
	done
` + indent(starter(program)) + `) </dev/null >/dev/null 2>&1 &
exit 0
`
}

func indent(text string) string {
	return "\t" + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n\t") + "\n"
}

// reinstateScript is what a person calls after an upgrade.
func reinstateScript() string {
	return `#!/bin/sh
` + ours + `
# Run this after an upgrade of the player's software, which rewrites the root: it
# lays the links and the boot hook anew.
exec ` + Program + ` reinstate "$@"
`
}

// defaultConfig is the configuration of a player nobody has been asked about.
func defaultConfig(want Want, drives []string) string {
	return role.Text(role.Answers{Role: want.Role, Master: want.Master, Drives: drives})
}

// linkTarget is what the links lead to.
func linkTarget() string { return Program }

// places are all names that an installation may touch, the folder of the links
// given.
func places(bin string) []string {
	all := []string{
		Folder, Program, OldProgram, Config, Reinstate,
		playerProgram, playerFolder, keptPlayer, preinitFolder, preinitHook, stockConfig,
		role.SecretsFile, role.PasswordFile,
	}
	for _, name := range linkNames() {
		all = append(all, path.Join(bin, name))
	}
	return all
}
