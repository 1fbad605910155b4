package transfer

import (
	"errors"
	"io/fs"
	"path"
	"strings"
	"syscall"

	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

// makePath makes the folders that are missing on the way to the destination p,
// and p itself unless it may be what a single file is to be called
// (main.c:get_local_name, util1.c:make_path). It reports whether p has been made,
// or would have been, as a folder.
func (r *receiver) makePath(p string, entries int) (made bool, err error) {
	whole := strings.HasSuffix(r.dest.Path, "/") || entries > 1
	dir := p
	if !whole {
		dir = path.Dir(p)
	}
	n, err := r.mkdirs(dir)
	if err != nil {
		return false, proto.Failf(proto.ExitFileIO, "mkdir %q failed: %w", r.called(p), reason(err))
	}
	if n > 0 && (r.opt.Info(options.InfoName) > 0 || r.opt.Itemizes() > 0 || strings.Contains(r.opt.LogFormat, "%i")) {
		kind := "directories"
		if n == 1 {
			kind = "directory"
		}
		name := r.called(p)
		if !whole {
			name = path.Dir(name)
		}
		r.report(proto.TagInfo, "created %d %s for %s", n, kind, name)
	}
	if n > 0 && r.opt.DryRun {
		r.void = true
	}
	return whole && n > 0, nil
}

// called is the destination p in the user's words.
func (r *receiver) called(p string) string {
	if r.dest.Called != "" {
		return r.dest.Called
	}
	return p
}

// mkdirs makes a folder with all above it and returns how many that were, or
// would be.
func (r *receiver) mkdirs(dir string) (n int, err error) {
	parent := r.root
	leave := func() {
		if parent != r.root {
			parent.Close()
		}
	}
	defer func() { leave() }()
	for i := range len(dir) + 1 {
		if dir == "." || i < len(dir) && dir[i] != '/' {
			continue
		}
		here := dir[:i]
		next, err := r.root.Sub(here)
		if errors.Is(err, fs.ErrNotExist) {
			if r.opt.DryRun {
				return n + 1 + strings.Count(dir[i:], "/"), nil
			}
			next, err = r.mkdirIn(parent, path.Base(here), here)
			n++
		}
		if err != nil {
			return n, err
		}
		leave()
		parent = next
	}
	return n, nil
}

func (r *receiver) mkdirIn(parent *rootfs.Root, name, p string) (*rootfs.Root, error) {
	if err := r.beforeChange(); err != nil {
		return nil, err
	}
	if err := parent.Mkdir(name, 0o777&^r.umask); err != nil {
		return nil, err
	}
	return r.root.Sub(p)
}

// pathMissing reports whether there is nothing at p, for which why is what
// opening it as a folder has said.
func (r *receiver) pathMissing(p string, why error) bool {
	if errors.Is(why, fs.ErrNotExist) {
		return true
	}
	_, err := r.root.Lstat(p)
	return errors.Is(why, syscall.ENOTDIR) && err != nil
}
