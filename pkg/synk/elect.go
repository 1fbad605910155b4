package synk

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Rules are what a user decides beforehand.
type Rules struct {
	Now time.Time
	// MaxSkew is how far in the future a file may be dated.
	MaxSkew time.Duration
	// Prefer is the host whose copy wins where there is a conflict, "" for none.
	Prefer string
	// Choices are the hosts that win conflicts, by path.
	Choices map[string]string
}

// Conflict is a choice that only the user can make.
type Conflict struct {
	Why        string
	Candidates []Candidate // ordered by host
}

// Candidate is a copy that may win a conflict.
type Candidate struct {
	Host string
	Copy Copy
}

// vote is a copy that stands for election.
type vote struct {
	host  string
	ahead time.Duration
	copy  Copy
}

// clockNoise is what measuring clocks through ssh may be wrong by.
const clockNoise = time.Second

// elect chooses among copies, at least one, all of them present. The order of
// votes does not matter.
func elect(path string, votes []vote, r Rules) (winner vote, c *Conflict) {
	newest := slices.MaxFunc(votes, order)
	if !differ(votes) {
		return newest, nil
	}
	why, rivals := doubts(votes, newest, r)
	if why == "" {
		return newest, nil
	}
	for _, v := range rivals {
		if choice := r.Choices[path]; v.host == choice || choice == "" && v.host == r.Prefer {
			return v, nil
		}
	}
	c = &Conflict{Why: why}
	for _, v := range rivals {
		c.Candidates = append(c.Candidates, Candidate{v.host, v.copy})
	}
	slices.SortFunc(c.Candidates, func(a, b Candidate) int { return strings.Compare(a.Host, b.Host) })
	return vote{}, c
}

// order puts the vote that is to be master last: the newest, this machine among
// equals, for its copies cost the least, then the first by name.
func order(a, b vote) int {
	local := func(v vote) int {
		if v.host == Localhost {
			return 1
		}
		return 0
	}
	return cmp.Or(a.copy.Mtime.total(b.copy.Mtime), cmp.Compare(local(a), local(b)), strings.Compare(b.host, a.host))
}

// differ reports whether there is more than one content.
func differ(votes []vote) bool {
	return slices.ContainsFunc(votes, func(v vote) bool { return v.copy.Content != votes[0].copy.Content })
}

// doubts says why the newest copy, by its time, may not be the one that was
// changed last, and among which copies that lies; "" if there is no doubt.
func doubts(votes []vote, newest vote, r Rules) (why string, rivals []vote) {
	if i := slices.IndexFunc(votes, func(v vote) bool { return v.copy.Kind != newest.copy.Kind }); i >= 0 {
		return "it is not everywhere of one kind", votes
	}
	latest := r.Now.Add(r.MaxSkew)
	if newest.ahead < 0 { // by its own clock it is earlier there
		latest = latest.Add(newest.ahead)
	}
	if newest.copy.Mtime.Std().After(latest) {
		return fmt.Sprintf("the copy of %s is dated %s in the future", newest.host, newest.copy.Mtime.Std().Sub(r.Now).Round(time.Second)), votes
	}
	for _, v := range votes {
		if !older(v, newest) {
			rivals = append(rivals, v)
		}
	}
	if !differ(rivals) {
		return "", nil
	}
	slices.SortFunc(rivals, func(a, b vote) int { return strings.Compare(a.host, b.host) })
	for _, v := range rivals {
		if v.copy.Mtime.Compare(newest.copy.Mtime) != 0 {
			return fmt.Sprintf("the times differ by less than the clocks of %s and %s do (%s)", v.host, newest.host, doubt(v, newest).Round(time.Second)), rivals
		}
	}
	return "equal times, different contents", rivals
}

// older reports whether v was surely changed before w, the clocks being what
// they are.
func older(v, w vote) bool {
	return v.copy.Mtime.Compare(w.copy.Mtime) < 0 && w.copy.Mtime.Std().Sub(v.copy.Mtime.Std()) > doubt(v, w)
}

// doubt is by how much two hosts' clocks differ, 0 where that may come from
// measuring.
func doubt(v, w vote) time.Duration {
	if d := (v.ahead - w.ahead).Abs(); d >= clockNoise {
		return d
	}
	return 0
}
