package rootfs

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// The wrappers here repeat calls that a signal interrupted (which network and FUSE file systems let happen) and fill in
// what golang.org/x/sys/unix has no call for.

const (
	dirFlags  = unix.O_PATH | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	linkFlags = unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC
	readFlags = unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
	listFlags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
)

// again calls f until it is not interrupted.
func again(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}

// openat opens name below dirfd; flags must hold O_NOFOLLOW.
func openat(dirfd int, name string, flags int, perm uint32) (int, error) {
	for {
		fd, err := unix.Openat(dirfd, name, flags, perm)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// openat2 opens a directory as a handle, resolved by the kernel under the rules given.
func openat2(dirfd int, path string, resolve uint64) (int, error) {
	// Without O_NOFOLLOW, so that RESOLVE_NO_SYMLINKS alone judges the last component as well, with ELOOP.
	return openat2Flags(dirfd, path, dirFlags&^unix.O_NOFOLLOW, resolve)
}

// openat2Flags opens anything under the rules given.
func openat2Flags(dirfd int, path string, flags int, resolve uint64) (int, error) {
	how := unix.OpenHow{Flags: uint64(flags), Resolve: resolve}
	for {
		fd, err := unix.Openat2(dirfd, path, &how)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// closeFD closes fd. On Linux the descriptor is gone even if close was interrupted, so that is not an error.
func closeFD(fd int) error {
	if err := unix.Close(fd); err != unix.EINTR {
		return err
	}
	return nil
}

// readlinkat reads a link's text; name "" means the link that dirfd itself is a handle of.
func readlinkat(dirfd int, name string) (string, error) {
	var buf [maxPath + 1]byte
	for {
		n, err := unix.Readlinkat(dirfd, name, buf[:])
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return "", err
		case n >= len(buf):
			return "", unix.ENAMETOOLONG
		}
		return string(buf[:n]), nil
	}
}

// utimensat sets times; name nil means the file that fd is open on. utimensat(2)
func utimensat(fd int, name *byte, times unsafe.Pointer, flags int, call uintptr) error {
	for {
		_, _, errno := unix.Syscall6(call, uintptr(fd), uintptr(unsafe.Pointer(name)), uintptr(times), uintptr(flags), 0, 0)
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
			continue
		}
		return errno
	}
}
