// Package client is the side of a user: it finds the other side (a daemon, a
// server behind a remote shell, a server in this process for copies on one
// machine), opens a session with it, and pulls, pushes, lists or copies.
//
// Where from and where to is said by a [Route] of [Remote] places and paths;
// how, by options; what happens is told to a transfer.Observer. [Report] is
// the one that prints what rsync prints, and [Summary] its last lines.
//
//	route, err := client.ParseRoute(opt.Args)
//	c := &client.Client{Options: opt, Umask: umask, Observer: report}
//	stats, err := c.Pull(ctx, route.From, dest)
//
// A remote shell is a child process: it is told to end when the context ends
// or the session has failed, and is always waited for. Its standard error
// passes through, and its exit status counts if it is the higher one.
package client
