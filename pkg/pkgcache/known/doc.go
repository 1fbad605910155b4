// Package known finds what the files of a package cache must be, in lists that
// somebody trustworthy has made: the Manifests of portage trees on this machine
// (GLEP 74), apt's indexes that the cache holds itself, and the names of files
// that are called by their own sum.
//
// A tree has some 80,000 distfiles. Their sums are kept in a sorted table of
// about 90 bytes a file, which is made at the start and again when the tree has
// changed; names are kept as 64-bit hashes. Two names with the same hash could
// only make a right file look wrong, never a wrong one right.
//
// The same lists tell which files nobody refers to any more.
package known
