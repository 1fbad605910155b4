package transfer

import (
	"os/user"
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
	if name := n.name(id); name != "" {
		n.list = append(n.list, filelist.IDName{ID: id, Name: name})
	}
}

// name returns the name of an id, "" if it has none.
func (n *names) name(id uint32) string {
	name, err := n.lookup(strconv.FormatUint(uint64(id), 10))
	if err != nil {
		return ""
	}
	return name
}
