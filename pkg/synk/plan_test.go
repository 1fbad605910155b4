package synk

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var now = time.Unix(1_700_000_000, 0)

// rules are the usual ones.
func rules() Rules { return Rules{Now: now, MaxSkew: time.Minute} }

// text is a file's copy whose content is a word.
func text(word string, mtime float64) Copy {
	c := Copy{Mtime: TimeOf(time.Unix(0, int64(mtime*1e9))), Mode: 0o644, Owner: "me", Group: "us", Ctime: Time{Sec: 1}}
	c.Kind = File
	copy(c.Sum[:], word)
	return c
}

func host(name string, c Copy) Snapshot {
	return Snapshot{Host: name, Copies: map[string]Copy{"f": c}}
}

// summary is a plan in a line.
func (i Item) summary() string {
	if i.Conflict != nil {
		var who []string
		for _, c := range i.Conflict.Candidates {
			who = append(who, c.Host)
		}
		return "conflict of " + strings.Join(who, ",") + ": " + i.Conflict.Why
	}
	s := fmt.Sprintf("%s>%s", i.Master, strings.Join(i.To, ","))
	if len(i.Mend) > 0 {
		s += " mend " + strings.Join(i.Mend, ",")
	}
	if len(i.Delete) > 0 {
		s += " delete " + strings.Join(i.Delete, ",")
	}
	if len(i.Blind) > 0 {
		s += fmt.Sprintf(" blind %d", len(i.Blind))
	}
	return s
}

func TestPlan(t *testing.T) {
	with := func(s Snapshot, change func(*Snapshot, *Copy)) Snapshot {
		c := s.Copies["f"]
		change(&s, &c)
		s.Copies["f"] = c
		return s
	}
	ahead := func(d time.Duration) func(*Snapshot, *Copy) { return func(s *Snapshot, _ *Copy) { s.Ahead = d } }
	mode := func(m uint32, ctime int64) func(*Snapshot, *Copy) {
		return func(_ *Snapshot, c *Copy) { c.Mode, c.Ctime.Sec = m, ctime }
	}
	owner := func(name string, root bool) func(*Snapshot, *Copy) {
		return func(s *Snapshot, c *Copy) { c.Owner, s.Root = name, root; c.Ctime.Sec = int64(len(name)) * 100 }
	}
	link := func(target string, at float64) Copy {
		c := text("", at)
		c.Content = Content{Kind: Link, Target: target}
		return c
	}
	late := float64(now.Unix())
	for name, c := range map[string]struct {
		peers  []Snapshot
		prefer string
		want   string
	}{
		"in sync":              {[]Snapshot{host("a", text("x", 1)), host("b", text("x", 2))}, "", ">"},
		"nobody has it":        {[]Snapshot{host("a", Copy{}), host("b", Copy{})}, "", ">"},
		"newest":               {[]Snapshot{host("a", text("x", 1)), host("b", text("y", 2)), host("c", text("z", 3))}, "", "c>a,b"},
		"missing":              {[]Snapshot{host("a", Copy{}), host("b", text("y", 2))}, "", "b>a"},
		"this machine first":   {[]Snapshot{host("a", text("x", 2)), host(Localhost, text("x", 2)), host("c", Copy{})}, "", "localhost>c"},
		"tie":                  {[]Snapshot{host("b", text("x", 2)), host("a", text("y", 2)), host("c", text("z", 1))}, "", "conflict of a,b: equal times, different contents"},
		"tie, preferred":       {[]Snapshot{host("b", text("x", 2)), host("a", text("y", 2)), host("c", text("z", 1))}, "b", "b>a,c"},
		"tie, other preferred": {[]Snapshot{host("b", text("x", 2)), host("a", text("y", 2)), host("c", text("z", 1))}, "c", "conflict of a,b: equal times, different contents"},
		"preferred, no tie":    {[]Snapshot{host("b", text("x", 2)), host("a", text("y", 3))}, "b", "a>b"},
		"nanoseconds":          {[]Snapshot{host("a", text("x", 2.5)), host("b", text("y", 2.25))}, "", "a>b"},
		"whole seconds":        {[]Snapshot{host("a", text("x", 2.5)), host("b", text("y", 2))}, "", "conflict of a,b: equal times, different contents"},
		"future":               {[]Snapshot{host("a", text("x", late+3600)), host("b", text("y", 2))}, "", "conflict of a,b: the copy of a is dated 1h0m0s in the future"},
		"future, equal":        {[]Snapshot{host("a", text("x", late+3600)), host("b", text("x", 2))}, "", ">"},
		"future, preferred":    {[]Snapshot{host("a", text("x", late+3600)), host("b", text("y", 2))}, "b", "b>a"},
		"soon":                 {[]Snapshot{host("a", text("x", late+50)), host("b", text("y", 2))}, "", "a>b"},
		"slow clock":           {[]Snapshot{with(host("a", text("x", late)), ahead(-time.Hour)), host("b", text("y", 2))}, "", "conflict of a,b: the copy of a is dated 0s in the future"},
		"clocks differ":        {[]Snapshot{with(host("a", text("x", 2000)), ahead(time.Hour)), host("b", text("y", 1000))}, "", "conflict of a,b: the times differ by less than the clocks of b and a do (1h0m0s)"},
		"clocks differ enough": {[]Snapshot{with(host("a", text("x", 2000)), ahead(time.Minute)), host("b", text("y", 1000))}, "", "a>b"},
		"clocks differ a bit":  {[]Snapshot{with(host("a", text("x", 2.5)), ahead(time.Second/2)), host("b", text("y", 2.25))}, "", "a>b"},
		"unreachable":          {[]Snapshot{host("a", text("x", 1)), {Host: "b", Err: fmt.Errorf("gone")}, host("c", Copy{})}, "", "a>c"},
		"unreadable":           {[]Snapshot{host("a", text("x", 1)), host("b", Copy{Err: "no"}), host("c", Copy{})}, "", "a>c blind 1"},
		"device":               {[]Snapshot{host("a", text("x", 1)), host("b", Copy{Content: Content{Kind: Other}})}, "", "> blind 1"},
		"links":                {[]Snapshot{host("a", link("x", 1)), host("b", link("y", 2))}, "", "b>a"},
		"kinds":                {[]Snapshot{host("a", link("x", 1)), host("b", text("y", 2))}, "", "conflict of a,b: it is not everywhere of one kind"},
		"mode":                 {[]Snapshot{with(host("a", text("x", 1)), mode(0o600, 50)), with(host("b", text("x", 2)), mode(0o644, 20))}, "", "a> mend b"},
		"mode, who knows":      {[]Snapshot{with(host("a", text("x", 1)), mode(0o600, 50)), with(host("b", text("x", 2)), mode(0o644, 50))}, "", ">"},
		"mode, preferred":      {[]Snapshot{with(host("a", text("x", 1)), mode(0o600, 50)), with(host("b", text("x", 2)), mode(0o644, 50))}, "b", "b> mend a"},
		"owner":                {[]Snapshot{with(host("a", text("x", 1)), owner("root", true)), with(host("b", text("x", 1)), owner("z3bra", true))}, "", "b> mend a"},
		"owner, not root":      {[]Snapshot{with(host("a", text("x", 1)), owner("root", true)), with(host("b", text("x", 1)), owner("z3bra", false))}, "", ">"},
	} {
		r := rules()
		r.Prefer = c.prefer
		for range 4 {
			if got := Plan("f", c.peers, r).summary(); got != c.want {
				t.Errorf("%s: %s, want %s", name, got, c.want)
			}
			rand.Shuffle(len(c.peers), func(i, j int) { c.peers[i], c.peers[j] = c.peers[j], c.peers[i] })
		}
	}
}

// A path from the root on a host that told nothing of it.
func TestPlanAbsolute(t *testing.T) {
	peers := []Snapshot{{Host: "a", Copies: map[string]Copy{"/d/f": text("x", 1)}}, {Host: "b"}}
	if got := Plan("/d/f", peers, rules()).summary(); got != "a>b" {
		t.Error(got)
	}
}

// generate makes hosts with one file each, of few contents and few times, so
// that everything meets everything.
func generate(rnd *rand.Rand) []Snapshot {
	var peers []Snapshot
	for i := range 1 + rnd.IntN(5) {
		name := string(rune('a' + i))
		if i == 0 {
			name = Localhost
		}
		c := Copy{}
		switch rnd.IntN(12) {
		case 0:
			c.Err = "unreadable"
		case 1, 2:
		case 3:
			c = text("", float64(rnd.IntN(3)))
			c.Content = Content{Kind: Link, Target: "t"}
		default:
			at := float64(rnd.IntN(4)) + []float64{0, 0, 0.25, 0.5}[rnd.IntN(4)]
			if rnd.IntN(8) == 0 {
				at = float64(now.Unix()) + 1e6
			}
			c = text(string(rune('w'+rnd.IntN(4))), at)
			c.Mode, c.Ctime.Sec = []uint32{0o644, 0o600}[rnd.IntN(2)], int64(rnd.IntN(5))
		}
		s := host(name, c)
		s.Ahead = []time.Duration{0, 0, 0, time.Second, time.Minute, -2 * time.Second}[rnd.IntN(6)]
		if rnd.IntN(10) == 0 {
			s.Err = fmt.Errorf("gone")
		}
		peers = append(peers, s)
	}
	return peers
}

// carried is what hosts have after a plan was carried out.
func carried(peers []Snapshot, item Item) []Snapshot {
	var out []Snapshot
	var from Copy
	for _, p := range peers {
		if p.Host == item.Master {
			from = p.Copies["f"]
		}
	}
	for _, p := range peers {
		c := p.Copies["f"]
		if slices.Contains(item.To, p.Host) || slices.Contains(item.Mend, p.Host) {
			ctime := c.Ctime.Sec
			c = from
			c.Ctime.Sec = ctime + 1000
		}
		q := p
		q.Copies = map[string]Copy{"f": c}
		out = append(out, q)
	}
	return out
}

// Whatever there is: the order of hosts is nothing; a plan that was carried out
// leaves nothing to do; and a content of which no copy is left had only copies
// that were older than the winner, or stood against it in a conflict that the
// user has decided.
func TestPlanProperties(t *testing.T) {
	for seed := range uint64(8000) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		peers := generate(rnd)
		r := rules()
		if rnd.IntN(3) == 0 {
			r.Prefer = peers[rnd.IntN(len(peers))].Host
		}
		item := Plan("f", peers, r)
		shuffled := slices.Clone(peers)
		rnd.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if diff := cmp.Diff(item, Plan("f", shuffled, r), cmp.AllowUnexported(Item{})); diff != "" {
			t.Fatalf("seed %d: the order matters: %s", seed, diff)
		}
		after := carried(peers, item)
		again := Plan("f", after, r)
		if item.Conflict == nil && (again.Conflict != nil || len(again.To) > 0) {
			t.Fatalf("seed %d: %s, and then %s", seed, item.summary(), again.summary())
		}
		// A copy is a change of the inode: whose mode is right may only be clear now.
		after = carried(after, again)
		after = carried(after, Plan("f", after, r))
		if last := Plan("f", after, r); item.Conflict == nil && last.Changes() {
			t.Fatalf("seed %d: %s, then %s, then %s", seed, item.summary(), again.summary(), last.summary())
		}
		unlost(t, seed, peers, carried(peers, item), item, r)
		newestWins(t, seed, peers, item)
	}
}

// unlost fails the test if a content is lost that should not be.
func unlost(t *testing.T, seed uint64, before, after []Snapshot, item Item, r Rules) {
	t.Helper()
	left := make(map[Content]bool)
	for _, p := range after {
		left[p.Copies["f"].Content] = true
	}
	ahead := make(map[string]time.Duration)
	for _, p := range before {
		ahead[p.Host] = p.Ahead
	}
	undecided := r
	undecided.Prefer = ""
	decided := Plan("f", before, undecided).Conflict != nil
	for i, p := range before {
		c := p.Copies["f"]
		if (p.Err != nil || c.Err != "") && after[i].Copies["f"] != c {
			t.Fatalf("seed %d: %s was touched, and nobody knows what it had", seed, p.Host)
		}
		if !c.Present() || left[c.Content] {
			continue
		}
		var master Copy
		for _, q := range before {
			if q.Host == item.Master {
				master = q.Copies["f"]
			}
		}
		if !decided && !surely(c, p.Ahead, master, ahead[item.Master]) {
			t.Fatalf("seed %d: %s lost its copy of %v to one of %v: %s", seed, p.Host, c.Mtime, master.Mtime, item.summary())
		}
	}
}

// surely reports whether a is older than b by more than their clocks differ;
// what differs by less than a second may come from measuring.
func surely(a Copy, aheadA time.Duration, b Copy, aheadB time.Duration) bool {
	apart := b.Mtime.Std().Sub(a.Mtime.Std())
	skew := max(aheadA-aheadB, aheadB-aheadA)
	fine := a.Mtime.Nsec != 0 && b.Mtime.Nsec != 0 || a.Mtime.Sec != b.Mtime.Sec
	return apart > 0 && fine && (skew < time.Second || apart > skew)
}

// newestWins fails the test if there is no doubt, and the newest does not win.
func newestWins(t *testing.T, seed uint64, peers []Snapshot, item Item) {
	t.Helper()
	for _, p := range peers {
		c := p.Copies["f"]
		beats := func(q Snapshot) bool {
			d := q.Copies["f"]
			if d.Content == c.Content {
				return q.Host == p.Host || d.Mtime.total(c.Mtime) < 0
			}
			return q.Err != nil || !d.known() || !d.Present() || d.Kind == c.Kind && surely(d, q.Ahead, c, p.Ahead)
		}
		future := c.Mtime.Std().After(now)
		if p.Err == nil && c.known() && c.Present() && !future && !slices.ContainsFunc(peers, func(q Snapshot) bool { return !beats(q) }) && item.Content != c.Content {
			t.Fatalf("seed %d: %s is the newest beyond doubt: %s", seed, p.Host, item.summary())
		}
	}
}
