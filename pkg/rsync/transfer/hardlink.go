package transfer

import (
	"slices"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// family is a file with several names in a list that has come whole.
type family struct {
	leader int32 // the name that is treated like any file; -1: none yet
	last   int32 // the last name in the list
}

// findLeaders works out which entries are names of one file
// (hlink.c:match_hard_links). One of them is treated like any file, the others
// are linked to it at the end.
func (g *generator) findLeaders() {
	if !g.opt.HardLinks {
		return
	}
	type inode struct{ dev, ino uint64 }
	first := make(map[inode]int32)
	g.leaders = make(map[int32]*family)
	for i, e := range g.part.All() {
		dev, ino, linked := e.Inode()
		if !linked || e.IsDir() || e.Mark&filelist.MarkDropped != 0 {
			continue
		}
		key, index := inode{dev, ino}, int32(i)
		before, ok := first[key]
		if !ok {
			first[key] = index
			continue
		}
		f := g.leaders[before]
		if f == nil {
			f = &family{leader: -1}
			g.leaders[before] = f
		}
		f.last = index
		g.leaders[index] = f
	}
}

// findLasts works out which is the last name of each file in the parts that have
// come. More names may come; they link to what is chosen by then.
func (g *generator) findLasts() {
	if !g.opt.HardLinks || !g.Caps.IncRecurse {
		return
	}
	p := g.part
	if g.lasts == nil {
		g.lasts = make(map[uint64]int32)
	} else if p, _ = g.parts.after(g.searched); p == nil {
		return
	}
	for p != nil {
		for i := p.Start; i < p.End(); i++ {
			e := p.At(i)
			if _, group, linked := e.Inode(); linked && !e.IsDir() && e.Mark&filelist.MarkDropped == 0 {
				g.lasts[group] = i
			}
		}
		g.searched = p
		p, _ = g.parts.after(p)
	}
}

// linkGroup is a file with several names in a list that comes in parts.
type linkGroup struct {
	path    string      // of the name that is treated like any file, whose part may be done with
	chosen  bool        // there is such a name
	there   bool        // it is in its place, or not chosen
	asked   waitingLink // it, where its data was asked for
	waiting []waitingLink
}

// waitingLink is a name that waits for another one's data.
type waitingLink struct {
	part  *part
	index int32
}

// linkLater reports whether an entry is another name of a file, which has been
// linked or will be.
func (g *generator) linkLater(index int32, e *filelist.Entry) (bool, error) {
	if !g.Caps.IncRecurse {
		f := g.leaders[index]
		if f == nil || f.leader == index {
			return false, nil
		}
		if f.leader < 0 {
			f.leader = index
			return false, nil
		}
		g.links = append(g.links, index)
		return true, nil
	}
	_, group, linked := e.Inode()
	if !linked || !g.opt.HardLinks || e.IsDir() || g.redoing {
		return false, nil
	}
	known := g.groups[group]
	if known == nil {
		if g.groups == nil {
			g.groups = make(map[uint64]*linkGroup)
		}
		known = &linkGroup{there: true}
		g.groups[group] = known
	}
	switch {
	case !known.chosen:
		known.path, known.chosen = strings.Clone(g.path(e)), true
		return false, nil
	case known.there:
		return true, g.tolerate(g.hardLink(index, e, known.path))
	}
	known.wait(g.part, index)
	return true, nil
}

// unchoose is called when the name that was to be treated like any file was passed
// over: there is nothing here that the others could be linked to, so that the next one
// takes its place (hlink.c:hard_link_check).
func (g *generator) unchoose(index int32, e *filelist.Entry) {
	if !g.opt.HardLinks || e.IsDir() {
		return
	}
	if !g.Caps.IncRecurse {
		if f := g.leaders[index]; f != nil && f.leader == index {
			f.leader = -1
		}
		return
	}
	_, group, linked := e.Inode()
	if l := g.groups[group]; linked && l != nil && l.chosen && l.there && l.path == g.path(e) {
		l.chosen = false
	}
}

// unchooseMissing is unchoose where a name for which no data was asked is not there:
// something stands in its way, or what it is like is only in another folder.
func (g *generator) unchooseMissing(index int32, e *filelist.Entry, p string) {
	if _, _, linked := e.Inode(); !linked || !g.opt.HardLinks || e.IsDir() || g.opt.DryRun || g.redoing {
		return
	}
	if have, exists, err := g.lookup(p); err != nil || !exists || (have.Mode^e.Mode)&filelist.ModeType != 0 {
		g.unchoose(index, e)
	}
}

// wait has a name wait.
func (l *linkGroup) wait(p *part, index int32) {
	l.waiting = append(l.waiting, waitingLink{p, index})
	p.open.Add(1)
}

// postpone leaves it to the next name of a file to be treated like any file,
// where this one has nothing here to begin with: the next may be up to date, or
// nearly so. (generator.c:recv_generator, F_HLINK_NOT_LAST)
func (g *generator) postpone(index int32, e *filelist.Entry) bool {
	if !g.opt.HardLinks || g.redoing || g.settling {
		return false
	}
	if !g.Caps.IncRecurse {
		f := g.leaders[index]
		if f == nil || index >= f.last {
			return false
		}
		f.leader = -1
		g.links = append(g.links, index)
		return true
	}
	_, group, linked := e.Inode()
	l := g.groups[group]
	if !linked || l == nil {
		return false
	}
	if g.findLasts(); index >= g.lasts[group] {
		return false
	}
	l.chosen = false
	l.wait(g.part, index)
	return true
}

// settleNames is called when an entry was gone through. Where that was the last
// name of a file and all were postponed or passed over, the last one that was
// postponed is treated like any file (hlink.c:skipped_hlink); where a name was
// found up to date, the postponed ones are linked to it.
func (g *generator) settleNames(index int32) error {
	if !g.opt.HardLinks {
		return nil
	}
	if !g.Caps.IncRecurse {
		f := g.leaders[index]
		if f == nil || index != f.last || f.leader >= 0 {
			return nil
		}
		for i := len(g.links) - 1; i >= 0 && f.leader < 0; i-- {
			if other := g.links[i]; g.leaders[other] == f {
				g.links = slices.Delete(g.links, i, i+1)
				if err := g.goThrough(g.part, other); err != nil {
					return err
				}
			}
		}
		return nil
	}
	_, number, linked := g.part.At(index).Inode()
	l := g.groups[number]
	if !linked || l == nil || len(l.waiting) == 0 {
		return nil
	}
	for last := len(l.waiting) - 1; last >= 0 && !l.chosen && index == g.lasts[number]; last-- {
		next := l.waiting[last]
		l.waiting = l.waiting[:last]
		next.part.open.Add(-1)
		if err := g.goThrough(next.part, next.index); err != nil {
			return err
		}
	}
	if l.chosen && l.there {
		return g.release(l)
	}
	return nil
}

// goThrough goes through a name that must not be postponed again.
func (g *generator) goThrough(p *part, index int32) error {
	was := g.part
	g.part, g.settling = p, true
	err := g.entry(index)
	g.part, g.settling = was, false
	return err
}

// release goes through the names that have waited.
func (g *generator) release(l *linkGroup) error {
	waiting := l.waiting
	l.waiting = nil
	for _, w := range waiting {
		if err := g.goThrough(w.part, w.index); err != nil {
			return err
		}
		w.part.open.Add(-1)
	}
	return nil
}

// linksWait has the other names of a file wait for its data, which has been
// asked for.
func (g *generator) linksWait(index int32, e *filelist.Entry) {
	_, group, linked := e.Inode()
	if l := g.groups[group]; linked && l != nil && !g.opt.DryRun {
		l.there, l.asked = false, waitingLink{g.part, index}
	}
}

// adopt has a name that waits for another one's data change places with it: the
// batch that is read has the data for this one. p is nil where all is done with.
func (g *generator) adopt(p *part, index int32) error {
	if p == nil {
		return nil
	}
	defer p.open.Add(-1)
	_, number, _ := p.At(index).Inode()
	l := g.groups[number]
	if l == nil || !l.chosen || l.there {
		return nil
	}
	i := slices.Index(l.waiting, waitingLink{p, index})
	if other := l.asked; i >= 0 && other.part.asked.take(other.index-other.part.Start) {
		g.outstanding.Add(-1)
		l.waiting[i] = other // and its part stays open for that
		l.chosen, l.there = false, true
		if err := g.goThrough(p, index); err != nil {
			return err
		}
		p.open.Add(-1)
		if l.chosen && l.there {
			return g.release(l)
		}
	}
	return nil
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
	switch {
	case o.ok:
		group.there = true
	case g.replay != nil: // there is nobody to ask for another name
		for _, w := range group.waiting {
			g.failFile("%q cannot be linked to %q, which has not arrived", g.path(w.part.At(w.index)), group.path)
			w.part.open.Add(-1)
		}
		group.waiting = nil
		return nil
	default:
		delete(g.groups, number)
	}
	return g.release(group)
}

// makeLinks links the later names, when all data has come (hlink.c:
// finish_hard_link).
func (g *generator) makeLinks() error {
	links := g.links
	g.links = nil
	for _, i := range links {
		if err := g.tolerate(g.hardLink(i, g.part.At(i), g.path(g.part.At(g.leaders[i].leader)))); err != nil {
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
