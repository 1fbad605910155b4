// Package rules says of each URL under which name a package cache keeps its
// file, from where else the file may be had, and whether it may change.
//
// A [Set] is made of presets, one for each way of distributing packages, of
// mirror groups, whose members hold the same files, and of rules of its owner,
// which come first. What no rule knows may change, as HTTP has it.
//
// The names are paths that people can read: the host, then the path; of a mirror
// group its name instead of the host. With "flat", as http-replicator has it, it
// is the file's own name alone.
package rules
