// Package playertest lays out a car player's disks in a folder, for tests and
// for the demonstration.
//
// [Build] makes the root file system of a developer image together with its two
// music drives: tunes, tags and playlists in both of the layouts that players
// write, and a database that agrees with them. [Mutate] is what a day of its
// owner's edits does to it, [Compare] says whether two players hold the same
// music, and [TempLeftovers] finds what an interrupted transfer left behind.
// [Start] stands in for the player itself: it loads the database as the player
// does at power-on, rebuilds it where a file of it is missing, and, unlike the
// player, also notices a database that tells something else than the music
// store holds.
//
// Everything is made from a seed: the same [Options] give the same names, bytes,
// modes and times on every machine. Two players built from one seed are thus a
// master and its faithful slave.
//
// The package does not mount anything, makes no device nodes and needs no
// privileges. It knows nothing of the packages it helps to test, so that a
// mistake in them cannot hide itself here.
//
//	master, slave := t.TempDir(), t.TempDir()
//	playertest.Build(master, playertest.Options{Name: "kitchen"})
//	playertest.Build(slave, playertest.Options{Name: "car"})
//	playertest.Mutate(master, 1)
//	// ... pull from master to slave ...
//	if err := playertest.Compare(master, slave); err != nil {
//		t.Error(err)
//	}
package playertest
