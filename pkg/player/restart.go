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

// restartTimes say how patient Restart is.
type restartTimes struct {
	poll   time.Duration // between two looks
	change time.Duration // until the player has ended, and until it is back
	settle time.Duration // from the end of the player to the shell's prompt
}

// Restart does what RestartAdvice says by typing on the console through
// /proc/empeg_notify, and returns once the player program runs again. It does
// not wait for the rebuild. It has not been tried on the hardware; on error the
// text says what is left to be done by hand.
func (p *Player) Restart(ctx context.Context) error {
	return p.restart(ctx, restartTimes{poll: 200 * time.Millisecond, change: 30 * time.Second, settle: 2 * time.Second})
}

func (p *Player) restart(ctx context.Context, times restartTimes) error {
	tree, err := os.OpenRoot(p.root)
	if err != nil {
		return err
	}
	defer tree.Close()
	console, err := openNotify(tree)
	if err != nil {
		return err
	}
	defer console.Close()
	// Without a look at the player, later words might reach it instead of the
	// shell; it takes single letters for commands.
	if !playerRuns(tree) {
		return fmt.Errorf("the player program does not run; type on its console: rwm, then: exit")
	}
	if err := typeLine(console, "q"); err != nil {
		return fmt.Errorf("quit the player: %w", err)
	}
	if err := wait(ctx, times, func() bool { return !playerRuns(tree) }); err != nil {
		return fmt.Errorf("the player has not quit (%w); type on its console: q, then: rwm, then: exit", err)
	}
	// From here on it is seen through even if ctx ends: nobody wants the player
	// left at the shell. The shell must be there to read what comes.
	<-time.After(times.settle)
	for _, line := range []string{"rwm", "exit"} {
		if err := typeLine(console, line); err != nil {
			return fmt.Errorf("start the player: %w; type on its console: rwm, then: exit", err)
		}
	}
	if err := wait(ctx, times, func() bool { return playerRuns(tree) }); err != nil {
		return fmt.Errorf("the player has not come back (%w); type on its console: exit", err)
	}
	return nil
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

// wait looks until done, at most times.change.
func wait(ctx context.Context, times restartTimes, done func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, times.change)
	defer cancel()
	for !done() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(times.poll):
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
