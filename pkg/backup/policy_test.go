package backup

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParsePolicy(t *testing.T) {
	for text, want := range map[string]Policy{
		"daily=7":                     {Daily: 7},
		"daily=7,weekly=4,monthly=12": {Daily: 7, Weekly: 4, Monthly: 12},
		" last=1, yearly=3":           {Last: 1, Yearly: 3},
		"hourly=24,daily=0":           {Hourly: 24},
	} {
		p, err := ParsePolicy(text)
		if err != nil || p != want {
			t.Errorf("%q: %+v, %v", text, p, err)
		}
		if again, err := ParsePolicy(p.String()); err != nil || again != p {
			t.Errorf("%q: %q is read as %+v, %v", text, p.String(), again, err)
		}
	}
	for text, want := range map[string]string{
		"": "daily=7", "daily": "form", "daily=": "form", "daily=x": "form", "daily=-1": "form", "daily=100001": "form",
		"nightly=7": "nightly", "daily=0": "keeps nothing", "daily=1,daily=2": "twice", "daily=1,": "form",
	} {
		if _, err := ParsePolicy(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestNames(t *testing.T) {
	for text, want := range map[string]bool{
		"2026-11-22T030000Z": true, "2026-11-22T030000Z.partial": true, "2026-11-22T03:00:00Z": false, "2026-11-22T030000": false,
		"2026-13-22T030000Z": false, "2026-11-22T030000Z.partial.partial": false, "latest": false, ".unfinished-2026-11-22T030000Z": false,
		"2026-11-22T030000.5Z": false, "": false,
	} {
		if s, ok := parseName(text); ok != want || ok && s.Name != text {
			t.Errorf("%q: %+v, %v", text, s, ok)
		}
	}
}

// nights are snapshots at these local times.
func nights(t *testing.T, zone *time.Location, stamps ...string) []Snapshot {
	t.Helper()
	var list []Snapshot
	for _, stamp := range stamps {
		text, isPartial := strings.CutSuffix(stamp, "?")
		at, err := time.ParseInLocation("2006-01-02 15:04", text, zone)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, Snapshot{Name: name(at, isPartial), Time: at.UTC(), Partial: isPartial})
	}
	return list
}

func TestPlan(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		policy Policy
		have   []string
		want   []string // newest first
	}{
		{"nothing there", Policy{Daily: 1}, nil, nil},
		{"no policy", Policy{}, []string{"2026-11-01 03:00", "2026-11-02 03:00?"}, []string{"+all are kept without --keep", "+all are kept without --keep"}},
		{"one a day", Policy{Daily: 2}, []string{"2026-11-20 03:00", "2026-11-21 03:00", "2026-11-21 15:00", "2026-11-22 03:00"},
			[]string{"+daily 1 of 2", "+daily 2 of 2", "-not among daily=2", "-not among daily=2"}},
		{"days without a snapshot do not count", Policy{Daily: 2}, []string{"2020-01-01 03:00", "2026-11-22 03:00"}, []string{"+daily 1 of 2", "+daily 2 of 2"}},
		{"the day is the local one", Policy{Daily: 5}, []string{"2026-11-21 00:30", "2026-11-21 23:30"}, []string{"+daily 1 of 5", "-not among daily=5"}},
		{"summer time ends", Policy{Hourly: 9}, []string{"2026-10-25 01:30", "2026-10-25 02:30", "2026-10-25 03:30"}, []string{"+hourly 1 of 9", "+hourly 2 of 9", "+hourly 3 of 9"}},
		{"several reasons", Policy{Last: 1, Daily: 1, Weekly: 2}, []string{"2026-11-15 03:00", "2026-11-16 03:00", "2026-11-22 03:00"},
			[]string{"+last 1 of 1, daily 1 of 1, weekly 1 of 2", "-not among last=1,daily=1,weekly=2", "+weekly 2 of 2"}},
		{"weeks go over the year", Policy{Weekly: 9}, []string{"2025-12-29 03:00", "2026-01-01 03:00"}, []string{"+weekly 1 of 9", "-not among weekly=9"}},
		{"of the future", Policy{Daily: 1}, []string{"2026-11-20 03:00", "2026-11-21 03:00", "2099-01-01 03:00"},
			[]string{"+dated in the future: was a clock wrong?", "+daily 1 of 1", "-not among daily=1"}},
		{"partial ones", Policy{Last: 1}, []string{"2026-11-19 03:00?", "2026-11-20 03:00", "2026-11-21 03:00?", "2026-11-22 03:00?"},
			[]string{"+partial, and no good one came after it", "+partial, and no good one came after it", "+last 1 of 1", "-partial, and a good one came after it"}},
		{"only partial ones", Policy{Last: 1}, []string{"2026-11-21 03:00?"}, []string{"+partial, and no good one came after it"}},
	}
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, zone)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			have := nights(t, zone, tt.have...)
			before := slices.Clone(have)
			var got []string
			for _, d := range MakePlan(have, tt.policy, now) {
				got = append(got, map[bool]string{true: "+", false: "-"}[d.Keep]+d.Reason)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(before, have); diff != "" {
				t.Errorf("the snapshots handed in were changed:\n%s", diff)
			}
		})
	}
}

// TestPlanHolds: whatever is there and whatever the policy, the newest good one
// stays, so does all of the future, each has a reason, a second look deletes no
// more, no more good ones stay than were asked for, and order does not matter.
func TestPlanHolds(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for range 3000 {
		var have []Snapshot
		for range rnd.IntN(40) {
			at := now.Add(time.Duration(rnd.IntN(24*400)-24*390) * time.Hour / time.Duration(1+rnd.IntN(50))).Truncate(time.Second)
			s := Snapshot{Time: at, Partial: rnd.IntN(5) == 0}
			if s.Name = name(at, s.Partial); !slices.ContainsFunc(have, func(o Snapshot) bool { return o.Time.Equal(at) }) {
				have = append(have, s)
			}
		}
		p := Policy{rnd.IntN(3), rnd.IntN(3), rnd.IntN(8), rnd.IntN(5), rnd.IntN(5), rnd.IntN(3)}
		plan := MakePlan(have, p, now)
		if why := broken(have, plan, p, now); why != "" {
			t.Fatalf("%s\npolicy %s\n%v", why, p, plan)
		}
		var kept []Snapshot
		for _, d := range plan {
			if d.Keep {
				kept = append(kept, d.Snapshot)
			}
		}
		rnd.Shuffle(len(kept), func(i, j int) { kept[i], kept[j] = kept[j], kept[i] })
		for _, d := range MakePlan(kept, p, now) {
			if !d.Keep {
				t.Fatalf("a second look deletes %s\npolicy %s\n%v", d.Name, p, plan)
			}
		}
	}
}

func broken(have []Snapshot, plan []Decision, p Policy, now time.Time) string {
	if len(plan) != len(have) {
		return fmt.Sprintf("%d decisions on %d snapshots", len(plan), len(have))
	}
	good, most := 0, max(1, p.Last+p.Hourly+p.Daily+p.Weekly+p.Monthly+p.Yearly)
	newest := true
	for i, d := range plan {
		future := d.Time.After(now)
		switch {
		case i > 0 && d.Time.After(plan[i-1].Time):
			return "not newest first"
		case d.Reason == "":
			return "no reason for " + d.Name
		case future && !d.Keep:
			return "the future is deleted: " + d.Name
		case p == (Policy{}) && !d.Keep:
			return "deleted without a policy: " + d.Name
		case newest && !d.Keep:
			return "the newest good one, or one after it, goes: " + d.Name
		}
		if !future && !d.Partial {
			newest = false
			if d.Keep {
				good++
			}
		}
	}
	if good > most && p != (Policy{}) {
		return fmt.Sprintf("%d good ones stay, at most %d were asked for", good, most)
	}
	return ""
}
