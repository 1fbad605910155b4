// Package subtree finds what a peer's words mean below one folder that they
// must not leave: a module of a daemon, or what a restricted key stands for.
//
// A [Tree] turns paths to send, the lists and rules that options name, and the
// folders besides a destination into what transfer works with. All of it is
// opened through the tree's root, so that "..", absolute names and links lead
// no further than that, whenever they come to be there.
package subtree
