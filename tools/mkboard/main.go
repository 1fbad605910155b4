// Command mkboard makes an emulated board out of Debian packages and runs it on the
// terminal: a player to try things on.
//
//	scripts/board-packages.sh dist/board/packages
//	mkboard -init boardinit -empegsync empegsync-linux-armv5 dist/board
//
// Without -fresh it takes up the disks that an earlier run has left.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/empegsync/empegsync/pkg/player/playertest"
	"github.com/empegsync/empegsync/tools/mkboard/board"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// config is the command line.
type config struct {
	dir, recipe, packages, boardinit, empegsync, forward string
	fids, memory                                         int
	fresh, build                                         bool
}

// run is the command without the process around it; it returns the exit code.
func run(ctx context.Context, args []string, out, errOut io.Writer) int {
	var c config
	fs := flag.NewFlagSet("mkboard", flag.ContinueOnError)
	fs.SetOutput(errOut)
	fs.StringVar(&c.recipe, "recipe", "firmware/board/recipe", "what the board is made of")
	fs.StringVar(&c.packages, "packages", "dist/board/packages", "the folder of its packages")
	fs.StringVar(&c.boardinit, "init", "dist/board/boardinit", "the board's own program, built for ARM")
	fs.StringVar(&c.empegsync, "empegsync", "", "the binary to lay on the board as /drive0/new, to be installed at its console; none if empty")
	fs.StringVar(&c.forward, "forward", "127.0.0.1:8730", "where this machine forwards to the board's port 873")
	fs.IntVar(&c.fids, "fids", 300, "how much music is on it")
	fs.IntVar(&c.memory, "memory", 64, "in megabytes")
	fs.BoolVar(&c.fresh, "fresh", false, "make new disks even if there are some")
	fs.BoolVar(&c.build, "build", false, "make the disks and do not run them")
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil || fs.NArg() != 1 {
		fmt.Fprintln(errOut, "usage: mkboard [options] DIR; mkboard -h lists them")
		return 2
	}
	c.dir = fs.Arg(0)
	if err := c.run(ctx, out); err != nil {
		fmt.Fprintln(errOut, "mkboard:", err)
		return 1
	}
	return 0
}

func (c config) run(ctx context.Context, out io.Writer) error {
	recipe, err := board.ReadRecipe(c.recipe)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return err
	}
	base, err := board.BuildBase(ctx, recipe, c.packages, c.boardinit, c.dir)
	if err != nil {
		return err
	}
	disks := board.DisksIn(c.dir)
	if _, err := os.Stat(disks.Root); c.fresh || err != nil {
		if disks, err = c.disks(ctx, base, out); err != nil {
			return err
		}
	}
	if c.build {
		return nil
	}
	fmt.Fprintf(out, `The board's console follows. Ctrl-A x switches it off, Ctrl-A h helps.
Its port 873 is %s here: rsync rsync://%s/
`, c.forward, c.forward)
	return board.RunInteractive(ctx, base, disks, board.Options{MemoryMB: c.memory, Forward: c.forward})
}

// disks lays out a player and makes the disks of it.
func (c config) disks(ctx context.Context, base *board.Base, out io.Writer) (board.Disks, error) {
	player, err := os.MkdirTemp("", "mkboard")
	if err != nil {
		return board.Disks{}, err
	}
	defer os.RemoveAll(player)
	if err := playertest.Build(player, playertest.Options{Name: "board", Fids: c.fids, Seed: 1}); err != nil {
		return board.Disks{}, err
	}
	if c.empegsync != "" {
		content, err := os.ReadFile(c.empegsync)
		if err != nil {
			return board.Disks{}, err
		}
		if err := os.WriteFile(filepath.Join(player, "drive0/new"), content, 0o755); err != nil {
			return board.Disks{}, err
		}
	}
	fmt.Fprintf(out, "a player with %d fids in %s\n", c.fids, c.dir)
	return base.Disks(ctx, player, c.dir, board.DiskOptions{DriveMB: 64 + c.fids/10, Address: board.HostedAddress})
}
