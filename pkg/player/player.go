package player

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"

	"github.com/empegsync/empegsync/pkg/mounts"
)

// Player is a player's file system, the running one or one that lies below some
// directory. It is safe for concurrent use.
type Player struct {
	root  string // absolute, free of links
	guard *mounts.Guard
}

// Open takes the directory that the player sees as "/". The guard is the
// process's own one; it makes drives writable when something is removed there.
func Open(root string, guard *mounts.Guard) (*Player, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("player's root: %w", err)
	}
	root, err = filepath.EvalSymlinks(root)
	if err != nil {
		return nil, fmt.Errorf("player's root: %w", err)
	}
	if info, err := os.Stat(root); err != nil {
		return nil, fmt.Errorf("player's root: %w", err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("player's root: %s is not a directory", root)
	}
	return &Player{root: root, guard: guard}, nil
}

// Root is the player's root directory, an absolute path.
func (p *Player) Root() string { return p.root }

// Drive is a music drive that is there.
type Drive struct {
	Name string // drive0 or drive1
	Path string // of the drive, on this machine, free of links
	Fids string // directory of the fids on it; it may be missing on an empty drive
}

// driveNames are in the order in which the player looks for a fid.
func driveNames() []string { return []string{"drive0", "drive1"} }

// Drives lists the drives that are there: those with a directory fids, and those
// that are a mounted file system of their own. The bare mount point of a drive
// that was never built in is neither; what is copied there would fill the small
// root file system. Two names for one drive are an error.
func (p *Player) Drives() ([]Drive, error) {
	tree, err := os.OpenRoot(p.root)
	if err != nil {
		return nil, err
	}
	defer tree.Close()
	var drives []Drive
	for _, name := range driveNames() {
		rel, err := mounts.Inside(tree, name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if err != nil || !p.isDrive(tree, rel) {
			continue
		}
		fids, err := mounts.Inside(tree, path.Join(name, "fids"))
		if err != nil {
			return nil, err
		}
		drive := Drive{Name: name, Path: filepath.Join(p.root, rel), Fids: filepath.Join(p.root, fids)}
		for _, other := range drives {
			if sameFile(other.Path, drive.Path) || sameFile(other.Fids, drive.Fids) {
				return nil, fmt.Errorf("%s and %s below %s are the same directory; mirroring one would delete the other", other.Name, name, p.root)
			}
		}
		drives = append(drives, drive)
	}
	return drives, nil
}

// sameFile reports whether two names lead to one file, however they do.
func sameFile(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

// isDrive reports whether rel holds fids or is a file system of its own.
func (p *Player) isDrive(tree *os.Root, rel string) bool {
	info, err := tree.Lstat(rel)
	if err != nil || !info.IsDir() {
		return false
	}
	if fids, err := mounts.Inside(tree, path.Join(rel, "fids")); err == nil {
		if info, err := tree.Lstat(fids); err == nil && info.IsDir() {
			return true
		}
	}
	parent, err := tree.Lstat(path.Dir(rel))
	return err == nil && device(info) != device(parent)
}

// device is the number of the file system on which a file lies.
func device(info fs.FileInfo) uint64 {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0
	}
	return uint64(st.Dev)
}
