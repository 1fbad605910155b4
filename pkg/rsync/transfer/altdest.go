package transfer

import (
	"errors"
	"io/fs"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

// openAlternatives opens the folders of --compare-dest and its kin
// (main.c:check_alt_basis_dirs).
func (r *receiver) openAlternatives() error {
	for _, dir := range r.opt.AltDirs {
		pl, err := r.openPlace(r.opt.Alternative.Option(), dir)
		if leadsAstray(err) {
			r.report(proto.TagWarning, "%v; it is not used", err)
			continue
		}
		if err != nil {
			return err
		}
		shown := pl.shown
		if len(shown) > 1 {
			shown = strings.TrimSuffix(shown, "/")
		}
		switch exists, isDir, err := pl.isDir(); {
		case err != nil || !exists:
			r.report(proto.TagWarning, "%s arg does not exist: %s", r.opt.Alternative.Option(), shown)
		case !isDir:
			r.report(proto.TagWarning, "%s arg is not a dir: %s", r.opt.Alternative.Option(), shown)
		}
		r.alts = append(r.alts, pl)
	}
	return nil
}

// How well a file in another folder fits, in rising order.
const (
	fitsNot = iota
	fitsType
	fitsData
	fitsAll
)

// bestAlt looks for p in the alternative folders; fit says how well what it
// found there does.
func (g *generator) bestAlt(e *filelist.Entry, p string, fit func(like basis) int) (best basis, level int) {
	for i := range g.alts {
		at, ok := g.altPath(i, p)
		if !ok {
			continue
		}
		there, err := at.root.Lstat(at.path)
		if err == nil {
			there, err = g.unfake(at.root, at.path, there)
		}
		if err != nil || (there.Mode^e.Mode)&filelist.ModeType != 0 {
			continue
		}
		like := basis{spot: at, kind: byte(proto.BasisDirLow + i), info: there, exists: true}
		if l := fit(like); l > level {
			best, level = like, l
		}
		if level == fitsAll {
			break
		}
	}
	return best, level
}

// altFile looks for a regular file in the alternative folders. It is done if
// there is one with the right data, else b may be one to start from. Only what
// is right in all gives place to a file that is there
// (generator.c:try_dests_reg).
func (g *generator) altFile(index int32, e *filelist.Entry, p string, b *basis) (done bool, err error) {
	best, level := g.bestAlt(e, p, func(like basis) int {
		switch {
		case g.redoing || !g.unchangedAt(e, like.spot, like.info):
			return fitsType
		case g.attrsDiffer(e, like):
			return fitsData
		}
		return fitsAll
	})
	if level == fitsNot || level < fitsAll && b.exists {
		return false, nil
	}
	kind := g.opt.Alternative
	if level == fitsAll && kind != options.AltCopy {
		if b.exists && kind == options.AltLink && b.info.Dev == best.info.Dev && b.info.Ino == best.info.Ino {
			return false, nil
		}
		if err := g.dropForAlt(e, p, b.exists, kind); err != nil {
			return true, err
		}
		if kind == options.AltCompare {
			g.unchoose(index, e)
			g.tellItem(e, item{index: index, flags: g.itemFlags(e, best, 0)})
			return true, nil
		}
		if g.opt.DryRun || g.linkAlt(e, best.spot, p) {
			if g.tellsAll() {
				g.tellItem(e, item{index: index, flags: g.itemFlags(e, best, proto.ItemLocalChange|proto.ItemXname|proto.ItemMatched)})
			}
			return true, nil
		}
		level = fitsData
		b.exists = false
	}
	if level >= fitsData {
		return g.copyAlt(index, e, best, p, b)
	}
	*b = best
	return false, nil
}

// tellsAll reports whether items are told of that change nothing.
func (g *generator) tellsAll() bool {
	return g.opt.Info(options.InfoName) > 1 || g.opt.Itemizes() > 1 || g.opt.LogFormat == "%i%I"
}

// dropForAlt removes what another folder's file makes superfluous.
func (g *generator) dropForAlt(e *filelist.Entry, p string, exists bool, kind options.AltKind) error {
	if g.opt.DryRun || !exists {
		return nil
	}
	if kind == options.AltLink {
		return nil // the link replaces it in one step
	}
	if err := g.beforeChange(); err != nil {
		return err
	}
	g.markDir(e)
	if err := g.root.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return local("delete of", p, err)
	}
	return nil
}

// linkAlt makes p a link to another folder's file.
func (g *generator) linkAlt(e *filelist.Entry, at spot, p string) bool {
	if g.beforeChange() != nil {
		return false // comes up again at the next change
	}
	if err := g.root.ReplaceLinkFrom(at.root, at.path, p); err != nil {
		g.report(proto.TagWarning, "link %q: %v; copying it", p, reason(err))
		return false
	}
	g.countCreated()
	g.markDir(e)
	return true
}

// copyAlt copies a file with the right data from another folder
// (generator.c:copy_altdest_file).
func (g *generator) copyAlt(index int32, e *filelist.Entry, like basis, p string, b *basis) (bool, error) {
	flags := g.itemFlags(e, like, proto.ItemLocalChange)
	if !g.opt.DryRun {
		if err := g.beforeChange(); err != nil {
			return true, err
		}
		if err := g.copyIn(e, like.spot, p, g.meta(e, b.info, b.exists)); err != nil {
			g.report(proto.TagWarning, "copy of %q failed: %v", p, reason(err))
			return false, nil
		}
		if !b.exists {
			g.countCreated()
		}
		g.markDir(e)
	}
	g.tellItem(e, item{index: index, flags: flags})
	return true, nil
}

func (g *generator) copyIn(e *filelist.Entry, at spot, p string, m rootfs.Meta) error {
	from, _, err := at.root.OpenRead(at.path, 0)
	if err != nil {
		return err
	}
	defer from.Close()
	return g.fill(g.root, p, from, func(t *rootfs.Temp) error {
		return g.dressFile(&t.File, e, p, m, true)
	})
}

// altOther looks for what has no data in the alternative folders
// (generator.c:try_dests_non). like is what the item's flags compare with.
func (g *generator) altOther(index int32, e *filelist.Entry, p string) (like basis, done bool, err error) {
	if len(g.alts) == 0 {
		return like, false, nil
	}
	like, level := g.bestAlt(e, p, func(like basis) int {
		switch {
		case !e.IsDir() && !g.sameNode(e, like.spot, like.info):
			return fitsType
		case g.attrsDiffer(e, like):
			return fitsData
		}
		return fitsAll
	})
	if level != fitsAll {
		return like, false, nil
	}
	more := proto.ItemLocalChange | proto.ItemMatched
	switch {
	case g.opt.Alternative == options.AltLink && !e.IsDir():
		if !g.opt.DryRun {
			if err := g.beforeChange(); err != nil {
				return like, true, err
			}
			if err := g.root.ReplaceLinkFrom(like.root, like.path, p); err != nil {
				g.failFile("failed to hard-link %q: %v", p, reason(err))
				return like, false, nil
			}
			g.countCreated()
			g.markDir(e)
		}
		more |= proto.ItemXname
	case g.opt.Alternative == options.AltCompare && !e.IsDir():
		g.unchoose(index, e)
		more = proto.ItemMatched
	}
	if g.tellsAll() && (g.opt.Itemizes() > 0 || g.opt.LogFormat != "") {
		g.tellItem(e, item{index: index, flags: g.itemFlags(e, like, more)})
	}
	return like, true, nil
}

// sameNode reports whether a link, device or special file is the one that is
// wanted.
func (g *generator) sameNode(e *filelist.Entry, s spot, info rootfs.Info) bool {
	switch {
	case e.IsLink():
		target, err := g.readlink(s.root, s.path)
		return err == nil && target == e.Target()
	case e.IsDevice():
		major, minor := e.Device()
		return info.Rdev == rootfs.MakeDev(major, minor)
	}
	return true
}

// attrsDiffer reports whether something else than the data differs
// (generator.c:unchanged_attrs).
func (g *generator) attrsDiffer(e *filelist.Entry, like basis) bool {
	const attrs = proto.ItemTime | proto.ItemPerms | proto.ItemOwner | proto.ItemGroup | proto.ItemACL | proto.ItemXattr
	return g.itemFlags(e, like, 0)&attrs != 0
}

// altLinked looks for another name of the file that there is, or for what
// makes the new name no change, in the alternative folders
// (hlink.c:hard_link_check).
func (g *generator) altLinked(e *filelist.Entry, p string, there rootfs.Info) basis {
	like, _ := g.bestAlt(e, p, func(like basis) int {
		switch {
		case g.opt.Alternative == options.AltLink:
			if like.info.Dev == there.Dev && like.info.Ino == there.Ino {
				return fitsAll
			}
			return fitsNot
		case !g.unchangedAt(e, like.spot, like.info):
			return fitsNot
		case g.attrsDiffer(e, like):
			return fitsData
		}
		return fitsAll
	})
	return like
}
