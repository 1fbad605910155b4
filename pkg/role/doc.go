// Package role knows the one small configuration file of an installed player,
// empegsync.conf: whether it is a master, a slave or both, where its master is,
// and what it serves.
//
// The file has the syntax of rsyncd.conf, and every parameter and module of
// rsyncd.conf may stand in it. Beyond those it has a few of its own, before the
// first module:
//
//	role = both                  # master, slave or both
//	master = kitchen             # whom a slave pulls from: HOST or HOST:PORT
//	pull at boot = no            # yes: whenever the master is there at power-on
//	hostname = car               # else the player's own name
//	master user = car            # for a master that asks for a password
//	password file = /drive0/empegsync/password
//
// Parse reads such a file, Text writes one with comments that teach. The package
// is pure: it opens nothing.
package role
