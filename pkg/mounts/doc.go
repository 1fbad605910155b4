// Package mounts lets a program write on a file system that is normally
// mounted read-only, for exactly as long as it writes.
//
// A player keeps its root file system and its drives read-only, because the
// power may go at any moment. Whoever has to change a file there asks a Guard:
//
//	restore, changed, err := guard.Writable("/etc")
//	if err != nil {
//		return err
//	}
//	defer func() { err = errors.Join(err, restore()) }()
//	... write ...
//
// Writable finds the mount that holds the path, remounts it writable if it is
// read-only, and hands back the function that undoes this. What was writable
// when it was found is never made read-only. Guards on the same mount, or on
// two mounts of one file system, are counted: only the last restore goes back.
//
// The counting is within one Guard, so a process makes one and shares it.
// Between processes nothing is counted; callers that may run twice at the same
// time hold a lock of their own (see package player). A process that is killed
// between the two remounts leaves the mount writable, as the power going would;
// callers turn signals into an orderly return.
//
// The package also resolves names below a root directory as chroot(2) would
// (Inside), for a player's disks that are mounted or copied somewhere else: an
// absolute symbolic link there means a place below that root.
package mounts
