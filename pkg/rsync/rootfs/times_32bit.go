//go:build 386 || arm || mips || mipsle || ppc

package rootfs

import (
	"errors"
	"math"
	"unsafe"

	"golang.org/x/sys/unix"
)

// narrowTime says that this architecture's stat and utimensat carry seconds in 32 bits.
const narrowTime = true

// errTimeRange is what a kernel before 5.1 makes of a time that its 32 bits cannot hold.
var errTimeRange = errors.New("this kernel's clock has 32 bits and cannot hold a time outside 1901...2038")

// setTimes sets atime and mtime of name below fd, or of fd itself where name is nil. Times that fit go through the call
// that every kernel has; others need the 64-bit one (Linux 5.1).
func setTimes(fd int, name *byte, t [2]stamp, flags int) error {
	if t[0].narrow() && t[1].narrow() {
		ts := [2]unix.Timespec{{Sec: int32(t[0].sec), Nsec: int32(t[0].nsec)}, {Sec: int32(t[1].sec), Nsec: int32(t[1].nsec)}}
		return utimensat(fd, name, unsafe.Pointer(&ts), flags, unix.SYS_UTIMENSAT)
	}
	// The kernel's __kernel_timespec: two 64-bit fields on every architecture.
	ts := [4]int64{t[0].sec, t[0].nsec, t[1].sec, t[1].nsec}
	err := utimensat(fd, name, unsafe.Pointer(&ts), flags, unix.SYS_UTIMENSAT_TIME64)
	if err == unix.ENOSYS {
		return because(errTimeRange, err)
	}
	return err
}

// narrow reports whether the time fits 32 bits, or is not looked at.
func (s stamp) narrow() bool {
	return s.nsec == unix.UTIME_OMIT || s.sec >= math.MinInt32 && s.sec <= math.MaxInt32
}
