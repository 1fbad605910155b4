package daemon

import (
	"fmt"
	"math"
	"os"
	"os/user"
	"strconv"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/conf"
)

// identity is whom a module is served as.
type identity struct {
	UID, GID uint32
	Groups   []uint32
	same     bool // already ourselves
}

// identityError is a name that does not resolve.
type identityError struct{ what, name string } // what: "uid" or "gid"

func (e *identityError) Error() string {
	return fmt.Sprintf("invalid %s %s: there is no such %s; check the module's %q, /etc/passwd and /etc/group (empegsync boot puts these right)",
		e.what, quoted(e.name), map[string]string{"uid": "user", "gid": "group"}[e.what], e.what)
}

// identify resolves a module's uid and gid. A daemon that runs as root serves
// as nobody where nothing is said (clientserver.c:rsync_module).
func identify(m *conf.Module) (identity, *identityError) {
	self := identity{UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())}
	id := self
	uid, gids := m.UID, m.GIDs()
	if self.UID == 0 && uid == "" {
		uid = "nobody"
	}
	if self.UID == 0 && len(gids) == 0 {
		gids = []string{"nobody"}
		if _, ok := resolve("nobody", lookupGroup); !ok {
			gids = []string{"nogroup"} // as Debian calls it
		}
	}
	if uid != "" {
		n, ok := resolve(uid, lookupUser)
		if !ok {
			return id, &identityError{"uid", uid}
		}
		id.UID = n
	}
	for _, g := range gids {
		all := []uint32(nil)
		if n, ok := resolve(g, lookupGroup); ok {
			all = []uint32{n}
		} else if g == "*" {
			all = groupsOf(id.UID)
		}
		if len(all) == 0 {
			return id, &identityError{"gid", g}
		}
		id.Groups = append(id.Groups, all...)
	}
	if len(id.Groups) > 0 {
		id.GID = id.Groups[0]
	}
	id.same = id.UID == self.UID && id.GID == self.GID
	return id, nil
}

// resolve takes a number as it is and looks a name up. The number of all ones
// means "no change" to the kernel and is nobody's.
func resolve(name string, lookup func(string) (string, error)) (uint32, bool) {
	text := name
	if strings.Trim(name, "0123456789") != "" {
		var err error
		if text, err = lookup(name); err != nil {
			return 0, false
		}
	}
	n, err := strconv.ParseUint(text, 10, 32)
	return uint32(n), err == nil && n != math.MaxUint32
}

func lookupUser(name string) (string, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return "", err
	}
	return u.Uid, nil
}

func lookupGroup(name string) (string, error) {
	g, err := user.LookupGroup(name)
	if err != nil {
		return "", err
	}
	return g.Gid, nil
}

// groupsOf returns a user's own group and then the others it is a member of:
// what "*" in gid stands for. nil if the user is not known.
func groupsOf(uid uint32) []uint32 {
	u, err := user.LookupId(strconv.FormatUint(uint64(uid), 10))
	if err != nil {
		return nil
	}
	ids, err := u.GroupIds()
	if err != nil {
		return nil
	}
	var groups []uint32
	for _, text := range append([]string{u.Gid}, ids...) {
		if n, ok := resolve(text, lookupGroup); ok && (len(groups) == 0 || n != groups[0]) {
			groups = append(groups, n)
		}
	}
	return groups
}

// switchError is an identity that cannot be taken on: the system call that
// fails, as C rsync tells clients, and the whole story for the log.
type switchError struct{ call, text string }

func (e *switchError) Error() string { return e.text }

// check reports whether this process can become id.
func (id identity) check() *switchError {
	uid, gid := uint32(os.Geteuid()), uint32(os.Getegid())
	const advice = "and only root may change that; remove the line from the module or start the daemon as root"
	switch {
	case id.same || uid == 0:
		return nil
	case id.GID != gid:
		return &switchError{"setgid", fmt.Sprintf("the module wants gid %d, but the daemon runs with %d, %s", id.GID, gid, advice)}
	}
	return &switchError{"setuid", fmt.Sprintf("the module wants uid %d, but the daemon runs as %d, %s", id.UID, uid, advice)}
}
