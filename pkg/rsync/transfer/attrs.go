package transfer

import (
	"os"
	"slices"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

// itemFlags says what about an entry changes against like, which may be in
// another folder (generator.c:itemize). more are the flags that the caller
// knows.
func (g *generator) itemFlags(e *filelist.Entry, like basis, more proto.Item) proto.Item {
	if g.diffXattrs(e, like) {
		more |= proto.ItemXattr
	}
	have := like.info
	if !like.exists {
		return more | proto.ItemNew
	}
	f := more
	if e.IsRegular() && e.Size != have.Size {
		f |= proto.ItemSize
	}
	if g.keepsTime(e) {
		if g.timeDiffers(e, &have) {
			f |= proto.ItemTime
		}
	} else if more&(proto.ItemTransfer|proto.ItemLocalChange) != 0 && more&proto.ItemMatched == 0 {
		f |= proto.ItemTime
	}
	if g.opt.Atimes > 0 && !e.IsDir() && !e.IsLink() && e.Atime() != have.Atime {
		f |= proto.ItemAtime
	}
	if g.permsDiffer(e, have.Mode) {
		f |= proto.ItemPerms
	}
	if g.owners.setUID && g.owners.uid(e.UID) != have.UID {
		f |= proto.ItemOwner
	}
	if gid := g.owners.gid(e.GID); gid != have.GID && g.owners.setGID(gid) {
		f |= proto.ItemGroup
	}
	return g.aclFlags(f, e, like)
}

// keepsTime reports whether an entry gets its time. Backups beside the files
// are changes to their folders, which C rsync's folders then show.
func (r *receiver) keepsTime(e *filelist.Entry) bool {
	omit := r.opt.OmitDirTimes || r.opt.Backup && r.opt.BackupDir == ""
	return r.opt.Times && !(e.IsDir() && omit) && !(e.IsLink() && r.opt.OmitLinkTimes)
}

// meta returns the metadata that an entry should have.
func (r *receiver) meta(e *filelist.Entry, have rootfs.Info, exists bool) rootfs.Meta {
	m := rootfs.Meta{UID: r.owners.uid(e.UID), GID: r.owners.gid(e.GID), Mtime: e.Mtime, MtimeNsec: e.Nsec}
	if r.owners.setUID {
		m.Fields |= rootfs.FieldUID
	}
	if r.owners.setGID(m.GID) {
		m.Fields |= rootfs.FieldGID
	}
	if !e.IsLink() || r.fakes() { // else a link has none
		m.Fields |= rootfs.FieldMode
		m.Mode = r.mode(e, have, exists)
	}
	if r.keepsTime(e) {
		m.Fields |= rootfs.FieldMtime
	}
	if r.opt.Atimes > 0 && !e.IsDir() {
		m.Fields |= rootfs.FieldAtime
		m.Atime = e.Atime()
	}
	return m
}

// keep brings the metadata of an up-to-date entry in line and tells of it.
func (g *generator) keep(index int32, e *filelist.Entry, p string, have rootfs.Info) {
	flags := g.itemFlags(e, g.own(p, have, true), 0)
	g.tell(index, e, flags)
	g.nameKept(e, p, flags)
	if g.opt.DryRun {
		return
	}
	g.stays(index, e, p)
	m := g.meta(e, have, true)
	if !g.timeDiffers(e, &have) && !(g.opt.Checksum && e.IsRegular()) { // generator.c: maybe_ATTRS_ACCURATE_TIME
		m.Fields &^= rootfs.FieldMtime
	}
	if e.IsDir() {
		m.Fields &^= rootfs.FieldMtime // set at the end
		if g.needsRoom(e) {
			m.Mode |= 0o700
		}
	}
	if flags&proto.ItemACL != 0 {
		g.setACLs(e, p, m.Mode)
	}
	if m.Diff(have) == 0 {
		return
	}
	if err := g.setMeta(e, p, have, m); err != nil {
		g.failFile("setting the attributes of %q failed: %v", p, reason(err))
	}
}

// nameKept has a server name what stays, as a client expects that asks for all
// names and not for items, which it shows itself (rsync.c:set_file_attrs).
func (g *generator) nameKept(e *filelist.Entry, p string, flags proto.Item) {
	switch {
	case !g.Server || g.Local && g.Caps.ItemFlags || e.IsDir() || g.opt.Info(options.InfoName) < 2 || strings.Contains(g.opt.LogFormat, "%i"):
	case flags&proto.ItemSignificant != 0:
		g.say(proto.TagInfo, p)
	default:
		g.say(proto.TagInfo, p+" is uptodate")
	}
}

// tell sends an item that needs no data to the sender, which sends it back
// when its turn has come; versions without items tell the user at once.
func (g *generator) tell(index int32, e *filelist.Entry, flags proto.Item) {
	g.tellItem(e, item{index: index, flags: flags})
}

// tellUnless is tell for what may have been told already.
func (g *generator) tellUnless(told bool, index int32, e *filelist.Entry, flags proto.Item) {
	if !told {
		g.tell(index, e, flags)
	}
}

func (g *generator) tellItem(e *filelist.Entry, it item) {
	flags := it.flags & proto.ItemWire
	if flags&proto.ItemSignificant == 0 && it.xname == "" && !g.tellsAll() {
		return
	}
	if !g.Caps.ItemFlags {
		it.flags = flags
		g.nameMade(e, it)
		g.noteItem(e, it)
		return
	}
	// A write error stays with the writer and comes up at the next flush.
	it.entry, it.have = e, g.have
	_, _ = g.W.Write(g.appendItem(nil, it))
}

// nameMade has a server name what has no data, to a client that is too old to
// hear of items (generator.c:recv_generator, hlink.c:maybe_hard_link).
func (g *generator) nameMade(e *filelist.Entry, it item) {
	if !g.Server || g.opt.Info(options.InfoName) == 0 || it.flags&proto.ItemSignificant == 0 {
		return
	}
	switch p := g.path(e); {
	case e.IsDir() && p == ".":
		g.say(proto.TagInfo, "./")
	case e.IsDir():
		g.say(proto.TagInfo, p+"/")
	case it.xname != "":
		g.say(proto.TagInfo, p+" => "+it.xname)
	case it.flags&proto.ItemLocalChange == 0:
	case e.IsLink():
		g.say(proto.TagInfo, p+" -> "+e.Target())
	default:
		g.say(proto.TagInfo, p)
	}
}

// made sets the metadata of what was just made in the place of something or, if
// replaced is not set, where nothing was.
func (g *generator) made(e *filelist.Entry, p string, have rootfs.Info, replaced bool) error {
	m := g.meta(e, have, replaced)
	if e.IsDir() {
		m.Fields &^= rootfs.FieldMtime
	}
	g.setACLs(e, p, m.Mode)
	if g.fakes() {
		return local("setting the attributes of", p, g.setMeta(e, p, rootfs.Info{}, m))
	}
	if g.opt.KeepDirlinks && e.IsLink() { // it may lead to a folder
		have, err := g.root.Lstat(p)
		if err == nil {
			err = g.root.UpdateMetadata(p, have, m)
		}
		return local("setting the attributes of", p, err)
	}
	return local("setting the attributes of", p, g.root.SetMetadata(p, m))
}

// dir makes a folder, or keeps one, and deletes what is too much in it.
func (g *generator) dir(index int32, e *filelist.Entry, p string, have rootfs.Info, exists bool) error {
	if exists && !have.IsDir() {
		if ok, err := g.makeWay(p, have, "directory"); !ok {
			return g.lose(p, err)
		}
		exists = false
	}
	if !exists || g.fresh && p == "." {
		return g.newDir(index, e, p, !exists)
	}
	g.keep(index, e, p, have)
	if g.needsRoom(e) || g.keepsTime(e) && g.timeDiffers(e, &have) {
		g.touch[index] = struct{}{}
	}
	return g.deleteDuring(index, e, p)
}

// needsRoom reports whether a folder would shut ourselves out while we work, which
// none does to root (generator.c:recv_generator).
func (g *generator) needsRoom(e *filelist.Entry) bool {
	root := os.Geteuid() == 0 && g.opt.Super.Root(true)
	return g.opt.Perms && e.Mode&0o300 != 0o300 && !root
}

// newDir makes a folder, unless that has been done to have a root, and tells of
// it as new.
func (g *generator) newDir(index int32, e *filelist.Entry, p string, missing bool) error {
	switch like, told, err := g.altOther(index, e, p); {
	case err != nil:
		return err
	case !told:
		g.tell(index, e, g.itemFlags(e, like, proto.ItemLocalChange))
	}
	g.markDir(e)
	if g.opt.DryRun {
		return nil
	}
	if err := g.beforeChange(); err != nil {
		return err
	}
	if missing {
		if err := g.root.Mkdir(p, 0o700); err != nil {
			return g.lose(p, local("recv_generator: mkdir", p, err))
		}
	}
	g.countCreated()
	g.touch[index] = struct{}{}
	e2 := *e
	if g.needsRoom(e) {
		e2.Mode |= 0o700
	}
	return g.made(&e2, p, rootfs.Info{}, false)
}

func (r *receiver) countCreated() {
	r.mu.Lock()
	r.created++
	r.stats.Created = r.created
	r.mu.Unlock()
}

// touchDirs sets the times and modes of folders that the work has changed,
// innermost first.
func (g *generator) touchDirs() error {
	order := make([]int32, 0, len(g.touch))
	for i := range g.touch {
		order = append(order, i)
	}
	slices.Sort(order)
	slices.Reverse(order)
	for _, i := range order {
		e := g.part.At(i)
		g.touchDir(g.path(e), e)
	}
	g.leaveAll()
	return nil
}

// touchDir sets a folder's times and mode.
func (g *generator) touchDir(p string, e *filelist.Entry) {
	if g.opt.DryRun {
		return
	}
	have, exists, err := g.lookupEntry(e, p)
	if err != nil || !exists || !have.IsDir() {
		return // it was reported when it was made
	}
	if err := g.setMeta(e, p, have, g.meta(e, have, true)); err != nil {
		g.failFile("setting the attributes of %q failed: %v", p, reason(err))
	}
}

// link makes a symbolic link unless it is there.
func (g *generator) link(index int32, e *filelist.Entry, p string, have rootfs.Info, exists bool) error {
	if g.ignoredLink(e, p) {
		return nil
	}
	if exists && have.IsSymlink() {
		target, err := g.readlink(g.root, p)
		if err == nil && target == e.Target() {
			g.keep(index, e, p, have)
			return nil
		}
	}
	return g.replace(index, e, p, have, exists, "symlink", func() error {
		if g.fakes() {
			return g.makeFile(p, e.Target())
		}
		return g.root.ReplaceSymlink(e.Target(), p)
	})
}

// node makes a device, fifo or socket unless it is there.
func (g *generator) node(index int32, e *filelist.Entry, p string, have rootfs.Info, exists bool) error {
	major, minor := e.Device()
	rdev := rootfs.MakeDev(major, minor)
	sameType := exists && (have.Mode^e.Mode)&filelist.ModeType == 0
	if sameType && (e.IsSpecial() || have.Rdev == rdev) {
		g.keep(index, e, p, have)
		return nil
	}
	what := "device file"
	if e.IsSpecial() {
		what = "special file"
	}
	return g.replace(index, e, p, have, exists, what, func() error {
		if g.fakes() {
			return g.makeFile(p, "")
		}
		return g.root.ReplaceNode(p, e.Mode&filelist.ModeType|0o600, rdev)
	})
}

// replace makes something that has no data in the place of what is there.
func (g *generator) replace(index int32, e *filelist.Entry, p string, have rootfs.Info, exists bool, what string, make func() error) error {
	alone := !exists
	if exists && have.IsDir() {
		if ok, err := g.makeWay(p, have, what); !ok {
			return err
		}
		exists = false
	}
	like, told := g.own(p, have, exists && (have.Mode^e.Mode)&filelist.ModeType == 0), false
	if alone {
		var err error
		if like, told, err = g.altOther(index, e, p); err != nil || told && g.opt.Alternative != options.AltCopy {
			return err
		}
	}
	flags := proto.Item(0)
	if !told {
		flags = g.itemFlags(e, like, proto.ItemLocalChange|proto.ItemChange)
	}
	g.markDir(e)
	if g.opt.DryRun {
		g.tellUnless(told, index, e, flags)
		return nil
	}
	if err := g.beforeChange(); err != nil {
		return err
	}
	if err := g.beforeReplacing(p, exists); err != nil {
		return err
	}
	if err := make(); err != nil {
		return local("making the "+what, p, err)
	}
	g.tellUnless(told, index, e, flags)
	if !exists {
		g.countCreated()
	}
	if e.IsLink() {
		g.success(index, p) // with --remove-sent-files too (generator.c:recv_generator)
	} else {
		g.upToDate(index, e, p)
	}
	// Permissions stay (generator.c:recv_generator), but a link's are nobody's wish.
	return g.made(e, p, have, exists && !have.IsSymlink())
}
