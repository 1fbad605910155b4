// Package proto holds what the rsync protocol's versions differ in, and the
// numbers that are the same in all of them.
//
// It is the only package that compares version numbers. Everybody else asks a
// [Caps], which is made once, when both sides have agreed on a version, and
// never changes afterwards: its fields are named after behaviour ("sizes are
// varints"), not after the version that brought it. The table behind it
// (caps.go) gives for each field the first and the last version that has it,
// and the place in C rsync that says so.
//
// The package is pure: no I/O, no clock, no globals that change.
package proto
