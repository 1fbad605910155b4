package transfer

import (
	"strings"
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

func TestIDRules(t *testing.T) {
	lookup := func(name string) (uint32, bool) {
		ids := map[string]uint32{"root": 0, "joe": 500, "bin": 1}
		id, ok := ids[name]
		return id, ok
	}
	var warned []string
	warn := func(text string) { warned = append(warned, text) }
	rules, err := parseIDRules("usermap", "ann:joe,100-200:7,5:8,w*:9,[!x]y:10,:11,nobody:ghost,300:42", lookup, warn)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(warned, ";"); got != "Unknown --usermap name on receiver: ghost" {
		t.Errorf("warned: %q", got)
	}
	m := idMap{mapped: true, rules: rules, lookup: lookup, known: map[uint32]uint32{}, names: map[uint32]string{
		1: "ann", 150: "www", 250: "www", 251: "zy", 252: "xy", 5: "bin", 6: "bin", 0: "joe", 300: "joe",
	}}
	for id, want := range map[uint32]uint32{1: 500, 150: 7, 199: 7, 200: 7, 201: 11, 250: 9, 251: 10, 252: 252, 5: 8, 6: 1, 0: 0, 300: 42} {
		if got := m.local(id); got != want {
			t.Errorf("%d (%q) becomes %d, want %d", id, m.names[id], got, want)
		}
	}
	m.learn(252, "joe")
	if got := m.local(252); got != 500 {
		t.Errorf("252 becomes %d once it is known as joe", got)
	}
	m.mapped = false
	if got := m.local(1); got != 1 {
		t.Errorf("1 becomes %d though nothing is mapped", got)
	}
}

func TestIDRulesRefused(t *testing.T) {
	for text, want := range map[string]string{
		"a": "No colon found in --groupmap: a", "a:": "No name found after colon --groupmap: a:", "1-:x": "Invalid number in --groupmap: 1-",
		"1-2-3:x": "Invalid number in --groupmap: 1-2-3", "1x:y": "Invalid number in --groupmap: 1x", "99999999999:5": "Invalid ID number: 99999999999",
		"a:4294967295": "Invalid ID number: 4294967295", "a:1,b": "No colon found in --groupmap: b", "": "No colon found in --groupmap: ",
	} {
		_, err := parseIDRules("groupmap", text, func(string) (uint32, bool) { return 1, true }, func(string) {})
		if err == nil || !strings.Contains(err.Error(), want) || proto.ExitCode(err) != proto.ExitSyntax {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func FuzzIDRules(f *testing.F) {
	for _, s := range []string{"ann:joe,100-200:7,w*:9", "1-:x", ":", "[a:1", "5-3:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rules, err := parseIDRules("usermap", text, func(string) (uint32, bool) { return 3, true }, func(string) {})
		if err != nil {
			return
		}
		m := idMap{mapped: true, rules: rules, lookup: func(string) (uint32, bool) { return 0, false }, known: map[uint32]uint32{}}
		m.local(7)
	})
}

// Each name is looked up once, and what is kept is bounded by the names, not by
// how many ids a peer makes up.
func TestIDsFromAHostilePeer(t *testing.T) {
	lookups := 0
	m := idMap{mapped: true, known: map[uint32]uint32{}, lookup: func(string) (uint32, bool) {
		lookups++
		return 0, false
	}}
	m.learn(7, "nobody here")
	for range 3 {
		for id := range uint32(100_000) {
			if got := m.local(id + 1); got != id+1 {
				t.Fatalf("%d becomes %d", id+1, got)
			}
		}
	}
	if lookups != 1 || len(m.known) != 1 {
		t.Errorf("%d lookups for one name, and %d ids are kept", lookups, len(m.known))
	}
	for id := range uint32(mostNames + 100) {
		m.learn(id, "x")
	}
	if len(m.names) != mostNames {
		t.Errorf("%d names are kept, not %d", len(m.names), mostNames)
	}
	m.learn(8, "y") // one that is known gets its new name
	if m.names[8] != "y" {
		t.Errorf("8 is called %q", m.names[8])
	}
}

// A sender looks each id up once, whether or not it has a name.
func TestSentIDsAreLookedUpOnce(t *testing.T) {
	lookups := map[uint32]int{}
	n := newNames(func(id uint32) string {
		lookups[id]++
		return map[uint32]string{3: "ann"}[id]
	})
	for range 4 {
		for id := range uint32(10) {
			n.add(id)
		}
	}
	for id, times := range lookups {
		if times != 1 {
			t.Errorf("%d is looked up %d times", id, times)
		}
	}
	if len(n.list) != 1 || n.list[0].Name != "ann" {
		t.Errorf("named: %v", n.list)
	}
}
