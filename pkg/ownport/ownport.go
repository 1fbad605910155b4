// Package ownport has tests hold TCP ports, so that nobody else gets one between
// its choice and the moment when a program that a test starts listens there.
package ownport

import (
	"fmt"
	"os"
	"syscall"
	"testing"
)

// Hold returns a port of 127.0.0.1 that belongs to the test until its end; see
// [Reserve].
func Hold(t testing.TB) int {
	t.Helper()
	port, release, err := Reserve()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return port
}

// HoldAddress is [Hold] that returns the address with the port.
func HoldAddress(t testing.TB) string {
	t.Helper()
	return fmt.Sprintf("127.0.0.1:%d", Hold(t))
}

// Reserve returns a port of 127.0.0.1, to be held until release is called. A
// connection to it is refused until a program that is told the number listens
// there; neither a socket that asks for any free port nor a connection's near
// end gets it. For the program to be let in, it must set SO_REUSEADDR, as
// servers do.
func Reserve() (port int, release func(), err error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, nil, os.NewSyscallError("reserve a port: socket", err)
	}
	// Bound, but not listening: the kernel shares that with whoever asks for this
	// very port in the same way, and chooses it for nobody.
	err = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	if err == nil {
		err = syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	}
	var at syscall.Sockaddr
	if err == nil {
		at, err = syscall.Getsockname(fd)
	}
	if err != nil {
		syscall.Close(fd)
		return 0, nil, os.NewSyscallError("reserve a port: bind", err)
	}
	return at.(*syscall.SockaddrInet4).Port, func() { syscall.Close(fd) }, nil
}
