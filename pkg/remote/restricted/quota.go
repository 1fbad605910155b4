package restricted

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

// quota keeps the sizes of a directory's files below a bound. What is there is
// added up when it begins; from then on what is written counts, and what is
// replaced is found out when there seems to be no room left.
type quota struct {
	root *rootfs.Root
	most int64

	mu      sync.Mutex
	left    int64 // bytes
	written int64 // bytes since they were added up
}

// limit has a directory keep a quota, if there is one.
func (d *Dir) limit(most int64) error {
	if most == 0 {
		return nil
	}
	q := &quota{root: d.tree.Root, most: most}
	if err := q.measure(); err != nil {
		return fmt.Errorf("add up what the quota counts: %w", err)
	}
	d.tree.Root.Limit(q.charge)
	return nil
}

// measure finds out how much room is left.
func (q *quota) measure() error {
	used, err := usage(q.root)
	q.left, q.written = q.most-used, 0
	return err
}

// charge takes room.
func (q *quota) charge(bytes int64) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	// Adding up takes a while: not before there is something to be gained.
	if bytes > q.left && q.written > q.most/100 {
		if err := q.measure(); err != nil {
			return err
		}
	}
	if bytes > q.left {
		return proto.Failf(proto.ExitFileIO, "the quota of %d bytes is used up", q.most)
	}
	q.left -= bytes
	q.written += bytes
	return nil
}

// usage adds up the sizes of files, and something for each name. A file with
// several names counts once.
func usage(root *rootfs.Root) (int64, error) {
	type inode struct{ dev, ino uint64 }
	linked := map[inode]bool{}
	var total int64
	folders := []string{"."}
	for len(folders) > 0 {
		dir := folders[len(folders)-1]
		folders = folders[:len(folders)-1]
		entries, err := root.ReadDirInfo(dir)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, rootfs.ErrSymlink) {
			continue // gone meanwhile
		}
		if err != nil {
			return 0, err
		}
		for _, e := range entries {
			total += rootfs.EntryRoom
			switch {
			case e.Err != nil:
			case e.IsDir():
				folders = append(folders, join(dir, e.Name))
			case e.IsRegular():
				id := inode{e.Dev, e.Ino}
				if e.Nlink < 2 || !linked[id] {
					total += e.Size
				}
				if e.Nlink > 1 {
					linked[id] = true
				}
			}
		}
	}
	return total, nil
}

func join(dir, name string) string {
	if dir == "." {
		return name
	}
	return dir + "/" + name
}
