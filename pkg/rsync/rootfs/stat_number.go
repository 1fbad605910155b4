//go:build arm64 || riscv64 || loong64

package rootfs

import "golang.org/x/sys/unix"

const sysStatAt = unix.SYS_FSTATAT
