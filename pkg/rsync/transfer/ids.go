package transfer

import (
	"os"
	"os/user"
	"slices"
	"strconv"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
)

// names gathers the names of ids that a sender has used.
type names struct {
	seen   map[uint32]struct{}
	list   []filelist.IDName
	last   uint32
	any    bool
	lookup func(id string) (string, error)
}

func userNames() *names {
	return &names{seen: map[uint32]struct{}{}, lookup: func(id string) (string, error) {
		u, err := user.LookupId(id)
		if err != nil {
			return "", err
		}
		return u.Username, nil
	}}
}

func groupNames() *names {
	return &names{seen: map[uint32]struct{}{}, lookup: func(id string) (string, error) {
		g, err := user.LookupGroupId(id)
		if err != nil {
			return "", err
		}
		return g.Name, nil
	}}
}

func (n *names) add(id uint32) {
	if n.any && id == n.last {
		return
	}
	n.last, n.any = id, true
	if _, ok := n.seen[id]; ok {
		return
	}
	n.seen[id] = struct{}{}
	if name, err := n.lookup(strconv.FormatUint(uint64(id), 10)); err == nil {
		n.list = append(n.list, filelist.IDName{ID: id, Name: name})
	}
}

// owners decides which owner and group a received file gets. An id whose name
// the sender has told becomes the local id of that name, if there is one.
type owners struct {
	uids, gids map[uint32]uint32
	setUID     bool
	setGID     func(gid uint32) bool
}

// newOwners works out the local ids of a list's names. Id 0 is always 0.
func newOwners(l *filelist.List, owner, group, numeric bool) *owners {
	o := &owners{uids: map[uint32]uint32{}, gids: map[uint32]uint32{}}
	root := os.Geteuid() == 0
	o.setUID = owner && root
	o.setGID = func(uint32) bool { return group }
	if !root {
		mine, _ := os.Getgroups() // without them no group is set
		mine = append(mine, os.Getegid())
		o.setGID = func(gid uint32) bool { return group && slices.Contains(mine, int(gid)) }
	}
	if numeric {
		return o
	}
	for id, name := range l.Users {
		if !o.setUID {
			break
		}
		if u, err := user.Lookup(name); err == nil && id != 0 {
			setID(o.uids, id, u.Uid)
		}
	}
	for id, name := range l.Groups {
		if !group {
			break
		}
		if g, err := user.LookupGroup(name); err == nil && id != 0 {
			setID(o.gids, id, g.Gid)
		}
	}
	return o
}

func setID(m map[uint32]uint32, from uint32, to string) {
	if n, err := strconv.ParseUint(to, 10, 32); err == nil && uint32(n) != from {
		m[from] = uint32(n)
	}
}

func (o *owners) uid(id uint32) uint32 {
	if to, ok := o.uids[id]; ok {
		return to
	}
	return id
}

func (o *owners) gid(id uint32) uint32 {
	if to, ok := o.gids[id]; ok {
		return to
	}
	return id
}
