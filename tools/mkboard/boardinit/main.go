// Command boardinit is what the emulated board runs instead of a player's own
// programs. It is one binary that plays three parts:
//
//   - /init, in the kernel's initial file system, loads modules, finds the disks and
//     goes over to the root on the first of them;
//   - /bin/init does there what a player's init does: mounts the drives, makes them
//     read-only, runs the player and acts upon its exit code;
//   - /empeg/bin/player, by whatever name it may go today, stands in for the player:
//     it sets up the network, loads or rebuilds its database, and listens to the
//     console.
//
// As /bin/peak it tells how much memory processes use at most, for measurements; a
// player has nothing like it.
//
// It is built for the board only: CGO_ENABLED=0 GOARCH=arm GOARM=5.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
)

func main() {
	debug.SetGCPercent(10) // a small board has better use for its memory
	var err error
	code := 0
	switch {
	case filepath.Base(os.Args[0]) == "peak":
		code, err = peak(os.Args[1:])
	case os.Getpid() != 1:
		code, err = play(os.Stdin, os.Stdout, "/")
	case os.Args[0] == "/init":
		err = enterRoot()
	default:
		err = newInit().life()
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", filepath.Base(os.Args[0]), err)
		code = 1
	}
	if os.Getpid() == 1 {
		halt() // the kernel would panic if this process ended
	}
	os.Exit(code)
}
