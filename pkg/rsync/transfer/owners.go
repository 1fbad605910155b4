package transfer

import (
	"fmt"
	"math"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// owners decides which owner and group a received file gets. It may be used
// from several goroutines.
type owners struct {
	users, groups idMap
	setUID        bool
	mine          []int // groups that this user may give files to; nil: all
	setGroup      bool
	numeric       bool // names say nothing
}

// idMap turns the sender's ids into ours: by the user's rules, else by the name
// that the sender has told, if somebody is called that here; id 0 stays 0
// (uidlist.c:recv_add_id).
type idMap struct {
	mapped bool // else ids stay what they are
	rules  []idRule
	lookup func(name string) (uint32, bool)

	mu    sync.Mutex
	names map[uint32]string // nil values: the sender has none
	known map[uint32]uint32
}

// idRule is one FROM:TO of --usermap or --groupmap.
type idRule struct {
	name     string // "": by number
	wild     bool
	low, top uint32
	to       uint32
}

// newOwners reads the rules of opt. Ids whose names the list tells are known by
// them unless nameless is set; zeroNamed says that a name of id 0 travels.
// here are the names on this side; warn is told of those in rules that are not among them.
func newOwners(l *filelist.List, opt *options.Options, here Accounts, nameless, zeroNamed bool, warn func(string)) (*owners, error) {
	root := opt.Super.Root(os.Geteuid() == 0)
	o := &owners{setUID: opt.Owner && root, setGroup: opt.Group}
	if opt.Super == options.SuperFake {
		o.setUID = opt.Owner
	} else if !root {
		o.mine, _ = os.Getgroups() // without them no group is set
		o.mine = append(o.mine, os.Getegid())
	}
	numeric := opt.NumericIDs || nameless
	o.numeric = numeric
	o.users = idMap{mapped: o.setUID && (!numeric || opt.UserMap != ""), lookup: here.UserID, names: l.Users}
	o.groups = idMap{mapped: opt.Group && (!numeric || opt.GroupMap != ""), lookup: here.GroupID, names: l.Groups}
	for _, m := range []struct {
		*idMap
		option, text string
	}{{&o.users, "usermap", opt.UserMap}, {&o.groups, "groupmap", opt.GroupMap}} {
		m.known = map[uint32]uint32{}
		if numeric {
			m.names = nil
		}
		if m.text == "" {
			continue
		}
		var err error
		if m.rules, err = parseIDRules(m.option, m.text, m.lookup, warn); err != nil {
			return nil, err
		}
		if !zeroNamed && !numeric {
			m.learn(0, "root")
		}
	}
	return o, nil
}

// mostNames bounds how many names of users, or of groups, are kept: lists of files
// bring no more, but access control lists go on as long as the sender likes.
const mostNames = 1 << 17

// learn remembers the name of one of the sender's ids.
func (m *idMap) learn(id uint32, name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.names == nil {
		m.names = map[uint32]string{}
	}
	if _, ok := m.names[id]; !ok && len(m.names) >= mostNames {
		return
	}
	m.names[id] = name
	delete(m.known, id)
}

// learn remembers the name of one of the sender's ids.
func (o *owners) learn(isUser bool, id uint32, name string) {
	switch {
	case o.numeric:
	case isUser:
		o.users.learn(id, name)
	default:
		o.groups.learn(id, name)
	}
}

// local returns our id for one of the sender's.
func (m *idMap) local(id uint32) uint32 {
	if !m.mapped {
		return id
	}
	return m.named(id)
}

// named is local wherever the id stands: in an access control list it counts
// whoever owns the file.
func (m *idMap) named(id uint32) uint32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	to, ok := m.known[id]
	if ok {
		return to
	}
	name := m.names[id]
	to = m.find(id, name)
	if name != "" { // there are so many of these at most; without a name nothing is looked up
		m.known[id] = to
	}
	return to
}

func (m *idMap) find(id uint32, name string) uint32 {
	for _, r := range m.rules {
		if r.fits(id, name) {
			return r.to
		}
	}
	if name != "" && id != 0 {
		if to, ok := m.lookup(name); ok {
			return to
		}
	}
	return id
}

func (r idRule) fits(id uint32, name string) bool {
	switch {
	case r.wild:
		ok, err := path.Match(r.name, name)
		return ok && err == nil
	case r.name != "":
		return r.name == name
	}
	return r.low <= id && id <= r.top
}

// parseIDRules reads FROM:TO,... where FROM is a name, a name with wildcards, a
// number or LOW-HIGH, and TO a name or a number (uidlist.c:parse_name_map).
func parseIDRules(option, text string, lookup func(string) (uint32, bool), warn func(string)) ([]idRule, error) {
	var rules []idRule
	items := strings.Split(text, ",")
	for _, item := range slices.Backward(items) { // as rsync does, which decides who is told first
		r, to, err := parseIDRule(option, item)
		if err != nil {
			return nil, err
		}
		ok := true
		if strings.Trim(to, "0123456789") == "" {
			r.to, err = parseID(to)
		} else {
			r.to, ok = lookup(to)
		}
		switch {
		case err != nil:
			return nil, err
		case !ok:
			warn(fmt.Sprintf("Unknown --%s name on receiver: %s", option, to))
		default:
			rules = append(rules, r)
		}
	}
	slices.Reverse(rules)
	return rules, nil
}

func parseIDRule(option, item string) (r idRule, to string, err error) {
	from, to, ok := strings.Cut(item, ":")
	switch {
	case !ok:
		return r, "", proto.Failf(proto.ExitSyntax, "No colon found in --%s: %s", option, item)
	case to == "":
		return r, "", proto.Failf(proto.ExitSyntax, "No name found after colon --%s: %s", option, item)
	case from == "" || from[0] < '0' || from[0] > '9':
		r.name = strings.ReplaceAll(from, "[!", "[^")
		r.wild = from == "" || strings.ContainsAny(from, "*[?")
		return r, to, nil
	}
	low, high, isRange := strings.Cut(from, "-")
	if strings.Trim(low+high, "0123456789") != "" || isRange && high == "" {
		return r, "", proto.Failf(proto.ExitSyntax, "Invalid number in --%s: %s", option, from)
	}
	if r.low, err = parseID(low); err != nil {
		return r, "", err
	}
	r.top = r.low
	if isRange {
		if r.top, err = parseID(high); err != nil {
			return r, "", err
		}
	}
	return r, to, nil
}

func parseID(text string) (uint32, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n == math.MaxUint32 { // which means "leave alone" to the kernel
		return 0, proto.Failf(proto.ExitSyntax, "Invalid ID number: %s", text)
	}
	return uint32(n), nil
}

func (o *owners) uid(id uint32) uint32 { return o.users.local(id) }

func (o *owners) gid(id uint32) uint32 { return o.groups.local(id) }

// setGID reports whether files may be given to a group of ours.
func (o *owners) setGID(gid uint32) bool {
	return o.setGroup && (o.mine == nil || slices.Contains(o.mine, int(gid)))
}
