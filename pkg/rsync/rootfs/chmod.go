package rootfs

import (
	"errors"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// errNoProc is why a mode cannot be set on an old kernel: there is no safe way left.
var errNoProc = errors.New("setting its mode without following links needs Linux 6.6 or /proc")

// chmod sets the mode of name, which is of the given type (S_IFMT bits), without following a link. Linux learned to do that
// in 6.6 (fchmodat2). Before, a regular file or directory is opened and changed through its descriptor, which has no side
// effect; anything else, and what we may not open, is held by an O_PATH handle and changed through /proc/self/fd.
func (k *kernel) chmod(dirfd int, name string, mode, typ uint32) error {
	if !k.noFchmodat2.Load() {
		err := fchmodat2(dirfd, name, mode)
		switch err {
		case unix.ENOSYS:
			k.noFchmodat2.Store(true)
		case unix.EPERM: // perhaps a system call filter; the ways below tell
		case unix.EOPNOTSUPP:
			return because(ErrSymlink, err)
		default:
			return err
		}
	}
	if typ == unix.S_IFREG || typ == unix.S_IFDIR {
		if done, err := chmodOpened(dirfd, name, mode, typ); done {
			return err
		}
	}
	return k.chmodProc(dirfd, name, mode)
}

// chmodOpened changes the mode through a descriptor. It is not done if the file cannot be opened for lack of permission.
func chmodOpened(dirfd int, name string, mode, typ uint32) (done bool, err error) {
	flags := readFlags
	if typ == unix.S_IFDIR {
		flags = listFlags
	}
	fd, err := openat(dirfd, name, flags, 0)
	if err == unix.EACCES && typ == unix.S_IFREG {
		fd, err = openat(dirfd, name, flags|unix.O_WRONLY, 0)
	}
	switch {
	case err == nil:
	case isErrno(err, unix.EACCES, unix.ETXTBSY, unix.EROFS):
		return false, nil
	case err == unix.ELOOP:
		return true, because(ErrSymlink, err)
	default:
		return true, err
	}
	defer closeFD(fd)
	return true, again(func() error { return unix.Fchmod(fd, mode) })
}

// chmodProc changes the mode of whatever name is, but a link, through its handle's entry in /proc.
func (k *kernel) chmodProc(dirfd int, name string, mode uint32) error {
	fd, err := openat(dirfd, name, linkFlags, 0)
	if err != nil {
		return err
	}
	defer closeFD(fd)
	var info Info
	if err := k.stat(fd, "", &info); err != nil {
		return err
	}
	if info.IsSymlink() {
		return because(ErrSymlink, unix.EOPNOTSUPP)
	}
	proc, err := k.openProc()
	if err != nil {
		return because(errNoProc, unix.EOPNOTSUPP)
	}
	defer closeFD(proc)
	return again(func() error { return unix.Fchmodat(proc, strconv.Itoa(fd), mode, 0) })
}

// openProc opens /proc/self/fd of the real /proc. In a chroot the peer itself may have made a directory of that name.
func (k *kernel) openProc() (int, error) {
	if k.noProc.Load() {
		return -1, unix.ENOENT
	}
	proc, err := openat(unix.AT_FDCWD, "/proc", listFlags, 0)
	if err != nil {
		return -1, err
	}
	defer closeFD(proc)
	var st unix.Statfs_t
	if err := again(func() error { return unix.Fstatfs(proc, &st) }); err != nil {
		return -1, err
	}
	if int64(st.Type) != unix.PROC_SUPER_MAGIC {
		return -1, unix.ENOENT
	}
	return openat(proc, "self/fd", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
}

// fchmodat2 sets the mode of name, AT_SYMLINK_NOFOLLOW. The call of golang.org/x/sys/unix hides whether the kernel has it.
func fchmodat2(dirfd int, name string, mode uint32) error {
	p, err := unix.BytePtrFromString(name)
	if err != nil {
		return err
	}
	for {
		_, _, errno := unix.Syscall6(unix.SYS_FCHMODAT2, uintptr(dirfd), uintptr(unsafe.Pointer(p)), uintptr(mode),
			unix.AT_SYMLINK_NOFOLLOW, 0, 0)
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
			continue
		}
		return errno
	}
}
