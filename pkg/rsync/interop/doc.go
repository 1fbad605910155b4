// Package interop holds the tests in which the engine meets other rsyncs:
// Debian's in every protocol version that both speak, as client and as daemon,
// and gokrazy/rsync as a second, independent implementation. It has no code of
// its own.
package interop
