package rootfs

import (
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Info is what lstat tells about a name. The zero value stands for nothing.
type Info struct {
	Mode      uint32 // raw st_mode: S_IFMT type bits and 07777 permission bits
	UID, GID  uint32
	MtimeNsec uint32 // 0...999999999
	Mtime     int64  // seconds since 1970, may be negative
	Atime     int64  // seconds since 1970
	Ctime     int64  // seconds since 1970: when content or metadata were last changed
	CtimeNsec uint32 // 0...999999999
	Size      int64  // bytes; for a symbolic link the length of its text
	Rdev      uint64 // of a device node: see Major, Minor and MakeDev
	Dev, Ino  uint64 // identity of the inode, for hard links and mount points
	Nlink     uint64
}

// IsDir reports a directory.
func (i Info) IsDir() bool { return i.Mode&unix.S_IFMT == unix.S_IFDIR }

// IsRegular reports a regular file.
func (i Info) IsRegular() bool { return i.Mode&unix.S_IFMT == unix.S_IFREG }

// IsSymlink reports a symbolic link.
func (i Info) IsSymlink() bool { return i.Mode&unix.S_IFMT == unix.S_IFLNK }

// IsDevice reports a character or block device: what rsync's --devices is about.
func (i Info) IsDevice() bool {
	t := i.Mode & unix.S_IFMT
	return t == unix.S_IFCHR || t == unix.S_IFBLK
}

// IsSpecial reports a fifo or a socket: what rsync's --specials is about.
func (i Info) IsSpecial() bool {
	t := i.Mode & unix.S_IFMT
	return t == unix.S_IFIFO || t == unix.S_IFSOCK
}

// Perm returns the permission bits, set-id and sticky bits included.
func (i Info) Perm() uint32 { return i.Mode & 0o7777 }

// Major returns the major number of a device node.
func (i Info) Major() uint32 { return unix.Major(i.Rdev) }

// Minor returns the minor number of a device node.
func (i Info) Minor() uint32 { return unix.Minor(i.Rdev) }

// MakeDev joins device numbers to the form of Info.Rdev. Mknod takes majors below 4096 and minors below 1048576, as Linux does.
func MakeDev(major, minor uint32) uint64 { return unix.Mkdev(major, minor) }

// Lstat looks at path without following a link.
func (r *Root) Lstat(path string) (info Info, err error) {
	err = r.at("lstat", path, false, func(d *dir, base string) error {
		return r.kernel.stat(d.fd, base, &info)
	})
	return info, err
}

// LstatIn is Lstat for base in the directory parent, "" for the root. It is for going through directories name by name: no
// path is put together, and nothing allocated unless there is an error.
func (r *Root) LstatIn(parent, base string) (info Info, err error) {
	if parent == "" {
		return r.Lstat(base)
	}
	if !isName(base) {
		return info, pathError("lstat", parent+"/"+base, ErrBadPath)
	}
	d := r.cache.have(parent) // what is kept has been checked
	if d == nil {
		return r.Lstat(parent + "/" + base)
	}
	err = r.kernel.stat(d.fd, base, &info)
	d.release()
	if err != nil {
		err = pathError("lstat", parent+"/"+base, err)
	}
	return info, err
}

// nameBuffer is room for nearly any name in a directory and a NUL; some file systems count characters of several bytes.
const nameBuffer = 256

// stat looks at name below fd, or at fd itself, an O_PATH handle perhaps, if name is "".
func (k *kernel) stat(fd int, name string, info *Info) error {
	if strings.IndexByte(name, 0) >= 0 {
		return unix.EINVAL
	}
	if len(name) >= nameBuffer {
		return k.statName(fd, &append([]byte(name), 0)[0], info)
	}
	var b [nameBuffer]byte // on the stack, where x/sys would allocate it
	copy(b[:], name)
	return k.statName(fd, &b[0], info)
}

// statName is stat for a name that a NUL ends.
func (k *kernel) statName(fd int, name *byte, info *Info) error {
	if narrowTime && !k.noStatx.Load() {
		err := statx(fd, name, info)
		if !isErrno(err, unix.ENOSYS, unix.EPERM) { // EPERM: a system call filter's way to say ENOSYS
			return err
		}
		k.noStatx.Store(true)
	}
	flags := unix.AT_SYMLINK_NOFOLLOW
	if *name == 0 {
		flags |= unix.AT_EMPTY_PATH
	}
	var st unix.Stat_t
	for {
		err := fstatat(fd, name, &st, flags)
		if err == unix.EINTR {
			continue
		}
		if err == nil {
			info.set(&st)
		}
		return err
	}
}

// fstatat is unix.Fstatat without a copy of the name where that can be had.
func fstatat(fd int, name *byte, st *unix.Stat_t, flags int) error {
	if sysStatAt == 0 {
		return unix.Fstatat(fd, unix.BytePtrToString(name), st, flags)
	}
	_, _, errno := unix.Syscall6(sysStatAt, uintptr(fd), uintptr(unsafe.Pointer(name)), uintptr(unsafe.Pointer(st)), uintptr(flags), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// fstat looks at the open file fd: quicker than stat, but not for O_PATH handles on kernels before 3.6.
func (k *kernel) fstat(fd int, info *Info) error {
	if narrowTime {
		return k.stat(fd, "", info)
	}
	var st unix.Stat_t
	err := again(func() error { return unix.Fstat(fd, &st) })
	if err == nil {
		info.set(&st)
	}
	return err
}

// set converts: the fields' widths differ between architectures.
func (i *Info) set(st *unix.Stat_t) {
	sec, nsec := st.Mtim.Unix()
	atime, _ := st.Atim.Unix()
	csec, cnsec := st.Ctim.Unix()
	*i = Info{
		Mode: st.Mode, UID: st.Uid, GID: st.Gid, Size: st.Size,
		Mtime: sec, MtimeNsec: uint32(nsec), Atime: atime, Ctime: csec, CtimeNsec: uint32(cnsec),
		Rdev: st.Rdev, Dev: st.Dev, Ino: st.Ino, Nlink: uint64(st.Nlink),
	}
}

// statx is stat with times of 64 bits on 32-bit machines.
func statx(fd int, name *byte, info *Info) error {
	var st unix.Statx_t
	for {
		_, _, err := unix.Syscall6(unix.SYS_STATX, uintptr(fd), uintptr(unsafe.Pointer(name)),
			unix.AT_SYMLINK_NOFOLLOW|unix.AT_EMPTY_PATH, unix.STATX_BASIC_STATS, uintptr(unsafe.Pointer(&st)), 0)
		if err == unix.EINTR {
			continue
		}
		if err != 0 {
			return err
		}
		*info = Info{
			Mode: uint32(st.Mode), UID: st.Uid, GID: st.Gid, Size: int64(st.Size),
			Mtime: st.Mtime.Sec, MtimeNsec: st.Mtime.Nsec, Atime: st.Atime.Sec,
			Ctime: st.Ctime.Sec, CtimeNsec: st.Ctime.Nsec,
			Rdev: unix.Mkdev(st.Rdev_major, st.Rdev_minor), Dev: unix.Mkdev(st.Dev_major, st.Dev_minor),
			Ino: st.Ino, Nlink: uint64(st.Nlink),
		}
		return nil
	}
}

// Readable reports whether this process may read a file, by the kernel's own
// judgement. Symbolic links are readable.
func (r *Root) Readable(path string) bool {
	err := r.at("access", path, false, func(d *dir, base string) error {
		var info Info
		if err := r.kernel.stat(d.fd, base, &info); err != nil || info.IsSymlink() {
			return err
		}
		return unix.Faccessat(d.fd, base, unix.R_OK, 0)
	})
	return err == nil
}
