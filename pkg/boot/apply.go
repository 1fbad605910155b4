package boot

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/empegsync/empegsync/pkg/mounts"
)

// How long Apply waits for another boot that is writing in the same directory.
const (
	lockPatience = 5 * time.Second
	lockPause    = 50 * time.Millisecond
)

// Apply does the actions in their order. One that fails is named in the error
// and the rest go on; when ctx is done, the rest are left. File systems that
// were read-only are so again when Apply returns, whatever happened.
func Apply(ctx context.Context, sys System, root string, actions []Action) error {
	if len(actions) == 0 {
		return nil
	}
	tree, err := os.OpenRoot(root)
	if err != nil {
		return err
	}
	defer tree.Close()
	a := &applier{ctx: ctx, sys: sys, tree: tree, dirs: map[string]*writableDir{}}
	var errs []error
	for _, action := range actions {
		if err := ctx.Err(); err != nil {
			errs = append(errs, err)
			break
		}
		if err := action.do(a); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", action, err))
		}
	}
	errs = append(errs, a.close())
	return errors.Join(errs...)
}

// applier keeps the directories that are open for writing, so that a file system
// is remounted once for all its files.
type applier struct {
	ctx  context.Context
	sys  System
	tree *os.Root
	dirs map[string]*writableDir
}

// writableDir is a directory on a writable file system, locked against another
// boot. The lock is on the directory itself: it needs no file and does not keep
// the file system from being remounted.
type writableDir struct {
	root    *os.Root
	handle  *os.File
	restore func() error
	err     error // why it could not be had
}

func (a RaiseLoopback) do(ap *applier) error { return ap.sys.RaiseLoopback(a) }

func (a SetHostname) do(ap *applier) error { return ap.sys.SetHostname(a.Name) }

func (a WriteFile) do(ap *applier) error {
	rel, err := mounts.Inside(ap.tree, a.Before.Name)
	if err != nil {
		return err
	}
	dir := ap.dir(path.Dir(rel))
	if err = dir.err; err == nil {
		err = dir.replace(path.Base(rel), a.Before, a.After)
	}
	if err != nil {
		return fmt.Errorf("%s could not be written: %w", a.Before.Name, err)
	}
	return nil
}

func (a RemoveLeftover) do(ap *applier) error {
	// Only the directory is resolved: of a link, the link goes.
	rel, err := mounts.Inside(ap.tree, path.Dir(a.Name))
	if err != nil {
		return err
	}
	dir := ap.dir(rel)
	if dir.err != nil {
		return dir.err
	}
	if err := dir.root.Remove(path.Base(a.Name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// dir returns a directory, free of links, ready for writing.
func (ap *applier) dir(rel string) *writableDir {
	d, ok := ap.dirs[rel]
	if !ok {
		d = ap.open(rel)
		ap.dirs[rel] = d
	}
	return d
}

// open makes the file system of a directory writable and locks the directory.
func (ap *applier) open(rel string) *writableDir {
	d := &writableDir{}
	d.restore, _, d.err = ap.sys.Writable(filepath.Join(ap.tree.Name(), rel))
	if d.err != nil {
		return d
	}
	if d.root, d.err = ap.tree.OpenRoot(rel); d.err != nil {
		return d
	}
	if d.handle, d.err = d.root.Open("."); d.err != nil {
		return d
	}
	d.err = lock(ap.ctx, d.handle, lockPatience)
	return d
}

// close unlocks all directories and makes read-only what was.
func (ap *applier) close() error {
	var errs []error
	for _, d := range ap.dirs {
		if d.handle != nil {
			d.handle.Close() // ends the lock
		}
		if d.root != nil {
			d.root.Close()
		}
		if d.restore != nil {
			errs = append(errs, d.restore())
		}
	}
	return errors.Join(errs...)
}

// lock takes flock(2) on an open directory.
func lock(ctx context.Context, handle *os.File, patience time.Duration) error {
	for deadline := time.Now().Add(patience); ; {
		err := unix.Flock(int(handle.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR):
			return fmt.Errorf("lock %s: %w", handle.Name(), err)
		case time.Now().After(deadline):
			return fmt.Errorf("lock %s: another boot is writing there; try again later", handle.Name())
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lockPause):
		}
	}
}

// replace puts data in the place of the file base, as a whole or not at all: it
// is written beside it, forced to the disk and renamed. The new file has mode
// 0644; mode and owner of an old one are kept. If the file is no longer as it
// was before, somebody else has been here and nothing is done.
func (d *writableDir) replace(base string, before File, data []byte) error {
	old, err := d.unchanged(base, before)
	if err != nil {
		return err
	}
	temp, err := d.writeTemp(base, data, old)
	if err != nil {
		return err
	}
	if err := d.root.Rename(temp, base); err != nil {
		if errors.Is(err, unix.EBUSY) {
			err = fmt.Errorf("%w (is the file a mount point of its own, as in a container?)", err)
		}
		return errors.Join(err, d.root.Remove(temp))
	}
	if err := d.handle.Sync(); err != nil && !errors.Is(err, unix.EINVAL) { // some file systems cannot
		return fmt.Errorf("make it durable: %w", err)
	}
	return nil
}

// writeTemp makes the new file under its temporary name; on error it is gone.
func (d *writableDir) writeTemp(base string, data []byte, old fs.FileInfo) (string, error) {
	temp, err := tempName(base)
	if err != nil {
		return "", err
	}
	f, err := d.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	if err := errors.Join(fill(f, data, old), f.Close()); err != nil {
		return "", errors.Join(err, d.root.Remove(temp))
	}
	return temp, nil
}

// unchanged compares the file with what was observed and returns its attributes,
// nil if there is none.
func (d *writableDir) unchanged(base string, before File) (fs.FileInfo, error) {
	changed := errors.New("it has changed since it was looked at; run boot again")
	f, err := openRegular(d.root, base)
	if errors.Is(err, fs.ErrNotExist) {
		if before.Present {
			return nil, changed
		}
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := readAll(f, before.Name)
	if err != nil {
		return nil, err
	}
	if !before.Present || !bytes.Equal(data, before.Data) {
		return nil, changed
	}
	return f.Stat()
}

// fill writes data and attributes, and forces both to the disk.
func fill(f *os.File, data []byte, old fs.FileInfo) error {
	if _, err := f.Write(data); err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if old != nil {
		mode = old.Mode().Perm()
		if err := keepOwner(f, old); err != nil {
			return err
		}
	}
	if err := f.Chmod(mode); err != nil {
		return err
	}
	return f.Sync()
}

// keepOwner gives the new file the owner of the old one.
func keepOwner(f *os.File, old fs.FileInfo) error {
	var now unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &now); err != nil {
		return err
	}
	uid, gid, ok := owner(old)
	if !ok || now.Uid == uid && now.Gid == gid {
		return nil
	}
	return f.Chown(int(uid), int(gid))
}

// tempName is the name that findLeftovers knows again.
func tempName(base string) (string, error) {
	var random [4]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", err
	}
	return "." + base + ".empegsync-" + hex.EncodeToString(random[:]), nil
}
