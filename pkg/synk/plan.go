package synk

import "slices"

// Item is what is to happen with one path.
type Item struct {
	Path string
	// Content is what all are to have; Absent: the file is to go.
	Content Content
	// Master is the host that the content comes from, "" if nothing is copied.
	Master string
	// To are the hosts that get the content; Mend those that have it, with
	// another mode or owner; Delete those that lose the file. Ordered by host.
	To, Mend, Delete []string
	// Conflict, if not nil: nothing happens.
	Conflict *Conflict
	// Blind are hosts whose copy cannot be told, with the reason.
	Blind map[string]string
	// Notes are what the user should know besides.
	Notes []string
	// held: nothing happens since a directory above is in conflict.
	held bool
	// attrs are what all are to have, nil if that is not clear.
	attrs *Attrs
}

// Changes reports whether anything is to be done.
func (i Item) Changes() bool { return len(i.To)+len(i.Mend)+len(i.Delete) > 0 }

// Plan plans for one path without a history: the newest copy wins, and a host
// that lacks the file gets it. Snapshots with an error take no part. The result
// depends on nothing but the arguments, and not on the order of hosts.
func Plan(path string, peers []Snapshot, r Rules) Item {
	item := Item{Path: path, Blind: make(map[string]string)}
	var votes []vote
	for _, p := range peers {
		if p.Err != nil {
			continue
		}
		switch c := p.Copies[path]; {
		case c.Err != "":
			item.Blind[p.Host] = c.Err
		case c.Kind == Other:
			item.Blind[p.Host] = "neither a file, a directory nor a symbolic link"
		case c.Present():
			votes = append(votes, vote{p.Host, p.Ahead, c})
		}
	}
	if len(votes) == 0 {
		return item
	}
	winner, c := elect(path, votes, r)
	if c != nil {
		item.Conflict = c
		return item
	}
	item.award(winner, peers, Agreed{}, r)
	return item
}

// award gives everybody the winner's content. What was agreed on tells whose mode
// and owner are right.
func (i *Item) award(winner vote, peers []Snapshot, had Agreed, r Rules) {
	i.Content = winner.copy.Content
	var same []Snapshot
	for _, p := range peers {
		c := p.at(i.Path)
		switch {
		case p.Err != nil || !c.known():
		case c.Content == i.Content:
			same = append(same, p)
		default:
			i.To = append(i.To, p.Host)
		}
	}
	slices.Sort(i.To)
	i.Master = i.mend(same, winner.host, had, r)
	if !i.Changes() {
		i.Master = ""
	}
}
