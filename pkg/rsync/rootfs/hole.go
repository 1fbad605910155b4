package rootfs

import (
	"io/fs"

	"golang.org/x/sys/unix"
)

// SeekTo moves the position of Read, Write and Skip to off bytes from the beginning.
func (f *File) SeekTo(off int64) { f.pos = off }

// PunchHole makes n bytes from off read as zeros and take no space, where the file system can; elsewhere zeros are written. The
// length of the file stays.
func (f *File) PunchHole(off, n int64) error {
	if f.fd < 0 {
		return f.error("punch hole", fs.ErrClosed)
	}
	const mode = unix.FALLOC_FL_PUNCH_HOLE | unix.FALLOC_FL_KEEP_SIZE
	err := again(func() error { return unix.Fallocate(f.fd, mode, off, n) })
	if !isErrno(err, unix.EOPNOTSUPP, unix.ENOSYS) {
		return f.error("punch hole", err)
	}
	zeros := make([]byte, min(n, 32*1024))
	for n > 0 {
		k, err := f.WriteAt(zeros[:min(n, int64(len(zeros)))], off)
		if err != nil {
			return err
		}
		off, n = off+int64(k), n-int64(k)
	}
	return nil
}

// End returns how many bytes can be read, for devices, whose Info has no size; 0 if that cannot be had.
func (f *File) End() int64 {
	if f.fd < 0 {
		return 0
	}
	end, err := unix.Seek(f.fd, 0, unix.SEEK_END)
	if err != nil {
		return 0
	}
	return max(end, 0)
}
