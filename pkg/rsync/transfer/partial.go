package transfer

import (
	"errors"
	"io/fs"
	"path"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

// openPartials prepares for --partial-dir and --delay-updates.
func (r *receiver) openPartials() error {
	dir := r.opt.KeepDir()
	switch {
	case dir == "":
		return nil
	case path.IsAbs(dir):
		pl, err := r.openPlace("--partial-dir", dir)
		if err != nil {
			return err
		}
		r.partials = &pl
	case rootfs.CheckPath(dir) != nil:
		return proto.Failf(proto.ExitUnsupported, "--partial-dir %q leads out of the files' folders: give an absolute one", dir)
	}
	return nil
}

// spot is a file below some root.
type spot struct {
	root *rootfs.Root
	path string
}

// partial is where what has come of a file is kept; false if nowhere
// (util1.c:partial_dir_fname).
func (r *receiver) partial(p string) (spot, bool) {
	dir := r.opt.KeepDir()
	switch {
	case dir == "":
		return spot{}, false
	case r.partials != nil:
		return spot{r.partials.root, r.partials.path(path.Base(p))}, true
	}
	dir = path.Join(path.Dir(p), dir)
	name := dir + "/" + path.Base(p)
	if r.refused(dir, true) || r.refused(name, false) {
		return spot{}, false
	}
	return spot{r.root, name}, true
}

// makeDir makes the folder of a partial file (util1.c:handle_partial_dir).
func (s spot) makeDir() error {
	dir := path.Dir(s.path)
	if dir == "." {
		return nil
	}
	err := s.root.Mkdir(dir, 0o700)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := s.root.Lstat(dir)
	if err != nil || info.IsDir() {
		return err
	}
	if err := s.root.Remove(dir); err != nil {
		return err
	}
	return s.root.Mkdir(dir, 0o700)
}

// dropPartial removes a partial file that has served its purpose, and its
// folder with the last one.
func (r *receiver) dropPartial(s spot) {
	if err := s.root.Remove(s.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.failFile("delete of partial file %q failed: %v", s.path, reason(err))
	}
	r.dropPartialDir(s)
}

// dropPartialDir removes a folder of partial files if it is empty; one with an
// absolute name is the user's.
func (r *receiver) dropPartialDir(s spot) {
	if r.partials == nil && !strings.HasPrefix(r.opt.KeepDir(), "/") {
		_ = s.root.Remove(path.Dir(s.path)) // others may be waiting in it
	}
}

// delayed is a file that waits for the end of a run with --delay-updates.
type delayed struct {
	from  spot
	path  string
	index int32
}

// update puts the files that have waited into their places
// (receiver.c:handle_delayed_updates).
func (f *fileReceiver) update() error {
	placed := f.delayed[:0]
	for _, d := range f.delayed {
		if err := f.commit.replaced(d.path, false); err != nil {
			return err
		}
		if err := f.root.RenameFrom(d.from.root, d.from.path, d.path); err != nil {
			f.failFile("rename failed for %q: %v", d.path, reason(err))
			continue
		}
		f.dropPartialDir(d.from)
		placed = append(placed, d)
	}
	if len(placed) > 0 {
		if err := f.settled(); err != nil {
			return err
		}
	}
	for _, d := range placed {
		f.confirm(d.index, d.path)
	}
	f.delayed = nil
	return nil
}
