package main

import (
	"context"
	"fmt"

	"github.com/empegsync/empegsync/pkg/player"
	"github.com/empegsync/empegsync/pkg/rsync/client"
)

// reindexCmd removes the player's database files.
type reindexCmd struct {
	rootFlag
	DryRun  bool `short:"n" help:"Show what would be removed, change nothing."`
	Restart bool `help:"Also restart the player where it can be done from here (Hijack kernel)."`
}

// Help is what --help tells of the verb.
func (reindexCmd) Help() string {
	return `Removes database, database3, playlists and tags of /empeg/var; config.ini and
everything else stays. The player rebuilds them when it starts the next time.

Examples:
  empegsync reindex -n
  reindex               (the same program under this name)`
}

// Run implements the verb.
func (r *reindexCmd) Run(ctx context.Context, s *streams) (err error) {
	p, _, err := r.open()
	if err != nil {
		return err
	}
	if !r.DryRun {
		lock, err := p.Lock()
		if err != nil {
			return err
		}
		defer func() {
			if uerr := lock.Unlock(); err == nil {
				err = uerr
			}
		}()
	}
	removed, err := p.Reindex(ctx, r.DryRun)
	verb := "removed"
	if r.DryRun {
		verb = "would remove"
	}
	for _, f := range removed {
		fmt.Fprintf(s.out, "%s %s (%s)\n", verb, f.Name, client.Size(f.Bytes))
	}
	if err != nil {
		return err
	}
	if len(removed) == 0 {
		fmt.Fprintln(s.out, "nothing to remove: the player rebuilds its database anyway")
	}
	return restart(ctx, p, r.Restart, r.DryRun, s)
}

// restart restarts the player, or says how to.
func restart(ctx context.Context, p *player.Player, do, dry bool, s *streams) error {
	switch {
	case dry:
		return nil
	case do:
		if err := p.Restart(ctx); err != nil {
			return err
		}
		_, err := fmt.Fprintln(s.out, "the player was restarted, and has rebuilt its database and saved it")
		return err
	}
	_, err := fmt.Fprint(s.out, player.RestartAdvice)
	return err
}
