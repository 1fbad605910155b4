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
	if len(r.opt.AltDirs) > 0 && (r.opt.Xattrs > 0 || r.opt.ACLs) {
		return proto.Failf(proto.ExitUnsupported, "%s together with --xattrs (-X) or --acls (-A) is not supported yet; leave one of them out", r.opt.Alternative.Option())
	}
	for _, dir := range r.opt.AltDirs {
		pl, err := r.openPlace(r.opt.Alternative.Option(), dir)
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
func (g *generator) bestAlt(e *filelist.Entry, p string, fit func(s spot, info rootfs.Info) int) (best int, s spot, info rootfs.Info, level int) {
	for i := range g.alts {
		at, ok := g.altPath(i, p)
		if !ok {
			continue
		}
		there, err := at.root.Lstat(at.path)
		if err != nil || (there.Mode^e.Mode)&filelist.ModeType != 0 {
			continue
		}
		if l := fit(at, there); l > level {
			best, s, info, level = i, at, there, l
		}
		if level == fitsAll {
			break
		}
	}
	return best, s, info, level
}

// altFile looks for a regular file in the alternative folders. It is done if
// there is one with the right data, else b may be one to start from
// (generator.c:try_dests_reg).
func (g *generator) altFile(index int32, e *filelist.Entry, p string, b *basis) (done bool, err error) {
	best, at, info, level := g.bestAlt(e, p, func(s spot, info rootfs.Info) int {
		switch {
		case g.redoing || !g.unchangedAt(e, s, info):
			return fitsType
		case g.attrsDiffer(e, info):
			return fitsData
		}
		return fitsAll
	})
	if level == fitsNot || level == fitsType && b.exists {
		return false, nil
	}
	kind := g.opt.Alternative
	if level == fitsAll && kind != options.AltCopy {
		if b.exists && kind == options.AltLink && b.info.Dev == info.Dev && b.info.Ino == info.Ino {
			return false, nil
		}
		if err := g.dropForAlt(p, b.exists, kind); err != nil {
			return true, err
		}
		if kind == options.AltCompare {
			g.tellItem(e, item{index: index, flags: g.itemFlags(e, info, true, 0)})
			return true, nil
		}
		if g.opt.DryRun || g.linkAlt(e, at, p) {
			if g.tellsAll() {
				g.tellItem(e, item{index: index, flags: g.itemFlags(e, info, true, proto.ItemLocalChange|proto.ItemXname|proto.ItemMatched)})
			}
			return true, nil
		}
		level = fitsData
		b.exists = false
	}
	if level >= fitsData {
		return g.copyAlt(index, e, at, info, p, b)
	}
	*b = basis{spot: at, kind: byte(proto.BasisDirLow + best), info: info, exists: true}
	return false, nil
}

// tellsAll reports whether items are told of that change nothing.
func (g *generator) tellsAll() bool {
	return g.opt.Info(options.InfoName) > 1 || g.opt.Itemizes() > 1 || g.opt.LogFormat == "%i%I"
}

// dropForAlt removes what another folder's file makes superfluous.
func (g *generator) dropForAlt(p string, exists bool, kind options.AltKind) error {
	if g.opt.DryRun || !exists {
		return nil
	}
	if kind == options.AltLink {
		return nil // the link replaces it in one step
	}
	if err := g.beforeChange(); err != nil {
		return err
	}
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
func (g *generator) copyAlt(index int32, e *filelist.Entry, at spot, info rootfs.Info, p string, b *basis) (bool, error) {
	flags := g.itemFlags(e, info, true, proto.ItemLocalChange)
	if !g.opt.DryRun {
		if err := g.beforeChange(); err != nil {
			return true, err
		}
		if err := g.copyIn(e, at, p, g.meta(e, b.info, b.exists)); err != nil {
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
	return g.fill(g.root, p, from, m)
}

// altOther looks for what has no data in the alternative folders
// (generator.c:try_dests_non). have is what the item's flags compare with.
func (g *generator) altOther(index int32, e *filelist.Entry, p string) (have rootfs.Info, found, done bool, err error) {
	if len(g.alts) == 0 {
		return have, false, false, nil
	}
	_, at, have, level := g.bestAlt(e, p, func(s spot, info rootfs.Info) int {
		switch {
		case !e.IsDir() && !g.sameNode(e, s, info):
			return fitsType
		case g.attrsDiffer(e, info):
			return fitsData
		}
		return fitsAll
	})
	if level != fitsAll {
		return have, level != fitsNot, false, nil
	}
	more := proto.ItemLocalChange | proto.ItemMatched
	switch {
	case g.opt.Alternative == options.AltLink && !e.IsDir():
		if !g.opt.DryRun {
			if err := g.beforeChange(); err != nil {
				return have, true, true, err
			}
			if err := g.root.ReplaceLinkFrom(at.root, at.path, p); err != nil {
				g.failFile("failed to hard-link %q: %v", p, reason(err))
				return have, true, false, nil
			}
			g.countCreated()
			g.markDir(e)
		}
		more |= proto.ItemXname
	case g.opt.Alternative == options.AltCompare && !e.IsDir():
		more = proto.ItemMatched
	}
	if g.tellsAll() && (g.opt.Itemizes() > 0 || g.opt.LogFormat != "") {
		g.tellItem(e, item{index: index, flags: g.itemFlags(e, have, true, more)})
	}
	return have, true, true, nil
}

// sameNode reports whether a link, device or special file is the one that is
// wanted.
func (g *generator) sameNode(e *filelist.Entry, s spot, info rootfs.Info) bool {
	switch {
	case e.IsLink():
		target, err := s.root.Readlink(s.path)
		return err == nil && target == e.Target()
	case e.IsDevice():
		major, minor := e.Device()
		return info.Rdev == rootfs.MakeDev(major, minor)
	}
	return true
}

// attrsDiffer reports whether something else than the data differs
// (generator.c:unchanged_attrs).
func (g *generator) attrsDiffer(e *filelist.Entry, info rootfs.Info) bool {
	const attrs = proto.ItemTime | proto.ItemPerms | proto.ItemOwner | proto.ItemGroup | proto.ItemACL | proto.ItemXattr
	return g.itemFlags(e, info, true, 0)&attrs != 0
}

// altLinked looks for another name of the file that there is, or for what
// makes the new name no change, in the alternative folders
// (hlink.c:hard_link_check).
func (g *generator) altLinked(e *filelist.Entry, p string, there rootfs.Info) (rootfs.Info, bool) {
	_, _, info, level := g.bestAlt(e, p, func(s spot, info rootfs.Info) int {
		switch {
		case g.opt.Alternative == options.AltLink:
			if info.Dev == there.Dev && info.Ino == there.Ino {
				return fitsAll
			}
			return fitsNot
		case !g.unchangedAt(e, s, info):
			return fitsNot
		case g.attrsDiffer(e, info):
			return fitsData
		}
		return fitsAll
	})
	return info, level != fitsNot
}
