package transfer

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/filter"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
	"github.com/empegsync/empegsync/pkg/rsync/xattr"
)

// XattrRules are [Rules] that also speak of extended attributes.
type XattrRules interface {
	// Xattr reports whether an attribute is left out; decided says that there
	// are rules about attributes, which then replace those of name spaces.
	Xattr(name string, side filter.Side) (out, decided bool)
}

// Xattr implements [XattrRules].
func (r *ClientRules) Xattr(name string, side filter.Side) (out, decided bool) {
	if !r.rules.HasXattr() {
		return false, false
	}
	return r.rules.Scope("/", nil).CheckXattr(name, side) == filter.Exclude, true
}

// keepsXattr reports whether an attribute of that name is copied from or to
// this side (xattrs.c:rsync_xal_get, rsync_xal_set).
func (c *common) keepsXattr(name string) bool {
	out, decided := c.xattrRule(name)
	if out || c.fakes() && isFakeAttr(name) {
		return false
	}
	if !decided {
		userOnly := !c.sending && !c.opt.Super.Root(os.Geteuid() == 0)
		if userOnly && !strings.HasPrefix(name, "user.") || !userOnly && strings.HasPrefix(name, "system.") {
			return false
		}
	}
	return !c.sending || c.travels(name)
}

// xattrRule asks the rules about an attribute.
func (c *common) xattrRule(name string) (out, decided bool) {
	side := filter.Receiver
	if c.sending {
		side = filter.Sender
	}
	if r, ok := c.rules.(XattrRules); ok {
		return r.Xattr(name, side)
	}
	return false, false
}

// travels reports whether an attribute goes over the wire. Those of rsync's own
// do not unless -X is given twice; where they are, they are too much.
func (c *common) travels(name string) bool {
	return c.opt.Xattrs > 1 || !strings.HasPrefix(name, ownAttrs)
}

// hasXattrs reports whether what is of this type takes part (xattrs.c:get_xattr).
func (c *common) hasXattrs(info rootfs.Info) bool {
	switch {
	case info.IsSymlink():
		return c.opt.Links
	case info.IsSpecial():
		return c.opt.Specials
	case info.IsDevice():
		return c.opt.Devices
	}
	return true
}

// readXattrs reads the attributes of a file that count. A file system that has
// none is like a file that has none.
func (c *common) readXattrs(root *rootfs.Root, p string, info rootfs.Info) (xattr.List, error) {
	if !c.hasXattrs(info) {
		return nil, nil
	}
	a, err := root.OpenAttrs(p, c.attrFlags(info.IsSymlink()))
	if err != nil {
		return nil, ignoreUnsupported(err)
	}
	defer a.Close()
	names, err := a.Names()
	if err != nil {
		return nil, ignoreUnsupported(err)
	}
	var list xattr.List
	for _, name := range names {
		if !c.keepsXattr(name) {
			continue
		}
		value, err := a.Get(name)
		switch {
		case errors.Is(err, syscall.ENODATA):
			continue // gone meanwhile
		case err != nil:
			return nil, err
		}
		list = append(list, xattr.New(name, value))
	}
	list.Sort()
	return list, nil
}

// attrFlags is how a file is opened for its attributes. What a link leads to
// counts where that is sent. (C rsync takes the link's own then.)
func (c *common) attrFlags(isLink bool) rootfs.OpenFlags {
	flags := c.openFlags()
	if isLink {
		flags &^= rootfs.Follow
	}
	return flags
}

func ignoreUnsupported(err error) error {
	if errors.Is(err, syscall.ENOTSUP) {
		return nil
	}
	return err
}

// attributes reads what follows an entry on the wire: its extended attributes.
// false leaves the file out.
func (w *walker) attributes(root *rootfs.Root, p string, in rootfs.Info, e *filelist.Entry) (tail []byte, ok bool) {
	if w.opt.ACLs && !in.IsSymlink() {
		var err error
		if tail, err = w.acls(tail, root, p, in); err != nil {
			w.failFile("reading the access control list of %q failed: %v", p, reason(err))
			return nil, false
		}
	}
	if w.opt.Xattrs == 0 {
		return tail, true
	}
	var list xattr.List
	var err error
	if in.Mode != 0 { // else it is missing, and on the list to be deleted
		list, err = w.readXattrs(root, p, in)
	}
	if err != nil {
		w.failFile("reading the attributes of %q failed: %v", p, reason(err))
		return nil, false
	}
	tail, index := w.xattrs.Append(tail, list, w.xattrCalled())
	e.SetXattr(index)
	return tail, true
}

// readAttributes reads what follows an entry.
func (c *common) readAttributes(r *wire.Reader, e *filelist.Entry) {
	if c.opt.ACLs {
		c.recvACLs(r, e)
	}
	if c.opt.Xattrs > 0 && r.Err() == nil {
		e.SetXattr(c.xattrs.Read(r, c.xattrHere))
	}
}

// afterEntry is what the decoder of a list reads behind each entry, nil if
// there is nothing.
func (c *common) afterEntry() func(*wire.Reader, *filelist.Entry) {
	if c.opt.Xattrs == 0 && !c.opt.ACLs {
		return nil
	}
	return c.readAttributes
}

// CanKeep refuses options that the version has no place for; the two sides of a
// local copy do not mind (compat.c:setup_protocol).
func CanKeep(caps proto.Caps, opt *options.Options, local bool) error {
	if opt.ACLs && !caps.Attributes && !local {
		return proto.Failf(proto.ExitProtocol, "--acls requires protocol 30 or higher (negotiated %d).", caps.Version)
	}
	if opt.Xattrs > 0 && !caps.Attributes && !local {
		return proto.Failf(proto.ExitProtocol, "--xattrs requires protocol 30 or higher (negotiated %d).", caps.Version)
	}
	return nil
}

// exchangesXattrs reports whether values travel behind an item's flags
// (sender.c:write_ndx_and_attrs).
func (c *common) exchangesXattrs(flags proto.Item) bool {
	const link = proto.ItemXname | proto.ItemLocalChange
	return c.opt.Xattrs > 0 && flags&proto.ItemXattr != 0 && c.opt.MovesData() && !(c.Caps.XattrShortcut && flags&link == link)
}

// appendXattrs appends what the receiving side asks for, or the sending side
// answers, behind an item's flags.
func (c *common) appendXattrs(b []byte, it item) []byte {
	if !c.exchangesXattrs(it.flags) {
		return b
	}
	index, ok := it.entry.Xattr()
	if !ok {
		return append(b, 0)
	}
	if !c.sending {
		return c.xattrs.AppendRequest(b, index, it.have)
	}
	return c.xattrs.AppendData(b, index, func(name string) []byte { return c.rereadXattr(it.entry, name) })
}

// rereadXattr reads a long value when it is asked for.
func (c *common) rereadXattr(e *filelist.Entry, name string) []byte {
	a, err := c.sourceRoot(e).OpenAttrs(e.Path(), c.attrFlags(e.IsLink()))
	var value []byte
	if err == nil {
		defer a.Close()
		value, err = a.Get(name)
	}
	if err != nil {
		c.failFile("failed to re-read xattr %s for %q: %v", name, e.Path(), reason(err))
	}
	return value
}

// readXattrPart reads what appendXattrs of the other side has written.
func (c *common) readXattrPart(it item, e *filelist.Entry) error {
	if !c.exchangesXattrs(it.flags) {
		return nil
	}
	index, ok := e.Xattr()
	switch {
	case !ok:
		return proto.Failf(proto.ExitProtocol, "the other side speaks of the attributes of %q, which has none", e.Path())
	case c.sending:
		c.xattrs.ReadRequest(c.R, index)
	default:
		c.xattrs.ReadData(c.R, index)
	}
	if c.R.Err() != nil {
		return fmt.Errorf("read extended attributes: %w", c.R.Err())
	}
	return nil
}

// diffXattrs compares an entry's attributes with those of like, and remembers
// the latter.
func (g *generator) diffXattrs(e *filelist.Entry, like basis) (differ bool) {
	index, ok := e.Xattr()
	if !ok {
		return false
	}
	g.have = nil
	if like.exists {
		var err error
		if g.have, err = g.readXattrs(like.root, like.path, like.info); err != nil {
			g.failFile("reading the attributes of %q failed: %v", like.path, reason(err))
		}
	}
	return !g.xattrs.At(index).Equal(g.have)
}

// itemXattrs sets the attributes of what an item without data is about; a
// hard link has them from its first name (receiver.c:recv_files).
func (r *receiver) itemXattrs(it item, e *filelist.Entry) {
	const link = proto.ItemXname | proto.ItemLocalChange
	if r.opt.Xattrs > 0 && it.flags&proto.ItemXattr != 0 && it.flags&link != link && !r.opt.DryRun {
		r.setXattrs(e, r.path(e))
	}
}

// dressFile gives an open file, which has the name p or is about to get it, all
// that it should have. Only root can set attributes of a file that it may not
// write; and chown takes some of them away. Values of attributes that are not at
// hand are an error, unless they come later.
func (r *receiver) dressFile(t *rootfs.File, e *filelist.Entry, p string, m rootfs.Meta, later bool) error {
	asRoot := os.Geteuid() == 0
	if !asRoot {
		r.setFileXattrs(t, e, later)
	}
	if err := r.applyACLs(t.Attrs(), e, m.Mode); err != nil {
		r.failFile("setting the access control list of %q failed: %v", p, reason(err))
	}
	if r.fakes() {
		real, err := t.Stat()
		if err == nil {
			m, err = r.fake(t.Attrs(), real, e, m)
		}
		if err != nil {
			return err
		}
	}
	err := t.SetMetadata(m)
	if asRoot {
		r.setFileXattrs(t, e, later)
	}
	return err
}

// setXattrs gives what is at p the attributes of an entry (rsync.c:set_file_attrs).
func (r *receiver) setXattrs(e *filelist.Entry, p string) {
	index, ok := e.Xattr()
	if !ok {
		return
	}
	have, exists, err := r.lookupEntry(e, p)
	if err != nil || !exists || !r.hasXattrs(have) {
		return // told already
	}
	shut := os.Geteuid() != 0 && !r.fakes() && !have.IsSymlink() && have.Perm()&0o200 == 0
	mode := rootfs.Meta{Fields: rootfs.FieldMode, Mode: have.Perm() | 0o200}
	if shut && r.root.UpdateMetadata(p, have, mode) == nil {
		defer func() {
			mode.Mode = have.Perm()
			if err := r.root.SetMetadata(p, mode); err != nil {
				r.failFile("setting the mode of %q failed: %v", p, reason(err))
			}
		}()
	}
	a, err := r.root.OpenAttrs(p, 0)
	if err != nil {
		r.failFile("setting the attributes of %q failed: %v", p, reason(err))
		return
	}
	defer a.Close()
	r.applyXattrs(a, index, p, false)
}

// setFileXattrs gives an open file the attributes of an entry.
func (r *receiver) setFileXattrs(t *rootfs.File, e *filelist.Entry, later bool) {
	if index, ok := e.Xattr(); ok {
		r.applyXattrs(t.Attrs(), index, r.path(e), later)
	}
}

// applyXattrs gives what is, or is about to be, at p the attributes of a list
// and removes others (xattrs.c:rsync_xal_set). Values that the sender was not
// asked for are where the generator has seen them.
func (r *receiver) applyXattrs(a *rootfs.Attrs, index int32, p string, later bool) {
	names, err := a.Names()
	if ignoreUnsupported(err) != nil {
		r.failFile("reading the attributes of %q failed: %v", p, reason(err))
		return
	}
	wanted := map[string]bool{}
	for _, x := range r.xattrs.At(index) {
		wanted[x.Name] = true
		value := []byte(x.Value)
		if x.State != xattr.Full {
			if value = r.oldXattr(p, x); value == nil {
				if !later {
					r.failFile("Missing abbreviated xattr value, %s, for %q", x.Name, p)
				}
				continue
			}
			r.xattrs.Keep(index, x.Name, value)
		}
		if err := a.Set(x.Name, value); err != nil {
			r.failFile("setting the attribute %s of %q failed: %v", x.Name, p, reason(err))
		}
	}
	for _, name := range names {
		if wanted[name] || !r.keepsXattr(name) {
			continue
		}
		if err := a.Remove(name); err != nil {
			r.failFile("removing the attribute %s of %q failed: %v", name, p, reason(err))
		}
	}
}

// oldXattr finds a value by its sum in what is at p, here or in an alternative
// folder, nil if it is not.
func (r *receiver) oldXattr(p string, x xattr.Attr) []byte {
	if value := valueAt(spot{r.root, p}, x); value != nil {
		return value
	}
	for i := range r.alts {
		if s, ok := r.altPath(i, p); ok {
			if value := valueAt(s, x); value != nil {
				return value
			}
		}
	}
	return nil
}

func valueAt(s spot, x xattr.Attr) []byte {
	a, err := s.root.OpenAttrs(s.path, 0)
	if err != nil {
		return nil
	}
	defer a.Close()
	value, err := a.Get(x.Name)
	if err != nil || !xattr.New(x.Name, value).Same(x) {
		return nil
	}
	return value
}
