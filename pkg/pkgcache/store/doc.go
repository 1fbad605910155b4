// Package store keeps a package cache's files on a disk: whole ones under their
// own names, so that the folder can be read by anything else, too, and what is
// known of them and what is still arriving in a hidden folder beside them.
//
// A file gets its name when all of it is on the disk, and not before. What a
// crash or a power cut leaves is either the old file, the new one, or a part that
// the next fetch goes on with or throws away. What is known of a file carries the
// file's size and time, and counts only while they agree: nothing has to be
// repaired when the two were cut apart.
//
// All access is below one [os.Root], so no name leads out of the folder, neither
// by ".." nor by a symbolic link.
//
// The package knows neither HTTP nor the rules by which names are chosen.
package store
