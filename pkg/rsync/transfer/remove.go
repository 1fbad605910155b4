package transfer

import (
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

// lateDeletions deletes when everything else is done.
func (g *generator) lateDeletions() error {
	late := g.deletes() == options.DeleteAfter || g.deletes() == options.DeleteDelay
	switch {
	case !late:
		return nil
	case !g.Caps.IncRecurse:
		return g.deletePass()
	}
	for _, d := range g.doomed {
		if _, err := g.remove(d); err != nil {
			return err
		}
	}
	return nil
}

// deleteDuring deletes in one folder when its turn has come.
func (g *generator) deleteDuring(index int32, e *filelist.Entry, p string) error {
	delayed := g.Caps.IncRecurse && g.deletes() == options.DeleteDelay
	if g.deletes() != options.DeleteDuring && !delayed && !g.dest.SweepTemps {
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
	if g.elsewhere(e, p) {
		return nil
	}
	doomed, err := g.extraneous(e, p)
	if err != nil || len(doomed) == 0 {
		return err
	}
	g.touch[index] = struct{}{}
	if g.Caps.IncRecurse && g.deletes() == options.DeleteDelay {
		g.doomed = append(g.doomed, doomed...)
		return nil
	}
	for _, d := range doomed {
		if _, err := g.remove(d); err != nil {
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

	mount bool // of another file system: it stays
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
	mounted := g.mountedIn(p)
	for _, d := range names {
		child := d.Name
		if p != "." {
			child = p + "/" + d.Name
		}
		listed := g.listed(child)
		if listed && (g.opt.OneFileSystem == 0 || d.Type != filelist.ModeDir) {
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
		v.mode, v.mount = info.Mode, mounted(info)
		if (!listed || v.mount) && !g.protected(child, info.IsDir(), false) {
			doomed = append(doomed, v)
		}
	}
	g.sortVictims(doomed)
	return g.spareMounts(doomed), nil
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
	if g.rules == nil {
		return false
	}
	protected := g.rules.Protected(p, isDir, doomed)
	if g.explains != nil {
		if why := g.explains.WhyProtected(p, isDir, doomed); why != "" {
			g.report(proto.TagInfo, "%s", why)
		}
	}
	return protected
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
