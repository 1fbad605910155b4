package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/u-root/u-root/pkg/termios"

	"github.com/empegsync/empegsync/pkg/mounts"
	"github.com/empegsync/empegsync/pkg/player"
	"github.com/empegsync/empegsync/pkg/verbs"
)

// cli is the command line.
type cli struct {
	Boot      bootCmd      `cmd:"" help:"Put right what a player lacks when it starts: loopback, hostname, /etc/hosts, passwd, group."`
	Serve     serveCmd     `cmd:"" help:"Serve the modules of an rsyncd.conf, or the drives."`
	Pull      pullCmd      `cmd:"" help:"Make this player's music like the master's, both drives."`
	Reindex   reindexCmd   `cmd:"" help:"Remove the player's database files, so that it rebuilds them."`
	Backup    backupCmd    `cmd:"" help:"Keep dated snapshots that share what has not changed."`
	Doctor    doctorCmd    `cmd:"" help:"Find out whether a backup over a remote shell would work, and what to change."`
	Rsync     rsyncCmd     `cmd:"" help:"Be rsync: the same options, output and exit codes."`
	Rrsync    rrsyncCmd    `cmd:"" help:"Serve what an ssh key may do with rsync, as its forced command."`
	Authorize authorizeCmd `cmd:"" help:"Make the line of authorized_keys that lets an ssh key do one thing with rsync."`
	Synk      synkCmd      `cmd:"" help:"Keep files alike on many hosts: the newest copy wins."`
	Cache     cacheCmd     `cmd:"" help:"Be a package cache: fetch each package once, serve it to everyone."`
	Version   versionCmd   `cmd:"" help:"Print the version."`

	Install   installCmd   `cmd:"" help:"Put this program on a player, so that it starts with it."`
	Setup     setupCmd     `cmd:"" help:"Ask what an installed player shall be, and write its configuration."`
	Reinstate reinstateCmd `cmd:"" help:"Repair the installation after an upgrade of the player's software."`
	Uninstall uninstallCmd `cmd:"" help:"Take this program off a player, and put everything back."`
	Console   consoleCmd   `cmd:"" help:"From a PC: install it on a player over the serial line, and be its terminal."`
	Start     startCmd     `cmd:"" help:"Do in the background what the player's role asks for; the boot hook runs this."`

	Inside insideCmd `cmd:"" hidden:"" help:"Serve where daemon chroot says; started by serve."`
}

// streams are where a verb reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// Exit codes outside of transfers.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// run is the whole program: args[0] is the name it was called by.
func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	tuneMemory()
	if strconv.IntSize == 32 { // as boards have
		calmTimers()
	}
	name := filepath.Base(args[0])
	words := args[1:]
	if name == "rsync" {
		return runRsync(ctx, args[:1], words, &streams{in, out, errOut})
	}
	if len(words) > 0 && words[0] == "rsync" {
		return runRsync(ctx, args[:2], words[1:], &streams{in, out, errOut})
	}
	if name == "rrsync" {
		return runRrsync(ctx, words, &streams{in, out, errOut})
	}
	if len(words) > 0 && words[0] == "rrsync" {
		return runRrsync(ctx, words[1:], &streams{in, out, errOut})
	}
	if name == "synk" {
		return runSynk(ctx, words, &streams{in, out, errOut})
	}
	if len(words) > 0 && words[0] == "synk" {
		return runSynk(ctx, words[1:], &streams{in, out, errOut})
	}
	switch name {
	case "reindex":
		words = append([]string{"reindex"}, words...)
	case "http-replicator":
		words = append([]string{"cache"}, words...)
	}
	return runVerb(ctx, words, &streams{in, out, errOut})
}

// about is the program in a line.
const about = "Keep music players in step with rsync. \"empegsync VERB --help\" tells more of each verb."

// runVerb reads a command line and does what it says.
func runVerb(ctx context.Context, words []string, s *streams) int {
	all, err := verbs.New(&cli{})
	if err != nil {
		return report(err, s.err)
	}
	verb, err := all.Parse(words)
	switch {
	case errors.Is(err, verbs.ErrHelp):
		verb.Explain(s.out, "empegsync", about)
		return exitOK
	case err != nil:
		fmt.Fprintf(s.err, "empegsync: %v\nTry \"%s --help\".\n", err, verb.Path("empegsync"))
		return exitUsage
	}
	return report(perform(ctx, verb.Target(), s), s.err)
}

// perform does what a verb is for.
func perform(ctx context.Context, verb any, s *streams) error {
	switch v := verb.(type) {
	case interface {
		Run(context.Context, *streams) error
	}:
		return v.Run(ctx, s)
	case interface{ Run(*streams) error }:
		return v.Run(s)
	}
	return fmt.Errorf("%T cannot be run", verb)
}

// coded is an error that brings its exit code.
type coded struct {
	error
	code int
}

func (c *coded) Unwrap() error { return c.error }

// report prints an error and returns the exit code.
func report(err error, errOut io.Writer) int {
	if err == nil {
		return exitOK
	}
	code := exitFailed
	var c *coded
	if errors.As(err, &c) {
		code = c.code
	}
	for l := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintln(errOut, "empegsync:", l)
	}
	return code
}

// tuneMemory trades processor time for memory where addresses have 32 bits:
// boards have 12 to 64 MB, and what a transfer allocates is mostly buffers that
// are used again. Other machines have the memory and get the time.
func tuneMemory() {
	if os.Getenv("GOGC") != "" {
		return
	}
	if strconv.IntSize == 32 {
		debug.SetGCPercent(50)
	} else {
		debug.SetGCPercent(200)
	}
}

// terminal reports whether w is a terminal, and its width.
func terminal(w io.Writer) (is bool, width int) {
	f, ok := w.(*os.File)
	if !ok {
		return false, 0
	}
	if _, err := termios.GetTermios(f.Fd()); err != nil {
		return false, 0
	}
	if ws, err := termios.GetWinSize(f.Fd()); err == nil {
		width = int(ws.Col)
	}
	return true, width
}

// rootFlag is the --root of the verbs that work on a player.
type rootFlag struct {
	Root string `default:"/" placeholder:"DIR" type:"path" help:"The player's root directory; / on a player."`
}

func (r rootFlag) open() (*player.Player, *mounts.Guard, error) {
	guard := mounts.NewGuard(mounts.Linux{}, nil)
	p, err := player.Open(r.Root, guard)
	return p, guard, err
}

// versionCmd prints the version.
type versionCmd struct{}

// Help is what --help tells of the verb.
func (versionCmd) Help() string {
	return `It also tells which protocol versions it speaks and for what machine it is built.

Example:
  empegsync version`
}

// Run implements the verb.
func (versionCmd) Run(s *streams) error {
	_, err := fmt.Fprintln(s.out, versionText())
	return err
}
