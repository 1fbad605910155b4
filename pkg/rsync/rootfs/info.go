package rootfs

import (
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

// stat looks at name below fd, or at fd itself, an O_PATH handle perhaps, if name is "".
func (k *kernel) stat(fd int, name string, info *Info) error {
	if narrowTime && !k.noStatx.Load() {
		err := statx(fd, name, info)
		if !isErrno(err, unix.ENOSYS, unix.EPERM) { // EPERM: a system call filter's way to say ENOSYS
			return err
		}
		k.noStatx.Store(true)
	}
	flags := unix.AT_SYMLINK_NOFOLLOW
	if name == "" {
		flags |= unix.AT_EMPTY_PATH
	}
	var st unix.Stat_t
	for {
		err := unix.Fstatat(fd, name, &st, flags)
		if err == unix.EINTR {
			continue
		}
		if err == nil {
			*info = infoOf(&st)
		}
		return err
	}
}

// fstat looks at the open file fd: quicker than stat, but not for O_PATH handles on kernels before 3.6.
func (k *kernel) fstat(fd int, info *Info) error {
	if narrowTime {
		return k.stat(fd, "", info)
	}
	var st unix.Stat_t
	err := again(func() error { return unix.Fstat(fd, &st) })
	if err == nil {
		*info = infoOf(&st)
	}
	return err
}

// infoOf converts: the fields' widths differ between architectures.
func infoOf(st *unix.Stat_t) Info {
	sec, nsec := st.Mtim.Unix()
	atime, _ := st.Atim.Unix()
	csec, cnsec := st.Ctim.Unix()
	return Info{
		Mode: st.Mode, UID: st.Uid, GID: st.Gid, Size: st.Size,
		Mtime: sec, MtimeNsec: uint32(nsec), Atime: atime, Ctime: csec, CtimeNsec: uint32(cnsec),
		Rdev: st.Rdev, Dev: st.Dev, Ino: st.Ino, Nlink: uint64(st.Nlink),
	}
}

// statx is stat with times of 64 bits on 32-bit machines.
func statx(fd int, name string, info *Info) error {
	const mask = unix.STATX_BASIC_STATS
	var st unix.Statx_t
	for {
		err := unix.Statx(fd, name, unix.AT_SYMLINK_NOFOLLOW|unix.AT_EMPTY_PATH, mask, &st)
		if err == unix.EINTR {
			continue
		}
		if err == nil {
			*info = Info{
				Mode: uint32(st.Mode), UID: st.Uid, GID: st.Gid, Size: int64(st.Size),
				Mtime: st.Mtime.Sec, MtimeNsec: st.Mtime.Nsec, Atime: st.Atime.Sec,
				Ctime: st.Ctime.Sec, CtimeNsec: st.Ctime.Nsec,
				Rdev: unix.Mkdev(st.Rdev_major, st.Rdev_minor), Dev: unix.Mkdev(st.Dev_major, st.Dev_minor),
				Ino: st.Ino, Nlink: uint64(st.Nlink),
			}
		}
		return err
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
