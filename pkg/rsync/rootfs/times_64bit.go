//go:build amd64 || arm64 || riscv64 || ppc64 || ppc64le || s390x || loong64 || mips64 || mips64le

package rootfs

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// narrowTime says that this architecture's stat and utimensat carry seconds in 32 bits.
const narrowTime = false

// setTimes sets atime and mtime of name below fd, or of fd itself where name is nil.
func setTimes(fd int, name *byte, t [2]stamp, flags int) error {
	ts := [2]unix.Timespec{{Sec: t[0].sec, Nsec: t[0].nsec}, {Sec: t[1].sec, Nsec: t[1].nsec}}
	return utimensat(fd, name, unsafe.Pointer(&ts), flags, unix.SYS_UTIMENSAT)
}
