// Package player knows how a player keeps its music and what has to happen after
// the music has changed under it: drives, FIDs, the database files, the lock
// that keeps two changes apart, and quitting and starting the player program.
//
//	p, err := player.Open("/", guard)        // or where its disks are mounted
//	lock, err := p.Lock()                    // one pull or reindex at a time
//	defer lock.Unlock()
//	for _, drive := range drives { ... }     // p.Drives: those that are there
//	removed, err := p.Reindex(ctx, false)    // before the first change
//	fmt.Println(player.RestartAdvice)
//
// At its start a player loads its database, and rebuilds it if any of the files
// is missing. So they are removed before the first fid is changed: whatever
// happens then, even a power cut, the player rebuilds rather than play what is
// no longer there. Everything else, config.ini above all, stays.
//
// The player saves the rebuilt database only if its drive is writable at that
// moment; if not, it says nothing and rebuilds again at the next start. How it
// must be restarted for that is RestartAdvice.
//
// Names below the root are resolved as the player would see them, so a link
// there never leads out of it. What is said here about the player program was
// read from its published software and has not been tried on the hardware.
package player
