package synk

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// machine is a host of a generated history: its files, and whether it is on.
type machine struct {
	name  string
	files map[string]Copy
	off   bool
}

// history is what users do on several machines, and what synk makes of it. Every
// content is written once, so that its fate can be told.
type history struct {
	t        *testing.T
	seed     uint64
	rnd      *rand.Rand
	machines []*machine
	state    State
	clock    int64
	// before are the contents that a content was made from; deleted those that
	// a user has deleted, with what they were made from.
	before  map[Content][]Content
	deleted map[string]map[Content]*machine
	times   map[Content]Time
	log     []string
	prefer  string
}

func newHistory(t *testing.T, seed uint64) *history {
	h := &history{
		t: t, seed: seed, rnd: rand.New(rand.NewPCG(seed, 2)), state: State{}, before: make(map[Content][]Content),
		deleted: make(map[string]map[Content]*machine), times: make(map[Content]Time),
	}
	for i := range 2 + h.rnd.IntN(3) {
		name := []string{Localhost, "a", "b", "c"}[i]
		h.machines = append(h.machines, &machine{name: name, files: map[string]Copy{"rock": text("rock", 1)}})
	}
	return h
}

// act is something that a user does.
func (h *history) act() {
	m := h.machines[h.rnd.IntN(len(h.machines))]
	p := []string{"f", "d/f", "d/g", "d/e/f", "d"}[h.rnd.IntN(5)]
	h.clock++
	if _, ok := m.files[p]; ok && h.rnd.IntN(4) == 0 {
		h.chmod(m, p, []uint32{0o600, 0o640, 0o700}[h.rnd.IntN(3)])
		return
	}
	if h.rnd.IntN(3) == 0 {
		h.log = append(h.log, fmt.Sprintf("%s deletes %s", m.name, p))
		h.delete(m, p)
		return
	}
	for i := range p {
		if p[i] != '/' {
			continue
		}
		dir := p[:i]
		if c, ok := m.files[dir]; ok && c.Kind != Dir {
			h.delete(m, dir)
		}
		if _, ok := m.files[dir]; !ok {
			m.files[dir] = Copy{Content: Content{Kind: Dir}, Mtime: Time{Sec: h.clock}}
		}
	}
	if m.files[p].Kind == Dir {
		h.delete(m, p)
	}
	c := text(fmt.Sprintf("%d", h.clock), float64(h.clock))
	if h.rnd.IntN(6) == 0 { // a copy with an old time
		c.Mtime.Sec = h.clock / 2
	}
	if old, ok := m.files[p]; ok && old.Kind == File {
		h.before[c.Content] = append(slices.Clone(h.before[old.Content]), old.Content)
	}
	h.times[c.Content] = c.Mtime
	m.files[p] = c
	h.log = append(h.log, fmt.Sprintf("%s writes %d to %s", m.name, h.clock, p))
}

// chmod changes a mode, and with it the time of the inode.
func (h *history) chmod(m *machine, p string, mode uint32) {
	c := m.files[p]
	c.Mode, c.Ctime.Sec = mode, h.clock
	m.files[p] = c
	h.log = append(h.log, fmt.Sprintf("%s makes %s %o", m.name, p, mode))
}

func (h *history) delete(m *machine, p string) {
	for q, c := range m.files {
		if q != p && !strings.HasPrefix(q, p+"/") {
			continue
		}
		if h.deleted[q] == nil {
			h.deleted[q] = make(map[Content]*machine)
		}
		for _, old := range append(slices.Clone(h.before[c.Content]), c.Content) {
			h.deleted[q][old] = m
		}
		delete(m.files, q)
	}
}

func (h *history) snapshots() []Snapshot {
	var out []Snapshot
	for _, m := range h.machines {
		s := Snapshot{Host: m.name, Top: Copy{Content: Content{Kind: Dir}}, Copies: make(map[string]Copy)}
		if m.off {
			s = Snapshot{Host: m.name, Err: errors.New("off")}
		} else {
			for p, c := range m.files {
				s.Copies[p] = c
			}
		}
		out = append(out, s)
	}
	return out
}

// sync plans and carries out, perhaps not all of it, and remembers.
func (h *history) sync(flaky bool) (items []Item) {
	h.t.Helper()
	snaps := h.snapshots()
	r := rules()
	r.Prefer = h.prefer
	items, err := PlanTree(snaps, h.state, r)
	if err != nil {
		h.fail("%v", err)
	}
	shuffled := slices.Clone(snaps)
	h.rnd.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	again, _ := PlanTree(shuffled, h.state, r)
	if diff := cmp.Diff(items, again, cmp.AllowUnexported(Item{})); diff != "" {
		h.fail("the order of hosts matters: %s", diff)
	}
	for _, item := range items {
		h.log = append(h.log, "plan "+item.Path+" "+item.summary())
		h.justified(item)
	}
	failed := make(map[string]bool)
	broken := func(host, p string) bool {
		if flaky && h.rnd.IntN(4) == 0 {
			failed[host+":"+p] = true
			h.log = append(h.log, "fails "+host+":"+p)
		}
		return failed[host+":"+p]
	}
	for _, item := range slices.Backward(items) {
		for _, m := range h.machines {
			if slices.Contains(item.Delete, m.name) && !broken(m.name, item.Path) {
				if h.inside(m, item.Path) { // rmdir refuses
					failed[m.name+":"+item.Path] = true
				} else {
					delete(m.files, item.Path)
				}
			}
		}
	}
	h.copy(items, snaps, failed, broken)
	h.state = h.state.Update(items, snaps, func(item Item, host string) bool { return !failed[host+":"+item.Path] })
	h.store()
	return items
}

func (h *history) inside(m *machine, p string) bool {
	for q := range m.files {
		if strings.HasPrefix(q, p+"/") {
			return true
		}
	}
	return false
}

func (h *history) copy(items []Item, snaps []Snapshot, failed map[string]bool, broken func(host, p string) bool) {
	for _, item := range items {
		var from Copy
		for _, s := range snaps {
			if s.Host == item.Master {
				from = s.Copies[item.Path]
			}
		}
		for _, m := range h.machines {
			if !slices.Contains(item.To, m.name) && !slices.Contains(item.Mend, m.name) {
				continue
			}
			up, inDir := m.files[path.Dir(item.Path)]
			if broken(m.name, item.Path) || path.Dir(item.Path) != "." && (!inDir || up.Kind != Dir) || from.Kind != Dir && h.inside(m, item.Path) {
				failed[m.name+":"+item.Path] = true
				continue
			}
			if from.Content != item.Content {
				h.fail("%s: the master %s does not have what is to be copied", item.Path, item.Master)
			}
			h.clock++
			from.Ctime.Sec = h.clock
			m.files[item.Path] = from
		}
	}
}

// justified fails the test if the plan throws away what was not chosen to go.
func (h *history) justified(item Item) {
	winners := make(map[Content]bool)
	for _, c := range h.before[item.Content] {
		winners[c] = true
	}
	by := h.deleted[item.Path][item.Content]
	if item.Content.Kind == File && len(item.To) > 0 && by != nil && !by.off {
		h.fail("%s, which somebody has deleted, comes back: %s", item.Path, item.summary())
	}
	for _, m := range h.machines {
		c := m.files[item.Path]
		if !slices.Contains(item.To, m.name) && !slices.Contains(item.Delete, m.name) || c.Kind != File {
			continue
		}
		if item.Content.Kind == File && slices.Contains(h.before[c.Content], item.Content) {
			h.fail("%s would lose what was made from the copy that wins: %s", m.name, item.summary())
		}
		superseded := item.Content.Present() && (winners[c.Content] || h.times[c.Content].Compare(h.times[item.Content]) < 0)
		if !superseded && h.deleted[item.Path][c.Content] == nil {
			h.fail("%s would lose %s, which nobody has chosen against: %s", m.name, item.Path, item.summary())
		}
		if item.Content.Kind == File { // who deletes the winner means the beaten, too
			h.before[item.Content] = append(append(h.before[item.Content], h.before[c.Content]...), c.Content)
		}
	}
}

// store writes the state and reads it back, as the next run does.
func (h *history) store() {
	var b bytes.Buffer
	if err := h.state.Write(&b, "/tree"); err != nil {
		h.fail("%v", err)
	}
	st, err := ReadState(&b, "/tree")
	if err != nil {
		h.fail("%v", err)
	}
	if diff := cmp.Diff(h.state, st); diff != "" {
		h.fail("the state has changed on its way: %s", diff)
	}
	h.state = st
}

func (h *history) fail(format string, args ...any) {
	h.t.Helper()
	h.t.Fatalf("seed %d:\n%s\n%s", h.seed, strings.Join(h.log, "\n"), fmt.Sprintf(format, args...))
}

// Whatever users do on whichever machines, some of them off now and then, some
// copies failing: no plan loses what nobody has chosen against, and once all are
// on and nothing fails, they become alike but for conflicts, and stay so.
func TestTreeHistories(t *testing.T) {
	for seed := range uint64(300) {
		h := newHistory(t, seed)
		for range 2 + h.rnd.IntN(6) {
			for range h.rnd.IntN(4) {
				h.act()
			}
			for _, m := range h.machines {
				m.off = h.rnd.IntN(5) == 0
			}
			h.sync(h.rnd.IntN(2) == 0)
		}
		for _, m := range h.machines {
			m.off = false
		}
		h.log = append(h.log, "all are on")
		var items []Item
		for range 3 {
			items = h.sync(false)
		}
		conflict := slices.ContainsFunc(items, func(i Item) bool { return i.Conflict != nil })
		for _, item := range items {
			if item.Changes() {
				h.fail("no end: %s %s", item.Path, item.summary())
			}
		}
		for _, m := range h.machines[1:] {
			if diff := cmp.Diff(contents(h.machines[0]), contents(m)); diff != "" && !conflict {
				h.fail("%s and %s are not alike: %s", h.machines[0].name, m.name, diff)
			}
			for _, item := range items { // where nothing is told, modes are alike as well
				a, b := h.machines[0].files[item.Path], m.files[item.Path]
				if item.Conflict == nil && !item.held && len(item.Notes) == 0 && a.Mode != b.Mode {
					h.fail("%s: mode %o on %s, %o on %s", item.Path, a.Mode, h.machines[0].name, b.Mode, m.name)
				}
			}
		}
	}
}

func contents(m *machine) map[string]Content {
	out := make(map[string]Content)
	for p, c := range m.files {
		out[p] = c.Content
	}
	return out
}
