package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/empegsync/empegsync/pkg/player/playertest"
)

// play is the player: it starts as one does, then obeys the console until it is
// told to end. It returns the exit code that init acts upon.
func play(in io.Reader, out io.Writer, root string) (int, error) {
	tell := func(format string, args ...any) { fmt.Fprintf(out, "player: "+format+"\n", args...) }
	config, err := os.ReadFile(filepath.Join(root, "empeg/var/config.ini"))
	if err != nil {
		tell("no config.ini: %v", err)
	}
	if n, err := networkOf(string(config)); err != nil {
		tell("network: %v", err)
	} else if root == "/" {
		if err := n.raise(); err != nil {
			tell("network: %v", err)
		} else {
			tell("eth0 has %s", n.address)
		}
	}
	r, err := playertest.Start(root)
	tell("%v", r)
	if errors.Is(err, playertest.ErrLies) {
		tell("LIES: %v", err)
	} else if err != nil {
		return 1, err
	}
	if r.Rebuilt && r.Saved {
		tell("saved the database, playlists last")
	}
	debug.FreeOSMemory()
	tell("playing")
	return listen(in, tell)
}

// listen takes the console's lines: q quits, R restarts, and "exit N" ends with a
// code of choice. Other input is a key that does nothing here.
func listen(in io.Reader, tell func(string, ...any)) (int, error) {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		code, chosen := strings.CutPrefix(line, "exit ")
		switch {
		case line == "q":
			tell("quit")
			return 0, nil
		case line == "R":
			return exitRestart, nil
		case chosen:
			return strconv.Atoi(code)
		}
	}
	return 0, lines.Err()
}
