package player

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/empegsync/empegsync/pkg/mounts"
)

// RestartAdvice tells a person how to restart the player after a reindex, so that
// it can save what it rebuilds: after "exit" it starts without the drives being
// remounted read-only first, which it does after every other end.
const RestartAdvice = `Now restart the player, so that it rebuilds its database and can save it.
On its serial console type:
  q      (quits the player; a shell comes)
  rwm    (makes the drives writable)
  exit   (starts the player again)
Leave it alone until the rebuild has ended: with a lot of music it takes tens of minutes.
`

// ErrNoNotify is what Restart answers where it has no means to do it: the file
// /proc/empeg_notify of the Hijack kernel.
var ErrNoNotify = errors.New("no /proc/empeg_notify: this player cannot be restarted from here")

// notifyFile takes commands; SERIAL=text is typed on the console, with a newline.
const notifyFile = "/proc/empeg_notify"

// playerProgram is the name of the player program, /empeg/bin/player.
const playerProgram = "player"

// restartTimes say how patient a restart is.
type restartTimes struct {
	poll   time.Duration // between two looks
	change time.Duration // until the player has ended, and until it is back
	settle time.Duration // from the end of the player to the shell's prompt
	save   time.Duration // until the player has rebuilt and saved its database
	still  time.Duration // for which a saved file has not changed
}

// Restart does what RestartAdvice says by typing on the console through
// /proc/empeg_notify, and returns once the player has saved its database; then the
// drive is read-only again if it was before. It has not been tried on the hardware;
// on error the text says what is left to be done by hand.
func (p *Player) Restart(ctx context.Context) error { return p.restart(ctx, patient()) }

func (p *Player) restart(ctx context.Context, times restartTimes) error {
	if err := p.quit(ctx, times); err != nil {
		return err
	}
	return p.startAgain(ctx, times)
}

// openNotify opens the notify file for writing; it is never made.
func openNotify(tree *os.Root) (*os.File, error) {
	rel, err := mounts.Inside(tree, notifyFile)
	var f *os.File
	if err == nil {
		f, err = tree.OpenFile(rel, os.O_WRONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w; do it by hand:\n%s", ErrNoNotify, RestartAdvice)
	}
	return f, err
}

// typeLine sends one command; the kernel takes each write as a whole.
func typeLine(console *os.File, line string) error {
	_, err := console.WriteString("SERIAL=" + line + "\n")
	return err
}

// wait looks until done, at most for so long.
func wait(ctx context.Context, poll, patience time.Duration, done func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for !done() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(poll):
		}
	}
	return nil
}

// playerRuns looks for a process that was started as the player program.
func playerRuns(tree *os.Root) bool {
	proc, err := tree.Open("proc")
	if err != nil {
		return false
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return false
	}
	for _, name := range names {
		if strings.Trim(name, "0123456789") != "" {
			continue
		}
		command, err := tree.ReadFile(path.Join("proc", name, "cmdline"))
		if err != nil {
			continue // ended meanwhile
		}
		program, _, _ := strings.Cut(string(command), "\x00")
		if path.Base(program) == playerProgram {
			return true
		}
	}
	return false
}
