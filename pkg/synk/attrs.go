package synk

import (
	"fmt"
	"slices"
	"strings"
)

// Attrs are what rsync -a carries along with a content, besides times.
type Attrs struct {
	Mode uint32 // permission bits, 07777
	// Owner and Group are those of a host that may give files away, else "".
	Owner, Group string
}

// attrs are a host's of a path.
func (s Snapshot) attrs(p string) Attrs {
	c := s.at(p)
	if !s.Root {
		return Attrs{Mode: c.Mode}
	}
	return Attrs{c.Mode, c.Owner, c.Group}
}

// unlike reports whether rsync -a would find something to mend. Owners count
// where both are told: only root can set them.
func (a Attrs) unlike(b Attrs) bool {
	owners := a.Owner != "" && b.Owner != "" && (a.Owner != b.Owner || a.Group != b.Group)
	return a.Mode != b.Mode || owners
}

// mend looks for other modes and owners among equal contents, and returns whose
// the right ones are.
func (i *Item) mend(same []Snapshot, winner string, had Agreed, r Rules) string {
	best, rivals := i.right(same, had)
	if len(rivals) > 0 {
		if k := slices.IndexFunc(same, func(p Snapshot) bool { return p.Host == r.Prefer }); k >= 0 {
			best, rivals = same[k], nil
		}
	}
	var others []string
	for _, p := range same {
		if p.attrs(i.Path).unlike(best.attrs(i.Path)) {
			others = append(others, p.Host)
		}
	}
	slices.Sort(others)
	if len(others) > 0 {
		i.Notes = append(i.Notes, fmt.Sprintf("mode or owner differ from %s's: %s", best.Host, strings.Join(others, ", ")))
	}
	if len(rivals) > 0 {
		i.Notes = append(i.Notes, "not mended, for it is not clear who was changed last: say --prefer HOST")
		return winner
	}
	if len(others) > 0 && len(i.To) > 0 && best.Host != winner { // who has the newest time gives the content
		return winner
	}
	attrs := best.attrs(i.Path)
	i.attrs = &attrs
	if len(others) == 0 {
		return winner
	}
	i.Mend = others
	return best.Host
}

// right finds the host whose mode and owner are the right ones, and the rivals
// that stand against it if that is not clear. Who differs from what it had last
// time has been changed. Where that tells nothing, the time of the last change
// to the inode counts: rsync carries the times of contents along, so that they
// are equal. A directory's tells nothing, for it changes with what is in it.
func (i *Item) right(same []Snapshot, had Agreed) (best Snapshot, rivals []Snapshot) {
	var fresh, holders []Snapshot
	for _, p := range same {
		is := p.attrs(i.Path)
		if was, known := had.Had[p.Host]; known && is.unlike(was) {
			fresh = append(fresh, p)
		} else if had.Attrs != nil && !is.unlike(*had.Attrs) {
			holders = append(holders, p)
		}
	}
	voters := same
	switch {
	case len(fresh) > 0:
		voters = fresh
	case len(holders) > 0:
		voters = holders
	}
	best = slices.MaxFunc(voters, func(p, q Snapshot) int { return order(changed(p, i.Path), changed(q, i.Path)) })
	for _, p := range voters {
		if p.attrs(i.Path).unlike(best.attrs(i.Path)) && (i.Content.Kind == Dir || !older(changed(p, i.Path), changed(best, i.Path))) {
			rivals = append(rivals, p)
		}
	}
	return best, rivals
}

// changed is a vote on who was changed last in any way.
func changed(p Snapshot, path string) vote {
	c := p.at(path)
	c.Mtime = c.Ctime
	return vote{p.Host, p.Ahead, c}
}

// remember notes what hosts have of modes and owners after a run, where that was
// clear.
func (a *Agreed) remember(item Item, old Agreed, peers []Snapshot, done func(item Item, host string) bool) {
	a.Attrs, a.Had = old.Attrs, make(map[string]Attrs)
	if item.attrs != nil {
		a.Attrs = item.attrs
	}
	for h, was := range old.Had {
		a.Had[h] = was
	}
	var master *Attrs
	for _, s := range peers {
		if s.Err == nil && s.Host == item.Master {
			m := s.attrs(item.Path)
			master = &m
		}
	}
	for _, s := range peers {
		c := s.at(item.Path)
		if s.Err != nil || !c.known() {
			continue
		}
		switch target := slices.Contains(item.To, s.Host) || slices.Contains(item.Mend, s.Host); {
		case target && master != nil && done(item, s.Host):
			a.Had[s.Host] = master.as(s)
		case !target && item.attrs != nil && c.Content == item.Content:
			a.Had[s.Host] = s.attrs(item.Path)
		}
	}
}

// as is what a host makes of attributes that it gets.
func (a Attrs) as(s Snapshot) Attrs {
	if !s.Root {
		a.Owner, a.Group = "", ""
	}
	return a
}
