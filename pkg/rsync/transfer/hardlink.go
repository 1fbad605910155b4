package transfer

import (
	"errors"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// findLeaders works out which entries are later names of one file
// (hlink.c:match_hard_links). Later is meant in the list's order: the first
// name is transferred like any file, the others are linked to it at the end.
func (g *generator) findLeaders() {
	if !g.opt.HardLinks {
		return
	}
	type inode struct{ dev, ino uint64 }
	first := make(map[inode]int32)
	g.leaders = make(map[int32]int32)
	for i, e := range g.part.All() {
		dev, ino, linked := e.Inode()
		if !linked || e.IsDir() || e.Mark&filelist.MarkDropped != 0 {
			continue
		}
		key := inode{dev, ino}
		if leader, ok := first[key]; ok {
			g.leaders[int32(i)] = leader
		} else {
			first[key] = int32(i)
		}
	}
}

// makeLinks links the later names, when all data has come (hlink.c:
// finish_hard_link).
func (g *generator) makeLinks() error {
	links := g.links
	g.links = nil
	for _, i := range links {
		err := g.hardLink(i, g.part.At(i), g.part.At(g.leaders[i]))
		var local *localError
		if errors.As(err, &local) {
			g.failFile("%s", local)
			continue
		}
		if err != nil {
			return err
		}
	}
	return g.W.Flush()
}

func (g *generator) hardLink(index int32, e, leader *filelist.Entry) error {
	p, to := g.path(e), g.path(leader)
	have, exists, err := g.lookup(p)
	if err != nil {
		return local("stat", p, err)
	}
	there, ok, err := g.lookup(to)
	if err != nil {
		return local("stat", to, err)
	}
	it := item{index: index, flags: proto.ItemLocalChange | proto.ItemXname, xname: to}
	switch {
	case g.opt.DryRun:
		if !exists || !ok || have.Dev != there.Dev || have.Ino != there.Ino {
			it.flags = g.itemFlags(e, have, exists, it.flags)
			g.tellItem(e, it)
		}
		return nil
	case !ok || (there.Mode^e.Mode)&filelist.ModeType != 0:
		g.failFile("%q cannot be linked to %q, which has not arrived", p, to)
		return nil
	case exists && have.Dev == there.Dev && have.Ino == there.Ino:
		g.tell(index, e, 0)
		return nil
	case exists && have.IsDir():
		if ok, err := g.makeWay(p, have, "regular file"); !ok {
			return err
		}
		exists = false
	}
	if err := g.beforeChange(); err != nil {
		return err
	}
	g.markDir(e)
	if err := g.beforeReplacing(p, exists); err != nil {
		return err
	}
	if err := g.root.ReplaceLink(to, p); err != nil {
		return local("link to "+to+" from", p, err)
	}
	if !exists {
		g.countCreated()
	}
	it.flags = g.itemFlags(e, have, exists, it.flags)
	g.tellItem(e, it)
	return nil
}
