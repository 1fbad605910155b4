package synk

import (
	"errors"
	"testing"
)

// A directory's mode is that of whoever has changed it, also if others have
// changed what is in it since, or were off; two changes are told, and mended when
// somebody is preferred; who comes later gets what is agreed on.
func TestTreeModes(t *testing.T) {
	h := newHistory(t, 3)
	h.machines = h.machines[:2]
	h.machines = append(h.machines, &machine{name: "late", files: map[string]Copy{"rock": text("rock", 1)}})
	for _, m := range h.machines {
		m.files["d"] = Copy{Content: Content{Kind: Dir}, Mode: 0o755}
	}
	sync := func(prefer string, want ...uint32) {
		t.Helper()
		h.prefer = prefer
		h.sync(false)
		for i, mode := range want {
			if got := h.machines[i].files["d"].Mode; got != mode {
				h.fail("%s has %o, want %o", h.machines[i].name, got, mode)
			}
		}
	}
	touch := func(i int) {
		c := h.machines[i].files["d"]
		h.clock += 10
		c.Ctime.Sec, c.Mtime.Sec = h.clock, h.clock
		h.machines[i].files["d"] = c
	}
	sync("", 0o755, 0o755, 0o755)
	h.machines[2].off = true
	h.chmod(h.machines[1], "d", 0o700)
	touch(0)
	sync("", 0o700, 0o700, 0o755)
	h.machines[2].off = false
	touch(2)
	sync("", 0o700, 0o700, 0o700)
	h.chmod(h.machines[0], "d", 0o750)
	h.chmod(h.machines[1], "d", 0o711)
	sync("", 0o750, 0o711, 0o700)
	sync("a", 0o711, 0o711, 0o711)
	h.machines = append(h.machines, &machine{name: "new", files: map[string]Copy{"d": {Content: Content{Kind: Dir}, Mode: 0o777}}})
	sync("", 0o711, 0o711, 0o711, 0o711)
}

// The directory of a new peer gets its mode; where it is gone it is not deleted
// elsewhere.
func TestTreeTop(t *testing.T) {
	dir := Copy{Content: Content{Kind: Dir}, Mode: 0o700}
	peers := []Snapshot{{Host: "a", Top: dir}, {Host: "b"}}
	items, err := PlanTree(peers, State{}, rules())
	if err != nil || len(items) != 1 || items[0].summary() != "a>b" {
		t.Fatalf("%+v: %v", items, err)
	}
	st := State{}.Update(items, peers, func(Item, string) bool { return true })
	items, err = PlanTree(peers, st, rules())
	if err != nil || len(items) != 1 || items[0].summary() != "a>b" {
		t.Fatalf("%+v: %v", items, err)
	}
	peers[1].Top = dir
	peers[0].Top.Mode = 0o711
	items, _ = PlanTree(peers, st, rules())
	if items[0].summary() != "a> mend b" {
		t.Errorf("%s", items[0].summary())
	}
}

// A deletion stays one, also for a machine that was off; a change beats it.
func TestTreeDeletion(t *testing.T) {
	h := newHistory(t, 1)
	h.machines = h.machines[:2]
	h.machines = append(h.machines, &machine{name: "late", files: map[string]Copy{"rock": text("rock", 1)}})
	for _, m := range h.machines {
		m.files["f"], m.files["g"] = text("f", 5), text("g", 5)
	}
	h.times[text("f", 5).Content] = Time{Sec: 5}
	h.sync(false)
	h.machines[2].off = true
	h.delete(h.machines[0], "f")
	h.delete(h.machines[0], "g")
	h.machines[1].files["g"] = text("new", 4)
	h.times[text("new", 4).Content] = Time{Sec: 9}
	h.sync(false)
	h.machines[2].off = false
	h.sync(false)
	for _, m := range h.machines {
		if _, ok := m.files["f"]; ok || m.files["g"].Content != text("new", 4).Content {
			h.fail("%s has %v", m.name, m.files)
		}
	}
}

func TestTreeGone(t *testing.T) {
	h := newHistory(t, 1)
	h.sync(false)
	snaps := h.snapshots()
	for _, top := range []Copy{{}, {Content: Content{Kind: Dir}}} {
		snaps[1].Top, snaps[1].Copies = top, nil
		_, err := PlanTree(snaps, h.state, rules())
		var gone *GoneError
		if !errors.As(err, &gone) || gone.Host != snaps[1].Host || gone.Files != 1 {
			t.Errorf("a tree that is gone: %v", err)
		}
	}
	if _, err := PlanTree(snaps, State{}, rules()); err != nil {
		t.Errorf("a new peer: %v", err)
	}
}

// What cannot be read is neither deleted nor taken for deleted.
func TestTreeUnreadable(t *testing.T) {
	h := newHistory(t, 1)
	h.machines = h.machines[:2]
	for _, m := range h.machines {
		m.files["d"] = Copy{Content: Content{Kind: Dir}}
		m.files["d/f"] = text("f", 5)
	}
	h.sync(false)
	snaps := h.snapshots()
	snaps[1].Copies = map[string]Copy{"rock": text("rock", 1), "d": {Content: Content{Kind: Dir}, Err: "no"}}
	items, err := PlanTree(snaps, h.state, rules())
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range items {
		if item.Changes() {
			t.Errorf("%s: %s", item.Path, item.summary())
		}
	}
	delete(snaps[0].Copies, "d/f")
	items, _ = PlanTree(snaps, h.state, rules())
	for _, item := range items {
		if item.Changes() {
			t.Errorf("deleted on the other: %s: %s", item.Path, item.summary())
		}
	}
}
