package transfer

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"syscall"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

// deletePass deletes in all folders of the list (generator.c:do_delete_pass).
func (g *generator) deletePass() error {
	for i, e := range g.part.All() {
		if !e.IsDir() || e.Mark&filelist.MarkDropped != 0 {
			continue
		}
		if err := g.deleteIn(i, e, g.path(e)); err != nil {
			return err
		}
	}
	return nil
}

// deleteDuring deletes in one folder when its turn has come.
func (g *generator) deleteDuring(index int32, e *filelist.Entry, p string) error {
	if g.deletes() != options.DeleteDuring && !g.dest.SweepTemps {
		return nil
	}
	return g.deleteIn(index, e, p)
}

// deleteIn deletes what is in a folder and not on the list
// (generator.c:delete_in_dir).
func (g *generator) deleteIn(index int32, e *filelist.Entry, p string) error {
	if g.void || e.Mark&filelist.MarkNoContent != 0 || !g.opt.Recurse && e.Mark&filelist.MarkTopDir == 0 {
		return nil
	}
	doomed, err := g.extraneous(e, p)
	if err != nil || len(doomed) == 0 {
		return err
	}
	g.touch[index] = struct{}{}
	for _, d := range doomed {
		if err := g.remove(d); err != nil {
			return err
		}
	}
	return nil
}

// victim is something that is to be deleted.
type victim struct {
	path string
	mode uint32
	temp bool // left behind by a killed run; not worth a word
}

// extraneous returns what is in a folder but not on the list, in reverse
// order of names.
func (g *generator) extraneous(e *filelist.Entry, p string) ([]victim, error) {
	if open, err := g.search(p); !open {
		return nil, err
	}
	names, err := g.root.ReadDir(p)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) && !errors.Is(err, rootfs.ErrSymlink) {
			g.failFile("opendir %q failed: %v", p, reason(err))
		}
		return nil, nil
	}
	onlyTemps := g.opt.Delete == options.DeleteNone || g.mustSpare()
	var doomed []victim
	for _, d := range names {
		child := d.Name
		if p != "." {
			child = p + "/" + d.Name
		}
		if g.listed(child) {
			continue
		}
		v := victim{path: child, temp: g.dest.SweepTemps && d.Type != filelist.ModeDir && rootfs.IsTempName(d.Name)}
		if onlyTemps && !v.temp {
			continue
		}
		info, err := g.root.Lstat(child)
		if err != nil {
			continue // gone already
		}
		if v.mode = info.Mode; !g.protected(child, info.IsDir(), false) {
			doomed = append(doomed, v)
		}
	}
	g.sortVictims(doomed)
	return doomed, nil
}

// sortVictims puts what is deleted into the reverse of a list's order.
func (g *generator) sortVictims(doomed []victim) {
	entry := func(v victim) *filelist.Entry {
		e := &filelist.Entry{Mode: v.mode}
		e.SetPath(v.path)
		return e
	}
	slices.SortFunc(doomed, func(a, b victim) int {
		return filelist.Compare(entry(b), entry(a), g.Caps.DirsSortLast)
	})
}

func (g *generator) protected(p string, isDir, doomed bool) bool {
	return g.rules != nil && g.rules.Protected(p, isDir, doomed)
}

// listed reports whether the list has an entry of this name, of any type.
func (g *generator) listed(p string) bool {
	return g.part.Find(p, false, g.Caps.DirsSortLast) >= 0 ||
		g.Caps.DirsSortLast && g.part.Find(p, true, true) >= 0
}

// mustSpare reports whether errors on the sending side forbid deletions: what
// it could not read is not on its list.
func (g *generator) mustSpare() bool {
	if g.ioError.Load()&proto.IOErrGeneral == 0 || g.opt.IgnoreErrors {
		return false
	}
	if !g.skipped {
		g.skipped = true
		g.report(proto.TagInfo, "IO error encountered -- skipping file deletion")
	}
	return true
}

// remove deletes a file or a folder with all that is in it, and tells of each.
func (g *generator) remove(v victim) error {
	if v.mode&filelist.ModeType != filelist.ModeDir {
		if !v.temp && !g.mayDelete(v.path, v.mode) {
			return nil
		}
		if g.opt.DryRun {
			return nil
		}
		if err := g.removeAllowed(v); err != nil {
			return err
		}
		if err := g.root.Remove(v.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			g.failFile("delete of %q failed: %v", v.path, reason(err))
		}
		return nil
	}
	if g.opt.DryRun {
		g.showRemoval(v)
		return nil
	}
	if err := g.removeAllowed(v); err != nil {
		return err
	}
	_, err := g.removeTree(v.path)
	return err
}

// removeAllowed calls the hook, except for our own leftovers.
func (g *generator) removeAllowed(v victim) error {
	if v.temp {
		return nil
	}
	return g.beforeChange()
}

// removeTree deletes a folder; false if something in it stays.
func (g *generator) removeTree(p string) (bool, error) {
	spared := false
	err := g.root.RemoveAll(context.Background(), p, rootfs.RemoveOptions{
		Visit: func(q string, isDir bool) bool {
			mode := uint32(filelist.ModeDir)
			if !isDir {
				mode = g.modeOf(q)
			}
			if g.protected(q, isDir, q != p) || !g.mayDelete(q, mode) {
				spared = true
				return false
			}
			return true
		},
	})
	switch {
	case spared:
		g.report(proto.TagInfo, "cannot delete non-empty directory: %s", p)
		return false, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		g.failFile("delete of %q failed: %v", p, reason(err))
		return false, nil
	}
	return true, nil
}

// modeOf returns a file's mode, of a regular file if it cannot be had.
func (g *generator) modeOf(p string) uint32 {
	if info, err := g.root.Lstat(p); err == nil {
		return info.Mode
	}
	return filelist.ModeFile
}

// showRemoval tells what deleting a folder would delete.
func (g *generator) showRemoval(v victim) {
	infos, err := g.root.ReadDirInfo(v.path)
	if err != nil {
		return // the real run will say so
	}
	inside := make([]victim, 0, len(infos))
	for _, in := range infos {
		inside = append(inside, victim{path: v.path + "/" + in.Name, mode: in.Mode})
	}
	g.sortVictims(inside)
	for _, in := range inside {
		isDir := in.mode&filelist.ModeType == filelist.ModeDir
		switch {
		case g.protected(in.path, isDir, true):
		case isDir:
			g.showRemoval(in)
		default:
			g.mayDelete(in.path, in.mode)
		}
	}
	g.mayDelete(v.path, v.mode)
}

// kind is the place of a type in counts of deletions (main.c:write_del_stats).
func kind(mode uint32) int {
	e := filelist.Entry{Mode: mode}
	switch {
	case e.IsDir():
		return 1
	case e.IsLink():
		return 2
	case e.IsDevice():
		return 3
	case e.IsSpecial():
		return 4
	}
	return 0
}

// mayDelete counts a deletion and tells of it; false if there were too many.
func (g *generator) mayDelete(p string, mode uint32) bool {
	if g.opt.MaxDelete.Set && int64(g.stats.Deleted) >= max(g.opt.MaxDelete.Value, 0) {
		if g.ioError.Load()&proto.IOErrDelLimit == 0 {
			g.setIOError(proto.IOErrDelLimit)
			g.report(proto.TagWarning, "Deletions stopped due to --max-delete limit (%d)", g.opt.MaxDelete.Value)
		}
		return false
	}
	g.stats.Deleted++
	g.stats.DeletedKinds[kind(mode)]++
	isDir := kind(mode) == 1
	switch {
	case !g.Server:
		g.obs.Deleted(p, mode)
	case g.opt.Verbose == 0 && g.opt.LogFormat == "":
	case !g.Caps.DeletedMessages:
		g.report(proto.TagInfo, "deleting %s", p)
	case isDir:
		g.W.Message(proto.TagDeleted, append([]byte(p), 0))
	default:
		g.W.Message(proto.TagDeleted, []byte(p))
	}
	return true
}

// makeWay removes what stands in the place of something of another type
// (delete.c:delete_item). Folders with something in them go only if deletions
// are asked for.
func (g *generator) makeWay(p string, have rootfs.Info, what string) (bool, error) {
	if g.opt.DryRun {
		return true, nil
	}
	if err := g.beforeChange(); err != nil {
		return false, err
	}
	var err error
	if have.IsDir() && (g.opt.Delete != options.DeleteNone || g.opt.Force) {
		ok, err := g.removeTree(p)
		if err != nil || ok {
			return ok, err
		}
	} else if err = g.root.Remove(p); err == nil {
		return true, nil
	}
	if err != nil {
		g.failFile("delete of %q failed: %v", p, reason(err))
	}
	g.failFile("could not make way for new %s: %q", what, p)
	return false, nil
}
