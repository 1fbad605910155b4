package transfer

import (
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/options"
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

// linkGroup is a file with several names in a list that comes in parts.
type linkGroup struct {
	path    string // of the first name, whose part may be done with
	there   bool   // it is in its place
	waiting []waitingLink
}

// waitingLink is a name that waits for the first one's data.
type waitingLink struct {
	part  *part
	index int32
}

// linkLater reports whether an entry is another name of a file, which has been
// linked or will be.
func (g *generator) linkLater(index int32, e *filelist.Entry) (bool, error) {
	if !g.Caps.IncRecurse {
		_, later := g.leaders[index]
		if later {
			g.links = append(g.links, index)
		}
		return later, nil
	}
	_, group, linked := e.Inode()
	if !linked || !g.opt.HardLinks || e.IsDir() || g.redoing {
		return false, nil
	}
	known, ok := g.groups[group]
	switch {
	case !ok:
		if g.groups == nil {
			g.groups = make(map[uint64]*linkGroup)
		}
		g.groups[group] = &linkGroup{path: strings.Clone(g.path(e)), there: true}
		return false, nil
	case known.there:
		return true, g.tolerate(g.hardLink(index, e, known.path))
	}
	known.waiting = append(known.waiting, waitingLink{g.part, index})
	g.part.open.Add(1)
	return true, nil
}

// linksWait has the other names of a file wait for its data, which has been
// asked for.
func (g *generator) linksWait(e *filelist.Entry) {
	if _, group, linked := e.Inode(); linked && g.groups[group] != nil && !g.opt.DryRun {
		g.groups[group].there = false
	}
}

// settleLinks makes the names that have waited for a file's data. If the data
// has not come, the next one is asked for (hlink.c:finish_hard_link,
// generator.c:handle_skipped_hlink).
func (g *generator) settleLinks(o outcome) error {
	_, number, _ := o.entry.Inode()
	group := g.groups[number]
	if group == nil || group.there {
		return nil
	}
	was := g.part
	defer func() { g.part = was }()
	waiting := group.waiting
	group.waiting = nil
	if o.ok {
		group.there = true
	} else {
		delete(g.groups, number)
	}
	for _, l := range waiting {
		g.part = l.part
		if err := g.entry(l.index); err != nil {
			return err
		}
		l.part.open.Add(-1)
	}
	return nil
}

// makeLinks links the later names, when all data has come (hlink.c:
// finish_hard_link).
func (g *generator) makeLinks() error {
	links := g.links
	g.links = nil
	for _, i := range links {
		if err := g.tolerate(g.hardLink(i, g.part.At(i), g.path(g.part.At(g.leaders[i])))); err != nil {
			return err
		}
	}
	return g.W.Flush()
}

func (g *generator) hardLink(index int32, e *filelist.Entry, to string) error {
	p := g.path(e)
	have, exists, err := g.lookup(p)
	if err != nil {
		return local("stat", p, err)
	}
	there, ok, err := g.lookup(to)
	if err != nil {
		return local("stat", to, err)
	}
	it := item{index: index, flags: proto.ItemLocalChange | proto.ItemXname, xname: to}
	like := g.own(p, have, exists)
	if len(g.alts) > 0 && !exists && e.IsRegular() {
		if !ok { // the first name is only in another folder
			if done, err := g.altFile(index, e, p, &like); done || err != nil {
				if err == nil {
					g.upToDate(index, e, p)
				}
				return err
			}
		} else {
			like = g.altLinked(e, p, there)
		}
	}
	switch {
	case g.opt.DryRun:
		if !exists || !ok || have.Dev != there.Dev || have.Ino != there.Ino {
			it.flags = g.itemFlags(e, g.own(p, have, exists), it.flags)
			g.tellItem(e, it)
		}
		return nil
	case !ok || (there.Mode^e.Mode)&filelist.ModeType != 0:
		g.failFile("%q cannot be linked to %q, which has not arrived", p, to)
		return nil
	case exists && have.Dev == there.Dev && have.Ino == there.Ino:
		g.tell(index, e, 0)
		g.linked(index, e, p)
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
	g.linked(index, e, p)
	it.flags = g.itemFlags(e, like, it.flags)
	if like.exists && !exists && g.opt.Alternative == options.AltLink && !g.tellsAll() {
		return nil
	}
	g.tellItem(e, it)
	return nil
}

// linked is upToDate for another name of a file. A sender of a version without
// a goodbye has left by then.
func (g *generator) linked(index int32, e *filelist.Entry, p string) {
	if g.Caps.Goodbye {
		g.upToDate(index, e, p)
	}
}
