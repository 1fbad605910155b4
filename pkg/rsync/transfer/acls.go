package transfer

import (
	"errors"
	"syscall"

	"github.com/empegsync/empegsync/pkg/rsync/acl"
	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// acls are the access control lists of a connection.
type acls struct {
	access, defaults acl.Table
	users, groups    map[uint32]string // names that came before there were owners
	sent             map[acl.Name]struct{}
}

// readACL reads one of a file's lists; without one, or where the file system
// has none, the access list is what the mode says (acls.c:get_rsync_acl).
func (c *common) readACL(a *rootfs.Attrs, which string, mode uint32) (acl.List, error) {
	b, err := a.Get(c.aclAttr(which))
	switch {
	case err == nil && c.fakes():
		return acl.ParseStored(b, mode)
	case err == nil:
		return acl.Parse(b)
	case !errors.Is(err, syscall.ENODATA) && !errors.Is(err, syscall.ENOTSUP):
		return acl.Empty(), err
	case which == acl.Access:
		return acl.OfMode(mode), nil
	}
	return acl.Empty(), nil
}

// acls reads a file's lists and appends them (acls.c:send_acl).
func (w *walker) acls(b []byte, root *rootfs.Root, p string, in rootfs.Info) ([]byte, error) {
	access, defaults := acl.OfMode(in.Mode), acl.Empty()
	if in.Mode != 0 { // else it is missing, and on the list to be deleted
		a, err := root.OpenAttrs(p, w.attrFlags(false))
		if err == nil {
			defer a.Close()
			access, err = w.readACL(a, acl.Access, in.Mode)
			if err == nil && in.IsDir() {
				defaults, err = w.readACL(a, acl.Default, in.Mode)
			}
		}
		if ignoreUnsupported(err) != nil {
			return b, err
		}
	}
	b = w.lists.access.Append(b, access.Condensed(in.Mode), w.aclName)
	if in.IsDir() {
		b = w.lists.defaults.Append(b, defaults, w.aclName)
	}
	return b, nil
}

// aclName notes an id whose name is to be known; where lists come in parts it
// travels at once.
func (w *walker) aclName(n acl.Name) string {
	if w.opt.NumericIDs || w.Nameless {
		return ""
	}
	names := w.groups
	if n.IsUser {
		names = w.users
	}
	if !w.Caps.IncRecurse {
		names.add(n.ID)
		return ""
	}
	key := acl.Name{ID: n.ID, IsUser: n.IsUser}
	if _, ok := w.lists.sent[key]; ok {
		return ""
	}
	if w.lists.sent == nil {
		w.lists.sent = map[acl.Name]struct{}{}
	}
	w.lists.sent[key] = struct{}{}
	return names.lookup(n.ID)
}

// recvACLs reads the lists behind an entry (acls.c:receive_acl).
func (c *common) recvACLs(r *wire.Reader, e *filelist.Entry) {
	if e.IsLink() {
		return
	}
	access := c.lists.access.Read(r, uint8(e.Mode>>3&7), c.namedInACL)
	defaults := int32(-1)
	if e.IsDir() {
		defaults = c.lists.defaults.Read(r, acl.None, c.namedInACL)
	}
	e.SetACLs(access, defaults)
}

// namedInACL remembers the name of an id until the owners are known.
func (c *common) namedInACL(n acl.Name, name string) {
	to := &c.lists.groups
	if n.IsUser {
		to = &c.lists.users
	}
	if *to == nil {
		*to = map[uint32]string{}
	}
	if len(*to) < 1<<16 {
		(*to)[n.ID] = name
	}
	if c.learn != nil {
		c.learn(n.IsUser, n.ID, name)
	}
}

// ours gives a received list our ids (acls.c:match_acl_ids).
func (r *receiver) ours(l acl.List) acl.List {
	names := make([]acl.Name, len(l.Names))
	for i, n := range l.Names {
		if n.IsUser {
			n.ID = r.owners.users.named(n.ID)
		} else {
			n.ID = r.owners.groups.named(n.ID)
		}
		names[i] = n
	}
	l.Names = names
	return l
}

// aclPlan is what about a file's lists is to change.
type aclPlan struct {
	access, defaults       acl.List
	setAccess, setDefaults bool
}

// planACLs compares an entry's lists with those that are there; mode is what
// the permissions will be (acls.c:set_acl).
func (r *receiver) planACLs(a *rootfs.Attrs, e *filelist.Entry, have, mode uint32) (p aclPlan, err error) {
	access, defaults, ok := e.ACLs()
	if !ok {
		return p, nil
	}
	mine, err := r.readACL(a, acl.Access, have)
	if err != nil {
		return p, err
	}
	p.access = r.ours(r.lists.access.At(access))
	p.setAccess = !mine.EqualEnough(p.access, mode)
	if !r.fakes() { // what is only written down stays as it came
		p.access = p.access.WithMode(mode)
	}
	if e.IsDir() && defaults >= 0 {
		if mine, err = r.readACL(a, acl.Default, have); err != nil {
			return p, err
		}
		p.defaults = r.ours(r.lists.defaults.At(defaults))
		p.setDefaults = !mine.Equal(p.defaults)
	}
	return p, nil
}

// doACLs sets what differs (acls.c:set_rsync_acl).
func (r *receiver) doACLs(p aclPlan, a *rootfs.Attrs) error {
	form := acl.List.Append
	if r.fakes() {
		form = acl.List.AppendStored
	}
	if p.setAccess {
		if err := a.Set(r.aclAttr(acl.Access), form(p.access, nil)); err != nil {
			return err
		}
	}
	switch {
	case !p.setDefaults:
		return nil
	case p.defaults.User == acl.None:
		return a.Remove(r.aclAttr(acl.Default))
	}
	return a.Set(r.aclAttr(acl.Default), form(p.defaults, nil))
}

// aclFlags adds to an item's flags that lists change. Where a new access list
// brings the permissions with it, those are not told of: as in C rsync, for
// what needs nothing else and is no folder.
func (g *generator) aclFlags(f proto.Item, e *filelist.Entry, like basis) proto.Item {
	if _, _, ok := e.ACLs(); !ok {
		return f
	}
	a, err := like.root.OpenAttrs(like.path, 0)
	if err != nil {
		return f
	}
	defer a.Close()
	have := like.info
	plan, err := g.planACLs(a, e, have.Mode, e.Mode)
	if err != nil || !plan.setAccess && !plan.setDefaults {
		return f
	}
	const whole = proto.ItemTransfer | proto.ItemLocalChange
	if plan.setAccess && f&whole == 0 && !e.IsDir() && !g.opt.DryRun && !g.fakes() && (e.Mode^have.Mode)&0o7000 == 0 {
		f &^= proto.ItemPerms
	}
	return f | proto.ItemACL
}

// setACLs gives what is at p the lists of an entry, before its mode is set.
func (r *receiver) setACLs(e *filelist.Entry, p string, mode uint32) {
	if _, _, ok := e.ACLs(); !ok {
		return
	}
	a, err := r.root.OpenAttrs(p, 0)
	if err == nil {
		defer a.Close()
		err = r.applyACLs(a, e, mode)
	}
	if err != nil {
		r.failFile("setting the access control list of %q failed: %v", p, reason(err))
	}
}

// applyACLs sets the lists of an open file, where they differ from its own.
func (r *receiver) applyACLs(a *rootfs.Attrs, e *filelist.Entry, mode uint32) error {
	if _, _, ok := e.ACLs(); !ok {
		return nil
	}
	plan, err := r.planACLs(a, e, mode, mode)
	if err != nil {
		return err
	}
	return r.doACLs(plan, a)
}
