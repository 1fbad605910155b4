package transfer

import (
	"path"

	"github.com/empegsync/empegsync/pkg/rsync/delta"
	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

// basis is what an entry is compared with.
type basis struct {
	spot
	kind   byte // proto.Basis*
	info   rootfs.Info
	exists bool
	name   string // with proto.BasisFuzzy and above
}

// own is what is under an entry's own name.
func (g *generator) own(p string, have rootfs.Info, exists bool) basis {
	return basis{spot: spot{g.root, p}, kind: proto.BasisName, info: have, exists: exists}
}

// file requests a regular file unless it is up to date
// (generator.c:recv_generator).
func (g *generator) file(index int32, e *filelist.Entry, p string, have rootfs.Info, exists bool) error {
	if exists && !have.IsRegular() && !(g.opt.WriteDevices && have.IsDevice()) {
		if ok, err := g.makeWay(p, have, "regular file"); !ok {
			return err
		}
		exists = false
	}
	b := g.own(p, have, exists)
	if len(g.alts) > 0 && (!exists || g.opt.Alternative != options.AltCopy) {
		if done, err := g.altFile(index, e, p, &b); done || err != nil {
			if err == nil {
				g.upToDate(index, e, p)
			}
			return err
		}
	}
	shown := b // what the item's flags compare with
	partial, kept := g.partialBasis(p)
	if !b.exists && !kept {
		g.fuzzyBasis(e, p, &b)
	}
	if !b.exists && !kept && g.postpone(index, e) {
		return nil
	}
	switch {
	case b.kind == proto.BasisName && b.exists && !g.redoing && g.unchanged(e, p, have):
		if kept && !g.opt.DryRun {
			g.dropPartial(partial.spot)
		}
		g.keep(index, e, p, have)
		return nil
	case g.appends(g.redoing) != options.AppendNo && b.exists && b.info.Size >= e.Size:
		return nil
	}
	if kept {
		b = partial
	}
	if !g.opt.DryRun && exists {
		if ok, err := g.backupInPlace(p, &b); !ok {
			return err
		}
	}
	return g.ask(index, e, exists, shown, b)
}

// ask sends the request for a file.
func (g *generator) ask(index int32, e *filelist.Entry, exists bool, shown, b basis) error {
	flags := g.itemFlags(e, shown, proto.ItemTransfer) // which finds g.have
	it := item{index: index, flags: flags, basis: b.kind, xname: b.name, entry: e, have: g.have}
	if g.opt.Checksum && !g.redoing {
		it.flags |= proto.ItemChange
	}
	if b.kind != proto.BasisName {
		it.flags |= proto.ItemBasisType
	}
	if b.kind >= proto.BasisFuzzy {
		it.flags |= proto.ItemXname
	}
	g.markDir(e)
	at := index - g.part.Start
	if exists {
		g.part.absent.take(at)
	} else {
		g.part.absent.add(at)
	}
	g.part.asked.add(at)
	g.part.open.Add(1)
	g.outstanding.Add(1)
	g.asked++
	g.linksWait(index, e)
	g.scratch = g.appendItem(g.scratch[:0], it)
	if g.replay != nil {
		return nil
	}
	if !g.opt.MovesData() {
		_, err := g.W.Write(g.scratch)
		return err
	}
	return g.request(b)
}

// request sends what the sender needs to send the difference: the sums of
// what is there, or a head that says that there is nothing.
func (g *generator) request(b basis) error {
	lim := g.limits
	if g.redoing {
		lim.Pass = lim.Size
	}
	none := delta.Head{}.Append(nil, lim)
	if !b.exists || b.info.Size == 0 && !b.info.IsDevice() || g.opt.WholeFile == options.Yes {
		_, err := g.W.Write(append(g.scratch, none...))
		return err
	}
	f, info, err := b.root.OpenRead(b.path, g.basisFlags())
	if err != nil {
		g.report(proto.TagWarning, "failed to open %q, continuing: %v", b.path, reason(err))
		_, err := g.W.Write(append(g.scratch, none...))
		return err
	}
	defer f.Close()
	if info.IsDevice() && info.Size == 0 {
		info.Size = f.End()
	}
	head, ok := delta.NewHead(info.Size, g.opt.BlockSize, g.redoing, lim)
	if !ok {
		g.report(proto.TagWarning, "%q is too large for checksums: it is sent whole", b.path)
	}
	g.scratch = head.Append(g.scratch, lim)
	if _, err := g.W.Write(g.scratch); err != nil || g.appends(g.redoing) != options.AppendNo {
		return err
	}
	g.buf, err = delta.WriteSums(g.W, f, head, g.sums, g.buf)
	return err
}

// partialBasis looks for what has come of a file before.
func (g *generator) partialBasis(p string) (basis, bool) {
	s, ok := g.partial(p)
	if !ok || g.void {
		return basis{}, false
	}
	info, err := s.root.Lstat(s.path)
	if err != nil || !info.IsRegular() {
		return basis{}, false
	}
	return basis{spot: s, kind: proto.BasisPartialDir, info: info, exists: true}, true
}

// backupInPlace copies a file that is about to be written into, with --inplace
// and --backup; false if the file must be left alone.
func (g *generator) backupInPlace(p string, b *basis) (bool, error) {
	if !g.opt.Inplace || !g.opt.Backup || g.redoing || b.kind != proto.BasisName {
		return true, nil
	}
	if err := g.beforeChange(); err != nil {
		return false, err
	}
	if err := g.backups.copyOf(p); err != nil {
		return false, local("making a backup of", p, err)
	}
	if g.opt.WholeFile != options.Yes {
		b.kind = proto.BasisBackup
	}
	return true, nil
}

// altPath is where p is in one of the alternative folders; false if the
// module's rules keep it from clients.
func (r *receiver) altPath(i int, p string) (spot, bool) {
	alt := r.alts[i]
	return spot{alt.root, alt.path(p)}, !r.refused(path.Join(alt.rel, p), false)
}
