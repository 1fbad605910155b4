package transfer

import (
	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

// deleteMissing deletes what the user has named and the sending side does not
// have, for --delete-missing-args (generator.c:recv_generator).
func (g *generator) deleteMissing(p string, have rootfs.Info, exists bool) error {
	if g.opt.MissingArgs != options.MissingDelete || !exists || g.protected(p, have.IsDir(), false) {
		return nil
	}
	if have.IsDir() && g.opt.Delete == options.DeleteNone && !g.opt.Force {
		return g.deleteEmpty(p)
	}
	_, err := g.remove(victim{path: p, mode: have.Mode})
	return err
}

// deleteEmpty deletes a folder if nothing is in it.
func (g *generator) deleteEmpty(p string) error {
	if list, err := g.root.ReadDir(p); err != nil || len(list) > 0 {
		g.report(proto.TagInfo, "cannot delete non-empty directory: %s", p)
		return nil
	}
	_, err := g.remove(victim{path: p, mode: filelist.ModeDir})
	return err
}

// markContent finds out, where the wire does not say so, which folders the
// sending side has looked into: those it was asked for, and with recursion
// what is below them. list is in the order of the wire
// (flist.c:recv_file_entry).
func (r *receiver) markContent(list *filelist.List) {
	within, top := false, ""
	if !r.opt.Relative && !hasTopDir(list) {
		return // gokrazy/rsync tells nothing of folders
	}
	for _, e := range list.All() {
		switch {
		case !e.IsDir():
		case e.Mark&filelist.MarkTopDir != 0:
			within, top = r.opt.Recurse, e.Path()
		case within && (!r.opt.Relative || top == "." || isBelow(e.Path(), top)):
		default:
			within = false
			e.Mark |= filelist.MarkNoContent
		}
	}
}

func hasTopDir(list *filelist.List) bool {
	for _, e := range list.All() {
		if e.Mark&filelist.MarkTopDir != 0 {
			return true
		}
	}
	return false
}

// aside handles what is on the list and not to be made: what is missing at the
// source, and with --no-implied-dirs the folders on the way, which are made only
// where something needs them.
func (g *generator) aside(e *filelist.Entry, p string, have rootfs.Info, exists bool) (done bool, err error) {
	const onTheWay = filelist.MarkTopDir | filelist.MarkNoContent
	switch {
	case e.Mode == 0:
		return true, g.deleteMissing(p, have, exists)
	case !g.sendsRelative():
		return false, nil
	case e.IsDir() && e.Mark&onTheWay == onTheWay && g.Caps.NoContentDirs:
		return true, nil
	case !exists && !g.opt.IgnoreNonExisting:
		err = g.makeParents(p)
	}
	return err != nil, err
}

// sendsRelative reports whether the folders on the way may be missing at the
// destination although something in them comes (--no-implied-dirs).
func (g *generator) sendsRelative() bool { return g.opt.Relative && g.opt.NoImpliedDirs }

// makeParents makes the folders on the way to p that --no-implied-dirs has not
// sent (generator.c:recv_generator).
func (g *generator) makeParents(p string) error {
	if !g.sendsRelative() || g.opt.DryRun || g.void {
		return nil
	}
	for i := range len(p) {
		if p[i] != '/' {
			continue
		}
		if _, exists, err := g.lookup(p[:i]); exists || err != nil {
			continue
		}
		if err := g.beforeChange(); err != nil {
			return err
		}
		if err := g.root.Mkdir(p[:i], 0o777&^g.umask); err != nil {
			return local("mkdir", p[:i], err)
		}
	}
	return nil
}
