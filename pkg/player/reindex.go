package player

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/empegsync/empegsync/pkg/mounts"
)

// DatabaseFiles are the names of the files that the player rebuilds together, if
// any of those it uses is missing: database belongs to player software 2,
// database3 to 3.
func DatabaseFiles() []string { return []string{"database", "database3", "playlists", "tags"} }

// DatabaseFile is one of the DatabaseFiles that is there.
type DatabaseFile struct {
	Name  string
	Bytes int64
}

// PlanReindex lists what Reindex would remove, and changes nothing.
func (p *Player) PlanReindex() ([]DatabaseFile, error) {
	dir, where, err := p.openVar()
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return databaseFiles(dir, where)
}

// Reindex removes the database files, so that the player rebuilds them at its
// next start, and returns what it has removed, also if it then fails. When it
// returns without an error, the removal has reached the disk. Missing files are
// fine; nothing else is touched. With dry it is PlanReindex.
//
// A read-only drive is writable meanwhile. The caller holds the Lock.
func (p *Player) Reindex(ctx context.Context, dry bool) (removed []DatabaseFile, err error) {
	dir, where, err := p.openVar()
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	found, err := databaseFiles(dir, where)
	if err != nil || dry || len(found) == 0 {
		return found, err
	}
	restore, _, err := p.guard.Writable(where)
	if err != nil {
		return nil, fmt.Errorf("reindex: %w", err)
	}
	defer func() { err = errors.Join(err, restore()) }()
	var errs []error
	for _, file := range found {
		if err := ctx.Err(); err != nil {
			errs = append(errs, err)
			break
		}
		err := dir.Remove(file.Name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // the player may be at it as well
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("reindex: %w", err))
			continue
		}
		removed = append(removed, file)
	}
	errs = append(errs, syncDir(dir, where))
	return removed, errors.Join(errs...)
}

// openVar opens the directory of the player's own files: /empeg/var, which is a
// link to drive0/var, or that itself if there is no /empeg. It returns its path
// on this machine, too.
func (p *Player) openVar() (*os.Root, string, error) {
	tree, err := os.OpenRoot(p.root)
	if err != nil {
		return nil, "", err
	}
	defer tree.Close()
	for _, name := range []string{"/empeg/var", "/drive0/var"} {
		rel, err := mounts.Inside(tree, name)
		var dir *os.Root
		if err == nil {
			dir, err = tree.OpenRoot(rel)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return dir, filepath.Join(p.root, rel), err
		}
	}
	return nil, "", fmt.Errorf("neither empeg/var nor drive0/var below %s: is it a player's root, and is drive0 mounted?", p.root)
}

// databaseFiles lists those that are there. A link counts, as the link; what is
// neither file nor link is not the player's and an error.
func databaseFiles(dir *os.Root, where string) ([]DatabaseFile, error) {
	var found []DatabaseFile
	for _, name := range DatabaseFiles() {
		info, err := dir.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reindex: %w", err)
		}
		if t := info.Mode().Type(); t != 0 && t != fs.ModeSymlink {
			return nil, fmt.Errorf("reindex: %s is not a file (%s); look at it and move it away by hand",
				filepath.Join(where, name), t)
		}
		found = append(found, DatabaseFile{Name: name, Bytes: info.Size()})
	}
	return found, nil
}

// syncDir makes the removal durable.
func syncDir(dir *os.Root, where string) error {
	handle, err := dir.Open(".")
	if err != nil {
		return fmt.Errorf("reindex: %w", err)
	}
	defer handle.Close()
	err = handle.Sync()
	if errors.Is(err, unix.EINVAL) { // this file system cannot sync a directory alone
		err = unix.Syncfs(int(handle.Fd()))
	}
	if err != nil {
		return fmt.Errorf("reindex: sync %s: %w", where, err)
	}
	return nil
}
