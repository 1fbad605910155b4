package synk

import (
	"fmt"
	"slices"
	"strings"
)

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
	item.award(winner, peers, r)
	return item
}

// award gives everybody the winner's content.
func (i *Item) award(winner vote, peers []Snapshot, r Rules) {
	i.Content = winner.copy.Content
	var same []Snapshot
	for _, p := range peers {
		c := p.Copies[i.Path]
		switch {
		case p.Err != nil || !c.known():
		case c.Content == i.Content:
			same = append(same, p)
		default:
			i.To = append(i.To, p.Host)
		}
	}
	slices.Sort(i.To)
	i.Master = i.mend(same, winner.host, r)
	if !i.Changes() {
		i.Master = ""
	}
}

// mend looks for other modes and owners among equal contents, and returns whose
// the right ones are. The time that counts is that of the last change to the
// inode: rsync carries the times of contents along, so that they are equal.
func (i *Item) mend(same []Snapshot, winner string, r Rules) string {
	if i.Content.Kind != File {
		return winner
	}
	latest := func(p, q Snapshot) int { return order(changed(p, i.Path), changed(q, i.Path)) }
	best := slices.MaxFunc(same, latest)
	for _, p := range same {
		if p.Host == r.Prefer {
			best = p
		}
	}
	var others, doubtful []string
	for _, p := range same {
		if !unlike(p, best, i.Path) {
			continue
		}
		others = append(others, p.Host)
		if best.Host != r.Prefer && !older(changed(p, i.Path), changed(best, i.Path)) {
			doubtful = append(doubtful, p.Host)
		}
	}
	if len(others) == 0 {
		return winner
	}
	slices.Sort(others)
	i.Notes = append(i.Notes, fmt.Sprintf("mode or owner differ from %s's: %s", best.Host, strings.Join(others, ", ")))
	if len(doubtful) > 0 {
		slices.Sort(doubtful)
		i.Notes = append(i.Notes, "not mended, for it is not clear who was changed last: say --prefer HOST")
		return winner
	}
	if len(i.To) > 0 && best.Host != winner { // who has the newest time gives the content
		return winner
	}
	i.Mend = others
	return best.Host
}

// changed is a vote on who was changed last in any way.
func changed(p Snapshot, path string) vote {
	c := p.Copies[path]
	c.Mtime = c.Ctime
	return vote{p.Host, p.Ahead, c}
}

// unlike reports whether rsync -a would find something to mend on p, whose
// content is right. Owners can be set by root alone.
func unlike(p, master Snapshot, path string) bool {
	a, b := p.Copies[path], master.Copies[path]
	owners := p.Root && master.Root && (a.Owner != b.Owner || a.Group != b.Group)
	return a.Mode != b.Mode || owners
}
