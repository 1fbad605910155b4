package transfer

import (
	"os/user"
	"strconv"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
)

// Accounts knows the users and groups of one machine, or what stands for them
// (rsyncd.conf: name converter). Its methods may be called from several
// goroutines; "" and false stand for unknown.
type Accounts interface {
	UserName(id uint32) string
	GroupName(id uint32) string
	UserID(name string) (id uint32, ok bool)
	GroupID(name string) (id uint32, ok bool)
}

// systemAccounts are those of this machine.
type systemAccounts struct{}

// UserName implements [Accounts].
func (systemAccounts) UserName(id uint32) string {
	u, err := user.LookupId(strconv.FormatUint(uint64(id), 10))
	if err != nil {
		return ""
	}
	return u.Username
}

// GroupName implements [Accounts].
func (systemAccounts) GroupName(id uint32) string {
	g, err := user.LookupGroupId(strconv.FormatUint(uint64(id), 10))
	if err != nil {
		return ""
	}
	return g.Name
}

// UserID implements [Accounts].
func (systemAccounts) UserID(name string) (uint32, bool) {
	u, err := user.Lookup(name)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseUint(u.Uid, 10, 32)
	return uint32(n), err == nil
}

// GroupID implements [Accounts].
func (systemAccounts) GroupID(name string) (uint32, bool) {
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseUint(g.Gid, 10, 32)
	return uint32(n), err == nil
}

// accounts are those that names belong to.
func (l *Link) accounts() Accounts {
	if l.Accounts == nil {
		return systemAccounts{}
	}
	return l.Accounts
}

// names gathers the names of ids that a sender has used.
type names struct {
	seen   map[uint32]struct{}
	list   []filelist.IDName
	last   uint32
	any    bool
	lookup func(id uint32) string
}

func newNames(lookup func(id uint32) string) *names {
	return &names{seen: map[uint32]struct{}{}, lookup: lookup}
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
	if name := n.lookup(id); name != "" {
		n.list = append(n.list, filelist.IDName{ID: id, Name: name})
	}
}
