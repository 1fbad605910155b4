package synk

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// Agreed is what a path was when hosts were last found or made alike.
type Agreed struct {
	Content Content         // absent: it was deleted
	Hosts   map[string]bool // who had it so
	// Stale is what hosts had when they were last alike with others, that have
	// missed what came later.
	Stale map[string]Content
	// Attrs are the mode and owner that were agreed on, nil for none, and Had what
	// each host had when last seen: it has missed what is different there.
	Attrs *Attrs
	Had   map[string]Attrs
}

// top is the path of a tree's own directory. Its mode is kept alike, and it is
// made where it is missing, but never deleted.
const top = "."

// State is what is remembered of a tree from run to run, by path. It tells a
// file that was deleted from one that never was there.
type State map[string]Agreed

// base is what a host had when it was last alike with others.
func (a Agreed) base(host string) (c Content, known bool) {
	if a.Hosts[host] {
		return a.Content, true
	}
	c, known = a.Stale[host]
	return c, known
}

// GoneError says that a host's tree is empty or not there although it was not
// before: as a rule something is not mounted.
type GoneError struct {
	Host  string
	Files int // how many there were
}

func (e *GoneError) Error() string {
	return fmt.Sprintf("%s: the directory is empty or not there, and %d files were in it: is something not mounted? nothing has been done", e.Host, e.Files)
}

// PlanTree plans for all paths of a tree, in order. Who has changed or deleted a
// file since the state wins over those who have not; among several changes, the
// newest does, and any over a deletion. Paths that are unknown to the state are
// elected as by [Plan]. The result depends on nothing but the arguments, and not
// on the order of hosts.
func PlanTree(peers []Snapshot, st State, r Rules) ([]Item, error) {
	names := make(map[string]bool)
	for p := range st {
		names[p] = true
	}
	for _, s := range peers {
		if s.Err != nil {
			continue
		}
		if err := present(s, st); err != nil {
			return nil, err
		}
		for p := range s.Copies {
			names[p] = true
		}
		names[top] = true
	}
	paths := slices.Sorted(maps.Keys(names))
	plan := make(map[string]*Item, len(paths))
	for _, p := range paths {
		plan[p] = planPath(p, peers, st, r)
	}
	fit(paths, plan, peers)
	out := make([]Item, len(paths))
	for i, p := range paths {
		out[i] = *plan[p]
	}
	return out, nil
}

// present makes sure that a host's tree has not vanished as a whole.
func present(s Snapshot, st State) error {
	if s.Top.Kind == Dir && len(s.Copies) > 0 {
		return nil
	}
	n := 0
	for p, a := range st {
		if c, known := a.base(s.Host); known && c.Present() && p != top {
			n++
		}
	}
	if n > 0 {
		return &GoneError{s.Host, n}
	}
	return nil
}

// at is a host's copy of a path. Nothing is known of what lies below a directory
// that could not be listed.
func (s Snapshot) at(p string) Copy {
	if c, ok := s.Copies[p]; ok {
		return c
	}
	if p == top {
		return s.Top
	}
	for dir := path.Dir(p); dir != "." && dir != "/"; dir = path.Dir(dir) {
		if c, ok := s.Copies[dir]; ok && c.Err != "" {
			return Copy{Err: "a directory above it cannot be read"}
		}
	}
	return Copy{}
}

// standing is where hosts stand with one path.
type standing struct {
	fresh   []vote   // changed what all had agreed on
	strange []vote   // have something that is unknown to the state
	holders []vote   // have what was agreed on
	gone    []string // have deleted it
}

func stand(p string, peers []Snapshot, a Agreed, item *Item) (s standing) {
	for _, h := range peers {
		c := h.at(p)
		v := vote{h.Host, h.Ahead, c}
		switch base, known := a.base(h.Host); {
		case h.Err != nil:
		case !c.known():
			item.Blind[h.Host] = c.Err
			if c.Err == "" {
				item.Blind[h.Host] = "neither a file, a directory nor a symbolic link"
			}
		case c.Content == a.Content:
			if c.Present() {
				s.holders = append(s.holders, v)
			}
		case a.Hosts[h.Host] && !c.Present():
			s.gone = append(s.gone, h.Host)
		case a.Hosts[h.Host]:
			s.fresh = append(s.fresh, v)
		case known && c.Content == base, !c.Present(): // has missed what came later
		default:
			s.strange = append(s.strange, v)
		}
	}
	slices.Sort(s.gone)
	return s
}

// planPath plans for a path by itself.
func planPath(p string, peers []Snapshot, st State, r Rules) *Item {
	a := st[p]
	if p == top {
		a = Agreed{Attrs: a.Attrs, Had: a.Had}
	}
	item := &Item{Path: p, Blind: make(map[string]string)}
	s := stand(p, peers, a, item)
	votes := slices.Concat(s.fresh, s.strange)
	if len(s.fresh) == 0 && (len(s.strange) > 0 || len(s.gone) == 0) {
		votes = append(votes, s.holders...)
	}
	// What was agreed on may be newer than strange copies, but nobody shows it.
	unheard := a.known() && a.Content.Present() && len(s.fresh)+len(s.gone)+len(s.holders) == 0
	switch {
	case unheard:
		item.held = true
		if len(votes) > 0 {
			item.Notes = append(item.Notes, "left alone: nobody who can be reached has the copy that all agreed on last time")
		}
	case len(votes) > 0:
		winner, c := elect(p, votes, r)
		if c != nil {
			item.Conflict, item.held = c, true
			return item
		}
		if len(s.gone) > 0 {
			item.Notes = append(item.Notes, "deleted on "+strings.Join(s.gone, ", ")+", but changed elsewhere: it stays")
		}
		item.award(winner, peers, a, r)
	case len(s.gone) > 0, a.known() && !a.Content.Present():
		item.remove(peers)
	default:
		item.held = true
	}
	return item
}

// known reports whether there is an agreement at all.
func (a Agreed) known() bool { return len(a.Hosts)+len(a.Stale) > 0 }

// remove has everybody lose it.
func (i *Item) remove(peers []Snapshot) {
	for _, s := range peers {
		if c := s.at(i.Path); s.Err == nil && c.known() && c.Present() {
			i.Delete = append(i.Delete, s.Host)
		}
	}
	slices.Sort(i.Delete)
}

// fit makes the plans for single paths fit together: a directory stays as long as
// anything in it does, and nothing happens below what is in conflict.
func fit(paths []string, plan map[string]*Item, peers []Snapshot) {
	for _, p := range slices.Backward(paths) { // what is in a directory comes before it
		item, dir := plan[p], plan[path.Dir(p)]
		if dir == nil || !item.stays(p, peers) || dir.Conflict != nil || dir.held || dir.Content.Kind == Dir {
			continue
		}
		dir.keep(peers)
	}
	for _, p := range paths {
		if dir := plan[path.Dir(p)]; dir != nil && dir.held && (dir.Conflict != nil || dir.above()) {
			*plan[p] = Item{Path: p, held: true, Blind: plan[p].Blind}
		}
	}
}

// above reports whether an item is held because of a conflict above it.
func (i *Item) above() bool { return i.held && !i.Content.Present() && i.Conflict == nil }

// stays reports whether anything is left under a name after the plan.
func (i *Item) stays(p string, peers []Snapshot) bool {
	if i.Conflict != nil || i.Content.Present() || len(i.Blind) > 0 {
		return true
	}
	return i.held && slices.ContainsFunc(peers, func(s Snapshot) bool { return s.Err == nil && s.at(p).Present() })
}

// keep has a directory stay that was to be deleted or replaced. Where it was to
// become something else, that is a conflict.
func (i *Item) keep(peers []Snapshot) {
	var dirs, others []Candidate
	for _, s := range peers {
		c := s.at(i.Path)
		switch {
		case s.Err != nil || !c.known() || !c.Present():
		case c.Kind == Dir:
			dirs = append(dirs, Candidate{s.Host, c})
		default:
			others = append(others, Candidate{s.Host, c})
		}
	}
	if i.Content.Present() || len(dirs) == 0 {
		all := append(others, dirs...)
		slices.SortFunc(all, func(a, b Candidate) int { return strings.Compare(a.Host, b.Host) })
		*i = Item{Path: i.Path, Blind: i.Blind, held: true,
			Conflict: &Conflict{Why: "it is no longer a directory everywhere, and what was in it has been changed", Candidates: all}}
		return
	}
	first := slices.MinFunc(dirs, func(a, b Candidate) int { return strings.Compare(a.Host, b.Host) })
	i.Content, i.Master, i.Delete = Content{Kind: Dir}, first.Host, nil
	i.Notes = append(i.Notes, "it is kept, for something in it was changed")
	for _, s := range peers {
		if c := s.at(i.Path); s.Err == nil && c.known() && !c.Present() {
			i.To = append(i.To, s.Host)
		}
	}
	slices.Sort(i.To)
	if len(i.To) == 0 {
		i.Master = ""
	}
}

// Update is the state after a run: done reports whether a host has what an item
// asks for.
func (st State) Update(items []Item, peers []Snapshot, done func(item Item, host string) bool) State {
	out := make(State, len(st))
	for _, item := range items {
		old := st[item.Path]
		if item.held {
			if old.known() {
				out[item.Path] = old
			}
			continue
		}
		next := Agreed{Content: item.Content, Hosts: make(map[string]bool), Stale: make(map[string]Content)}
		for h := range old.Hosts {
			next.miss(h, old.Content)
		}
		for h, c := range old.Stale {
			next.miss(h, c)
		}
		for _, s := range peers {
			c := s.at(item.Path)
			if s.Err != nil || !c.known() {
				continue
			}
			if target := item.target(s.Host); target && done(item, s.Host) || !target && c.Content == item.Content {
				delete(next.Stale, s.Host)
				next.Hosts[s.Host] = true
			}
		}
		next.remember(item, old, peers, done)
		if next.Content.Present() || len(next.Stale) > 0 {
			out[item.Path] = next
		}
	}
	return out
}

// miss notes what a host had that may not take part.
func (a Agreed) miss(host string, c Content) {
	switch {
	case c == a.Content:
		a.Hosts[host] = true
	case c.Present():
		a.Stale[host] = c
	}
}

// target reports whether anything is to be done on a host.
func (i Item) target(host string) bool {
	return slices.Contains(i.To, host) || slices.Contains(i.Mend, host) || slices.Contains(i.Delete, host)
}
