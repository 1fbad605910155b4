package transfer

import (
	"slices"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// piecemeal does the first pass over a list that comes in parts, while they
// come, and tells the sender part by part what is done with
// (generator.c:generate_files).
func (g *generator) piecemeal() error {
	g.open = g.part
	if g.opt.HardLinks && g.replay != nil {
		// Which name of a file was asked for depended on the list that had come.
		if err := g.wait(g.replay.isAhead); err != nil {
			return err
		}
	}
	for {
		p := g.part
		if p.Parent != nil {
			if err := g.entry(p.Start - 1); err != nil {
				return err
			}
		}
		if err := g.walk(); err != nil {
			return err
		}
		g.walked = p.Start
		var next *part
		err := g.wait(func() (ready bool) {
			var none bool
			next, none = g.parts.after(p)
			return next != nil || none
		})
		if err != nil {
			return err
		}
		if next == nil {
			return g.wait(func() bool { return g.open == nil })
		}
		g.enter(next)
	}
}

// enter goes on with a part.
func (g *generator) enter(p *part) {
	g.part = p
	if p.Parent == nil {
		return
	}
	dir := g.path(p.Parent)
	n := len(g.trail)
	for n > 0 && !isBelow(dir, g.trail[n-1].path) {
		n--
	}
	g.trail = append(g.trail[:n], entered{dir, p.Start - 1})
}

// entered is a folder that the part at hand is, or is in.
type entered struct {
	path  string
	index int32
}

// wait serves what the receiving goroutine reports until ready holds, which is
// asked before each pause. Whether that goroutine has ended is asked first: what
// it has reported before counts.
func (g *generator) wait(ready func() bool) error {
	for {
		over, end := g.events.ending()
		if err := g.attend(); err != nil {
			return err
		}
		if ready() {
			return nil
		}
		if over {
			if end == nil {
				end = proto.Failf(proto.ExitStreamIO, "the sending side ended early")
			}
			return end
		}
		if err := g.W.Flush(); err != nil {
			return err
		}
		if err := g.pause(); err != nil {
			return err
		}
	}
}

// pause waits for an event. Files that wait for others to be committed with
// them are not kept any longer if no others are on their way: the sender may
// be waiting for us.
func (g *generator) pause() error {
	g.idle.Store(true)
	defer g.idle.Store(false)
	if g.Caps.IncRecurse && g.outstanding.Load() == 0 {
		if err := g.commit.flush(); err != nil {
			return err
		}
	}
	<-g.events.signal
	return nil
}

// attend does what has come up: files to ask for again, names to link to files
// that have come, parts that are done with (generator.c:check_for_finished_files).
func (g *generator) attend() error {
	for {
		if o, ok := g.events.nextOutcome(); ok {
			if err := g.settleLinks(o); err != nil {
				return err
			}
			continue
		}
		index, ok := g.events.nextRedo()
		if !ok {
			return g.closeParts()
		}
		if err := g.redo(index); err != nil {
			return err
		}
	}
}

// redo asks for a file again. Where that does not come to a request, because of
// what stands in the way by now, the other names of the file wait no longer.
func (g *generator) redo(index int32) error {
	p, e := g.parts.find(index)
	if g.replay != nil && (p == nil || !p.again.has(index-p.Start)) {
		err := g.adopt(p, index)
		g.replay.redone()
		return err
	}
	was, redoing, asked := g.part, g.redoing, g.asked
	g.part, g.redoing = p, true
	err := g.entry(index)
	g.part, g.redoing = was, redoing
	if err == nil && g.asked == asked && g.Caps.IncRecurse {
		err = g.settleLinks(outcome{entry: e})
	}
	p.open.Add(-1)
	g.replay.redone()
	return err
}

// toldAfter is after how many entries that are done with the sender hears of it,
// so that it lists on while we are at work on what it keeps ahead of us.
const toldAfter = 1000

// closeParts tells the sender of parts that are done with, oldest first. The
// last one stays open until another one has come or none will.
func (g *generator) closeParts() error {
	for p := g.open; p != nil && p.Start <= g.walked && p.open.Load() == 0; p = g.open {
		next, none := g.parts.after(p)
		if next == nil && !none {
			return nil
		}
		p.closed.Store(true)
		g.replay.poke()
		if _, err := g.W.Write(g.out.Append(nil, proto.IndexDone)); err != nil {
			return err
		}
		g.open = next
		g.leave(p)
		if g.untold += p.Len(); g.untold >= toldAfter {
			g.untold = 0
			if err := g.W.Flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// left is a folder whose part is done with.
type left struct {
	path    string
	entry   filelist.Entry
	changed bool // what is in it has: its times are to be set
}

// leave sets the times and modes of folders below which nothing will change
// any more: parts come folder by folder, each before its subfolders.
func (g *generator) leave(p *part) {
	if p.Parent == nil {
		return
	}
	dir := g.path(p.Parent)
	n := len(g.left)
	for ; n > 0 && !isBelow(dir, g.left[n-1].path); n-- {
		g.leaveTree(g.left[n-1])
	}
	_, changed := g.touch[p.Start-1]
	delete(g.touch, p.Start-1)
	g.left = append(g.left[:n], left{dir, *p.Parent, changed})
}

func isBelow(p, dir string) bool { return dir == "." || strings.HasPrefix(p, dir+"/") }

// leaveTree is done with a folder and all that is below, unless something is
// yet to be deleted.
func (g *generator) leaveTree(l left) {
	switch {
	case !l.changed:
	case len(g.doomed) > 0:
		g.tree = append(g.tree, l)
	default:
		g.touchDir(l.path, &l.entry)
	}
}

// leaveAll is done with all folders.
func (g *generator) leaveAll() {
	for _, l := range slices.Backward(g.left) {
		g.leaveTree(l)
	}
	for _, l := range g.tree {
		g.touchDir(l.path, &l.entry)
	}
}

// markParent notes that there is a new folder in the one called dir, whose part
// may be done with.
func (g *generator) markParent(dir string) {
	if dir == g.lastDir {
		return
	}
	g.lastDir = dir
	for i := len(g.left) - 1; i >= 0; i-- {
		if g.left[i].path == dir {
			g.left[i].changed = true
			return
		}
	}
	for _, t := range slices.Backward(g.trail) {
		if t.path == dir {
			g.touch[t.index] = struct{}{}
			return
		}
	}
	for p := g.open; p != nil; p, _ = g.parts.after(p) { // an order that is not rsync's
		if p.Parent != nil && g.path(p.Parent) == dir {
			g.touch[p.Start-1] = struct{}{}
			return
		}
	}
}
