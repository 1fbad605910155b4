package rootfs

import (
	"math"

	"golang.org/x/sys/unix"
)

// SyncDir waits until the names in the directory path are on the disk: what was created, renamed or removed in it. fsync(2)
func (r *Root) SyncDir(path string) error {
	fd, err := r.openDir(path)
	if err != nil {
		return err
	}
	defer closeFD(fd)
	return pathError("sync", path, again(func() error { return unix.Fsync(fd) }))
}

// SyncFS waits until everything of the file system that the root directory lies on is on the disk. For many files this is far
// quicker than a Sync each. syncfs(2)
func (r *Root) SyncFS() error {
	fd, err := r.openDir(".")
	if err != nil {
		return err
	}
	defer closeFD(fd)
	return pathError("sync file system", ".", again(func() error { return unix.Syncfs(fd) }))
}

// Space is what the file system of the root has, and has left.
type Space struct {
	Total, Free, Available int64 // bytes; Available is what is left for us, Free includes what is kept for the superuser
	Inodes, FreeInodes     int64 // files it can hold and can still hold; both 0 where there is no fixed number
}

// Space tells how much room the file system of the root directory has. fstatfs(2)
func (r *Root) Space() (Space, error) {
	fd, err := r.openDir(".")
	if err != nil {
		return Space{}, err
	}
	defer closeFD(fd)
	var st unix.Statfs_t
	if err := again(func() error { return unix.Fstatfs(fd, &st) }); err != nil {
		return Space{}, pathError("space", ".", err)
	}
	unit := uint64(st.Frsize)
	if unit == 0 {
		unit = uint64(st.Bsize)
	}
	return Space{
		Total: product(uint64(st.Blocks), unit), Free: product(uint64(st.Bfree), unit),
		Available: product(uint64(st.Bavail), unit),
		Inodes:    product(uint64(st.Files), 1), FreeInodes: product(uint64(st.Ffree), 1),
	}, nil
}

// product multiplies, at most to the highest int64: network file systems report nonsense such as 2^64-1 blocks.
func product(a, b uint64) int64 {
	if b != 0 && a > math.MaxInt64/b {
		return math.MaxInt64
	}
	return int64(a * b)
}
