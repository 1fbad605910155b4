package transfer

import (
	"errors"
	"io/fs"
	"path"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

// place is a folder besides the destination that an option names.
type place struct {
	root  *rootfs.Root
	dir   string // below root, "." for root itself
	shown string // as the user wrote it
	// rel is the way there from the destination, for the rules of a module.
	rel string
}

// openPlace finds the folder dir, relative ones from the destination. What it
// opens is closed with the receiver.
func (r *receiver) openPlace(option, dir string) (place, error) {
	pl := place{root: r.root, dir: path.Clean(dir), shown: dir, rel: path.Clean(dir)}
	if path.IsAbs(dir) {
		up := 0
		if r.at != "." {
			up = 1 + strings.Count(r.at, "/")
		}
		pl.rel = path.Clean("./" + strings.Repeat("../", up) + dir)
	}
	granted := r.dest.Granted != nil && r.dest.Granted(dir)
	if !granted && r.refused(pl.rel, true) {
		return pl, proto.Failf(proto.ExitSyntax, "Your options have been rejected by the server.")
	}
	if r.dest.Aside == nil {
		if rootfs.CheckPath(pl.dir) != nil {
			return pl, proto.Failf(proto.ExitUnsupported, "%s %q is not below the destination", option, dir)
		}
		return pl, nil
	}
	root, sub, err := r.dest.Aside(r.at, dir)
	if err != nil {
		code := proto.ExitFileSelect
		if leadsAstray(err) {
			code = proto.ExitFileIO // as where a file cannot be put there
		}
		return pl, proto.Failf(code, "%s %q: %w", option, dir, reason(err))
	}
	pl.root, pl.dir = root, sub
	r.closers = append(r.closers, func() { root.Close() })
	return pl, nil
}

// leadsAstray reports a path that a symbolic link kept from being opened.
func leadsAstray(err error) bool {
	return errors.Is(err, rootfs.ErrUntrusted) || errors.Is(err, rootfs.ErrConfined)
}

func (r *receiver) refused(p string, isDir bool) bool {
	return r.rules != nil && r.rules.Refused(p, isDir)
}

// path is where p, a path below the destination, is in the place.
func (pl place) path(p string) string {
	if pl.dir == "." {
		return p
	}
	return pl.dir + "/" + p
}

// isDir looks whether the folder is there; an error is another one than that
// it is not.
func (pl place) isDir() (exists, isDir bool, err error) {
	info, err := pl.root.Lstat(pl.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, false, nil
	}
	return err == nil, info.IsDir(), err
}

// show is how messages call p in the place.
func (pl place) show(p string) string {
	return strings.TrimSuffix(pl.shown, "/") + "/" + p
}
