package pull

import (
	"context"
	"errors"
	"fmt"

	"github.com/empegsync/empegsync/pkg/player"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// disturbs reports whether making a drive writable would disturb a player that
// plays from it. A file that the player has open while it is replaced would keep
// the drive from being made read-only again. If it is not known whether a player
// is there, nothing is remounted: that is an error.
func (j *Job) disturbs(d player.Drive) (bool, error) {
	locked, err := player.MustRemount(d.Path)
	if err != nil || !locked || j.quit || j.WhilePlaying {
		return false, err
	}
	presence := j.Player.Presence()
	if presence == player.Unknown {
		return false, errors.New("/proc does not tell whether the player plays from these drives, so they stay read-only; mount /proc, or say --while-playing")
	}
	return presence == player.Playing, nil
}

// popupSeconds is how long the display says what is going on before the player,
// which draws it, quits.
const popupSeconds = 10

// askToLeave quits the player that plays from the drives.
func (j *Job) askToLeave(ctx context.Context) error {
	if !j.Player.CanAsk() {
		return errors.New("the player plays from these drives, and cannot be asked to leave from here; quit it (q on its console), or say --while-playing")
	}
	j.Player.Popup(popupSeconds, "syncing")
	if err := j.Player.Quit(ctx); err != nil {
		return err
	}
	j.quit = true
	return nil
}

// playAgain starts the player that was asked to leave, whatever became of the pull,
// and waits until it has saved its database.
func (j *Job) playAgain(ctx context.Context) error {
	if j.Rsync.Quiet == 0 {
		what := "starting the player again"
		if len(j.removed) > 0 {
			what += "; it rebuilds its database, which takes its time, and the drive stays writable until it has saved it"
		}
		fmt.Fprintln(j.Out, what)
	}
	if err := j.Player.StartAgain(ctx); err != nil {
		return proto.Fail(proto.ExitFileIO, err)
	}
	return nil
}
