package player

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/empegsync/empegsync/pkg/mounts"
)

// Presence tells whether the player program runs.
type Presence uint8

// The presences.
const (
	Unknown Presence = iota // /proc does not tell
	Absent
	Playing
)

// Presence looks for the player program among the processes. Below another root
// than the system's own, where no process runs, none is there.
func (p *Player) Presence() Presence {
	tree, err := os.OpenRoot(p.root)
	if err != nil {
		return Unknown
	}
	defer tree.Close()
	if playerRuns(tree) {
		return Playing
	}
	if _, err := tree.Stat("proc/self"); err != nil && p.root == "/" {
		return Unknown
	}
	return Absent
}

// CanAsk reports whether the player can be asked to leave, through the Hijack
// kernel.
func (p *Player) CanAsk() bool {
	tree, err := os.OpenRoot(p.root)
	if err != nil {
		return false
	}
	defer tree.Close()
	console, err := openNotify(tree)
	if err != nil {
		return false
	}
	return console.Close() == nil
}

// Popup shows a line on the player's display for some seconds, where that is
// possible. It is no error where it is not.
func (p *Player) Popup(seconds int, text string) {
	tree, err := os.OpenRoot(p.root)
	if err != nil {
		return
	}
	defer tree.Close()
	console, err := openNotify(tree)
	if err != nil {
		return
	}
	defer console.Close()
	_, _ = fmt.Fprintf(console, "POPUP %d %s\n", seconds, text) // a courtesy
}

// Quit has the player program end, so that nobody uses the drives. On error it may
// still run. Whoever has quit it starts it again with StartAgain.
func (p *Player) Quit(ctx context.Context) error { return p.quit(ctx, patient()) }

// StartAgain has the player that Quit has ended start again. If its database is to
// be rebuilt, the drive is writable until the player has saved it, as it would not
// save it otherwise; then the drive is read-only again if it was before. That takes
// tens of minutes with a lot of music. If ctx ends meanwhile, the player plays on,
// and rebuilds once more at its next start.
func (p *Player) StartAgain(ctx context.Context) error { return p.startAgain(ctx, patient()) }

func patient() restartTimes {
	return restartTimes{
		poll: 200 * time.Millisecond, change: 30 * time.Second, settle: 2 * time.Second,
		save: 3 * time.Hour, still: 5 * time.Second,
	}
}

func (p *Player) quit(ctx context.Context, times restartTimes) error {
	return p.withConsole(func(tree *os.Root, console *os.File) error {
		// Without a look at the player, later words might reach it instead of the
		// shell; it takes single letters for commands.
		if !playerRuns(tree) {
			return fmt.Errorf("the player program does not run; type on its console: rwm, then: exit")
		}
		if err := typeLine(console, "q"); err != nil {
			return fmt.Errorf("quit the player: %w", err)
		}
		if err := wait(ctx, times.poll, times.change, func() bool { return !playerRuns(tree) }); err != nil {
			return fmt.Errorf("the player has not quit (%w); type on its console: q, then: rwm, then: exit", err)
		}
		<-time.After(times.settle) // until the shell is there to read what comes
		return nil
	})
}

func (p *Player) startAgain(ctx context.Context, times restartTimes) (err error) {
	dir, where, err := p.openVar()
	if err != nil {
		return err
	}
	defer dir.Close()
	rebuilds := !complete(dir)
	if rebuilds {
		restore, _, err := p.guard.Writable(where)
		if err != nil {
			return fmt.Errorf("the player will not be able to save its database: %w; type on its console: rwm, then: exit", err)
		}
		defer func() { err = errors.Join(err, restore()) }()
	}
	// From here on it is seen through even if ctx ends: nobody wants the player
	// left at the shell.
	err = p.withConsole(func(tree *os.Root, console *os.File) error {
		if err := typeLine(console, "exit"); err != nil {
			return fmt.Errorf("start the player: %w; type on its console: rwm, then: exit", err)
		}
		if err := wait(context.WithoutCancel(ctx), times.poll, times.change, func() bool { return playerRuns(tree) }); err != nil {
			return fmt.Errorf("the player has not come back (%w); type on its console: exit", err)
		}
		return nil
	})
	if err != nil || !rebuilds {
		return err
	}
	return p.awaitDatabase(ctx, dir, times)
}

// awaitDatabase waits until the player has saved its database: all files are there
// and playlists, which it writes last, has not changed for a while.
func (p *Player) awaitDatabase(ctx context.Context, dir *os.Root, times restartTimes) error {
	var last fs.FileInfo
	since := time.Now()
	err := wait(ctx, times.poll, times.save, func() bool {
		now, err := dir.Stat("playlists")
		if err != nil || !complete(dir) {
			last = nil
			return false
		}
		if last == nil || last.Size() != now.Size() || !last.ModTime().Equal(now.ModTime()) {
			last, since = now, time.Now()
		}
		return time.Since(since) >= times.still
	})
	if err != nil {
		return fmt.Errorf("the player has not saved its database (%w); it rebuilds it again at its next start", err)
	}
	return nil
}

// complete reports whether all files of a database are there.
func complete(dir *os.Root) bool {
	found, err := databaseFiles(dir, "")
	if err != nil {
		return false
	}
	has := func(name string) bool {
		return slices.ContainsFunc(found, func(f DatabaseFile) bool { return f.Name == name })
	}
	return has("playlists") && has("tags") && (has("database") || has("database3"))
}

// withConsole opens what types on the console.
func (p *Player) withConsole(do func(tree *os.Root, console *os.File) error) error {
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
	return do(tree, console)
}

// MustRemount reports whether a path lies on a file system that is read-only now.
func MustRemount(path string) (bool, error) { return mounts.Linux{}.ReadOnly(path) }
