package main

import "golang.org/x/sys/unix"

// listenQueue has a listening socket keep at most so many connections that
// nobody has accepted.
func listenQueue(fd, length int) error { return unix.Listen(fd, length) }
