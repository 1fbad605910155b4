// Package backup keeps dated snapshots of a tree, each whole to look at, and
// equal files on the disk once: what has not changed since the snapshot before is
// a hard link to it (rsync's --link-dest).
//
// A backup's folder holds
//
//	2026-11-22T030000Z          a snapshot, named by when it was begun
//	2026-11-21T030000Z.partial  one that was accepted though files are missing
//	latest                      a symbolic link to the newest good one
//	.unfinished-*               what came of a run that did not end well
//	.pruning-*                  a snapshot that is being deleted
//	.lock                       held while a run is at work
//
// A run makes a new folder and never changes one that is there: files that an
// earlier, unfinished run has brought are linked from it, as those of a snapshot
// are. So no attribute of a file in an old snapshot can change with a resumed run.
// The folder gets its name once all of it is on the disk, then latest is switched,
// and only then are old snapshots deleted, as [MakePlan] says from their names,
// the [Policy] and the time alone. A power cut at any moment leaves every
// snapshot whole.
package backup
