package synk

import (
	"os/user"
	"strconv"
)

// owners remembers the names of users and groups.
type owners struct{ users, groups map[uint32]string }

func newOwners() *owners { return &owners{make(map[uint32]string), make(map[uint32]string)} }

// names gives names, and numbers where there are none, as rsync -a compares
// owners.
func (o *owners) names(uid, gid uint32) (owner, group string) {
	owner, ok := o.users[uid]
	if !ok {
		owner = strconv.FormatUint(uint64(uid), 10)
		if u, err := user.LookupId(owner); err == nil {
			owner = u.Username
		}
		o.users[uid] = owner
	}
	group, ok = o.groups[gid]
	if !ok {
		group = strconv.FormatUint(uint64(gid), 10)
		if g, err := user.LookupGroupId(group); err == nil {
			group = g.Name
		}
		o.groups[gid] = group
	}
	return owner, group
}
