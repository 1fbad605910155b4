// Package server is the far end of a transfer that somebody else has started:
// "rsync --server" on standard input and output, as a remote shell or another
// rsync runs it.
//
// The paths are those of the user whom it runs as, absolute or relative to the
// working directory; there are no modules, and no rules but the client's. A
// shell, not this package, has made "~" and wildcards into names.
//
//	conn, restore, err := server.Stdio(os.Stdin, os.Stdout)
//	defer restore()
//	s := &server.Session{Options: opt, Conn: conn, Err: os.Stderr, Umask: umask}
//	err = s.Run(ctx)
package server
