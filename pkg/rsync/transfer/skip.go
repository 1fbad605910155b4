package transfer

import (
	"path"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

// passedOver reports whether the options exempt an entry, and tells of it where
// that is wanted. // generator.c:recv_generator
func (g *generator) passedOver(e *filelist.Entry, p string, have rootfs.Info, exists bool) bool {
	switch {
	case !exists && g.opt.IgnoreNonExisting && !(e.IsDir() && e.Base == "."):
		g.notCreated(e, p)
	case exists && g.opt.IgnoreExisting && !(e.IsDir() && have.IsDir()):
		g.existing(e, p, have)
	case e.IsRegular() && g.opt.MaxSize.Set && e.Size > g.opt.MaxSize.Value:
		g.skipping("%s is over max-size", p)
	case e.IsRegular() && g.opt.MinSize.Set && e.Size < g.opt.MinSize.Value:
		g.skipping("%s is under min-size", p)
	case exists && g.opt.Update && e.IsRegular() && have.IsRegular() && e.Mtime-have.Mtime < max(g.opt.ModifyWindow.Value, 0):
		g.stats.Newer++
		g.skipping("%s is newer", p)
	default:
		return false
	}
	return true
}

// skipping tells of what is passed over.
func (g *generator) skipping(format string, args ...any) {
	if g.opt.Info(options.InfoSkip) > 0 {
		g.report(proto.TagInfo, format, args...)
	}
}

// notCreated tells of what --existing leaves out, but not of all that is in a
// folder that it leaves out.
func (g *generator) notCreated(e *filelist.Entry, p string) {
	if g.opt.Info(options.InfoSkip) == 0 {
		return
	}
	if above := path.Dir(p); above != "." {
		if _, exists, err := g.lookup(above); !exists || err != nil {
			return
		}
	}
	what := "file"
	if e.IsDir() {
		what = "directory"
	}
	g.skipping("not creating new %s \"%s\"", what, p)
}

// existing tells of what is left as it is because it exists.
func (g *generator) existing(e *filelist.Entry, p string, have rootfs.Info) {
	level := g.opt.Info(options.InfoSkip)
	if level == 0 && g.dest.Existing == nil {
		return
	}
	suffix := ""
	if level > 1 || g.dest.Existing != nil {
		suffix = g.difference(e, p, have)
	}
	if g.dest.Existing != nil && (suffix == typeChange || suffix == fileChange || suffix == sumChange) {
		g.dest.Existing(p)
	}
	if level < 2 {
		suffix = ""
	}
	g.skipping("%s exists%s", p, suffix)
}

// What may be told of a file that exists.
const (
	typeChange = " (type change)"
	sumChange  = " (sum change)"
	fileChange = " (file change)"
	attrChange = " (attr change)"
	upToDate   = " (uptodate)"
)

// difference says how what is there differs from what an entry says.
func (g *generator) difference(e *filelist.Entry, p string, have rootfs.Info) string {
	if (e.Mode^have.Mode)&filelist.ModeType != 0 {
		return typeChange
	}
	same := true
	switch {
	case e.IsRegular():
		same = g.unchanged(e, p, have)
	case e.IsLink():
		target, err := g.root.Readlink(p)
		same = err == nil && g.unmunge(target) == e.Target()
	}
	switch {
	case !same && g.opt.Checksum:
		return sumChange
	case !same:
		return fileChange
	case g.itemFlags(e, g.own(p, have, true), 0)&^(proto.ItemTime|proto.ItemAtime) != 0:
		return attrChange
	}
	return upToDate
}
