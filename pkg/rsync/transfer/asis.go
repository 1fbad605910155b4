package transfer

import (
	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

// isPlain reports whether size, time, owner, group and permissions alone decide
// whether a regular file stays as it is, and nobody wants to hear of one that
// does. Such a file gets by without the path and the item that others need:
// where nothing has changed, what is done for each file is all the work there is.
func (g *generator) isPlain() bool {
	o := g.opt
	switch g.rules.(type) {
	case nil, *ClientRules: // which refuse nothing
	default:
		return false
	}
	switch {
	case g.void, g.name != "", g.fakes(), len(g.alts) > 0, g.sendsRelative(), g.tellsAll(),
		o.KeepDir() != "", o.Checksum, o.IgnoreTimes, o.Update, o.IgnoreExisting, o.IgnoreNonExisting,
		o.MaxSize.Set, o.MinSize.Set, o.ACLs, o.Xattrs != 0, o.Atimes > 0, o.HardLinks,
		o.RemoveSource == options.RemoveSource:
		return false
	}
	return true
}

// staysAsItIs reports whether e, a regular file of a plain run, is what the list
// says (see [generator.keep]).
func (g *generator) staysAsItIs(e *filelist.Entry, have *rootfs.Info) bool {
	if have.Size != e.Size || !have.IsRegular() || g.permsDiffer(e, have.Mode) {
		return false
	}
	differs := g.timeDiffers(e, have)
	if differs && !g.opt.SizeOnly {
		return false
	}
	m := g.meta(e, *have, true)
	if !differs {
		m.Fields &^= rootfs.FieldMtime
	}
	return m.Diff(*have) == 0
}
