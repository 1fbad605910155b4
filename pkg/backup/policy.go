package backup

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Policy says how many snapshots are kept of each kind; 0 is none. The zero
// Policy keeps all.
type Policy struct {
	Last, Hourly, Daily, Weekly, Monthly, Yearly int
}

// maxKeep bounds a number of a Policy.
const maxKeep = 100_000

// span is a kind of period: of those in which there are snapshots, the newest
// ones each keep their last.
type span struct {
	name string
	n    *int
	of   func(t time.Time) string // equal for times in the same period
}

func (p *Policy) spans() []span {
	layout := func(l string) func(time.Time) string {
		return func(t time.Time) string { return t.Format(l) }
	}
	return []span{
		{"last", &p.Last, func(t time.Time) string { return t.Format(time.RFC3339Nano) }},
		{"hourly", &p.Hourly, layout("2006-01-02T15 -0700")},
		{"daily", &p.Daily, layout("2006-01-02")},
		{"weekly", &p.Weekly, func(t time.Time) string {
			year, week := t.ISOWeek()
			return fmt.Sprint(year, " ", week)
		}},
		{"monthly", &p.Monthly, layout("2006-01")},
		{"yearly", &p.Yearly, layout("2006")},
	}
}

// ParsePolicy reads what --keep takes, such as "daily=7,weekly=4,monthly=12". The
// words are last, hourly, daily, weekly, monthly and yearly. A policy that keeps
// nothing is an error.
func ParsePolicy(text string) (Policy, error) {
	var p Policy
	seen := map[string]bool{}
	for part := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 || n > maxKeep {
			return p, fmt.Errorf("--keep: %q is not of the form daily=7", part)
		}
		known := false
		for _, s := range p.spans() {
			if s.name == name {
				*s.n, known = n, true
			}
		}
		switch {
		case !known:
			return p, fmt.Errorf("--keep: %q is none of last, hourly, daily, weekly, monthly and yearly", name)
		case seen[name]:
			return p, fmt.Errorf("--keep: %s is there twice", name)
		}
		seen[name] = true
	}
	if p == (Policy{}) {
		return p, errors.New("--keep: a policy that keeps nothing; leave it out to keep all")
	}
	return p, nil
}

// String writes the policy as [ParsePolicy] reads it.
func (p Policy) String() string {
	var parts []string
	for _, s := range p.spans() {
		if *s.n > 0 {
			parts = append(parts, fmt.Sprintf("%s=%d", s.name, *s.n))
		}
	}
	return strings.Join(parts, ",")
}

// Decision is what becomes of one snapshot, and why.
type Decision struct {
	Snapshot
	Keep   bool
	Reason string
}

// MakePlan decides for each snapshot, newest first, whether the policy keeps it.
// snapshots may be in any order. A period is one of the calendar in now's zone,
// and of each kind those that have snapshots count. The newest good snapshot is
// always kept, and so is what is dated after now: a clock was wrong then, or is.
// A partial one is kept until there is a good one after it. It is pure.
func MakePlan(snapshots []Snapshot, p Policy, now time.Time) []Decision {
	plan := make([]Decision, len(snapshots))
	for i, s := range sorted(snapshots) {
		plan[i].Snapshot = s
	}
	reasons := p.reasons(plan, now)
	newest := true // until a good one that is not of the future has been seen
	for i := range plan {
		d := &plan[i]
		switch {
		case d.Time.After(now):
			d.Keep, d.Reason = true, "dated in the future: was a clock wrong?"
		case p == (Policy{}):
			d.Keep, d.Reason = true, "all are kept without --keep"
		case d.Partial:
			d.Keep, d.Reason = newest, "partial, and no good one came after it"
			if !newest {
				d.Reason = "partial, and a good one came after it"
			}
		case len(reasons[i]) > 0:
			d.Keep, d.Reason = true, strings.Join(reasons[i], ", ")
		case newest:
			d.Keep, d.Reason = true, "the newest good one"
		default:
			d.Reason = "not among " + p.String()
		}
		newest = newest && (d.Partial || d.Time.After(now))
	}
	return plan
}

// reasons tells for each snapshot of a plan, newest first, for which periods it
// counts.
func (p Policy) reasons(plan []Decision, now time.Time) [][]string {
	out := make([][]string, len(plan))
	for _, s := range p.spans() {
		count, last := 0, ""
		for i, d := range plan {
			if count == *s.n {
				break
			}
			if d.Partial || d.Time.After(now) {
				continue
			}
			if period := s.of(d.Time.In(now.Location())); period != last {
				count, last = count+1, period
				out[i] = append(out[i], fmt.Sprintf("%s %d of %d", s.name, count, *s.n))
			}
		}
	}
	return out
}
