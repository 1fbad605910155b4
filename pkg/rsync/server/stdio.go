package server

import (
	"fmt"
	"net"
	"os"
	"syscall"

	"github.com/empegsync/empegsync/pkg/rsync/session"
)

// Stdio makes a connection of a process's standard input and output. Pipes and
// sockets no longer block while it is in use, so that timeouts work and a
// session can be ended; restore makes them as they were, for others may hold
// them, too. Closing the connection leaves in and out open.
func Stdio(in, out *os.File) (conn net.Conn, restore func(), err error) {
	var undo []func()
	restore = func() {
		for _, f := range undo {
			f()
		}
	}
	var ends [2]*os.File
	for i, f := range []*os.File{in, out} {
		fd, back, err := duplicate(f)
		if err != nil {
			restore()
			return nil, nil, fmt.Errorf("use %s for the session: %w", f.Name(), err)
		}
		undo = append(undo, back)
		ends[i] = os.NewFile(uintptr(fd), f.Name())
	}
	return session.Pipes(ends[0], ends[1]), restore, nil
}

// duplicate returns a copy of a file's descriptor that does not block if the
// file is a pipe or a socket; back undoes that.
func duplicate(f *os.File) (fd int, back func(), err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, nil, err
	}
	back = func() {}
	var opErr error
	err = raw.Control(func(p uintptr) {
		if fd, opErr = syscall.Dup(int(p)); opErr != nil {
			return
		}
		syscall.CloseOnExec(fd)
		var st syscall.Stat_t
		if opErr = syscall.Fstat(fd, &st); opErr != nil {
			return
		}
		if t := st.Mode & syscall.S_IFMT; t != syscall.S_IFIFO && t != syscall.S_IFSOCK {
			return
		}
		flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFL, 0)
		if errno != 0 || flags&syscall.O_NONBLOCK != 0 {
			return
		}
		if opErr = syscall.SetNonblock(fd, true); opErr == nil {
			back = func() { _ = raw.Control(func(p uintptr) { _ = syscall.SetNonblock(int(p), false) }) }
		}
	})
	if err == nil {
		err = opErr
	}
	return fd, back, err
}
