//go:build !amd64 && !arm64 && !riscv64 && !loong64

package rootfs

// sysStatAt is 0 where the kernel's stat is not unix.Stat_t: x/sys makes the call there.
const sysStatAt = 0
