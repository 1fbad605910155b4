// Package client is the side of a user: it finds a daemon, opens a session
// with it, and pulls, pushes or lists.
//
// What is copied where is said by a [Remote] and options; what happens is told
// to a transfer.Observer.
package client
