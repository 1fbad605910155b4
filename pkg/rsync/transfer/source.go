package transfer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

// Source is a file or folder to send: Name, as it is called on the other
// side, below Root. Name "." sends what is in Root.
type Source struct {
	Root *rootfs.Root
	Name string
	// Prefix is where Root lies below what the sending side's own rules
	// start from, "" if it is the same.
	Prefix string
	// Outer is what links may lead to where the options have them followed,
	// and Base where Root lies below it; nil: what is in Root.
	Outer *rootfs.Root
	Base  string
	Err   error // why it cannot be sent: told when its turn comes

	// Slash is that of [Named] for Name. Names, if not nil, is sent instead of
	// Name.
	Slash bool
	Names []Named
	// Relative sends the folders on the way as well, and Dot the root itself.
	Relative, Dot bool
	// Open opens a folder below the one that Name means, for what --files-from
	// names there; "." is the folder itself.
	Open func(dir string) Source
	// Closed, if not nil, reports what does not exist for the peer.
	Closed func(path string, isDir bool) bool

	grafts []string // links that folders stand in the place of
}

// SplitSource takes a path as a user writes it apart: the folder to start
// from and the name to send from there. A final slash, "." or ".." sends what
// is in the folder. "" is the starting folder itself.
func SplitSource(arg string) (dir, name string) {
	trailing := strings.HasSuffix(arg, "/")
	base := path.Base(arg)
	clean := path.Clean(strings.TrimLeft(arg, "/"))
	if arg == "" || trailing || base == "." || base == ".." {
		return clean, "."
	}
	return path.Dir(clean), path.Base(clean)
}

// walker makes the file list and sends it as it grows: whole, or what is in one
// folder at a time.
type walker struct {
	*common
	ctx     context.Context
	sources []Source
	from    uint16
	list    *filelist.List // the one that is being made
	enc     *filelist.Encoder
	buf     []byte
	users   *names
	groups  *names

	folders [][]folder       // whose parts are still to come, a slice for each level
	numbers int32            // folders that have been announced
	implied map[implied]bool // folders on the way that have been added
	mounted map[implied]bool // folders on which something is mounted
}

func (c *common) newWalker(ctx context.Context, sources []Source) *walker {
	w := &walker{
		common: c, ctx: ctx, sources: sources, list: &filelist.List{},
		enc: filelist.NewEncoder(c.Caps, c.fields()), users: userNames(), groups: groupNames(),
	}
	if !c.Nameless {
		w.enc.UserName, w.enc.GroupName = w.users.name, w.groups.name
	}
	return w
}

// run walks the sources and sends the list, or its first part
// (flist.c:send_file_list).
func (w *walker) run() error {
	if w.Caps.IncRecurse {
		w.begin(nil)
	}
	start, began := w.W.Total(), time.Now()
	for i, s := range w.sources {
		w.from = uint16(i)
		if err := w.source(s); err != nil {
			return err
		}
	}
	built := time.Now()
	w.stats.ListBuild = max(built.Sub(began), time.Millisecond)
	if err := w.end(w.ioError.Load()); err != nil {
		return err
	}
	w.stats.ListTransfer = time.Since(built)
	w.stats.ListSize = w.W.Total() - start
	if w.Caps.IncRecurse {
		return w.firstPart()
	}
	w.list.Sort(w.Caps.DirsSortLast)
	w.parts.add(w.list)
	w.list = nil
	return w.seal()
}

// end ends the list that is being made.
func (w *walker) end(ioError int32) error {
	if w.opt.IgnoreErrors {
		ioError = 0
	}
	if ioError != 0 && w.Caps.IncRecurse && !w.Caps.SafeList && w.opt.Delete != options.DeleteNone {
		// flist.c:fatal_unsafe_io_error: releases before 3.0.7
		return proto.Failf(proto.ExitUnsupported, "an error with a folder cannot be told to this peer before it deletes what is missing; --no-i-r can")
	}
	w.buf = w.enc.AppendEnd(w.buf, ioError, w.users.list, w.groups.list)
	return w.send()
}

// seal tells that the whole list has been sent.
func (w *walker) seal() error {
	w.parts.seal()
	w.obs.Listed(w.parts.entries(), true)
	if err := w.W.Flush(); err != nil {
		return fmt.Errorf("send file list: %w", err)
	}
	return nil
}

// send hands what is encoded to the writer.
func (w *walker) send() error {
	_, err := w.W.Write(w.buf)
	w.buf = w.buf[:0]
	if err != nil {
		return fmt.Errorf("send file list: %w", err)
	}
	return nil
}

func (w *walker) hidden(p string, isDir bool) bool {
	return w.rules != nil && w.rules.Hidden(&w.sources[w.from], p, isDir)
}

// dir adds what is in a folder, files first, each in the protocol's order, so
// that the list needs no sorting.
func (w *walker) dir(root *rootfs.Root, dir string) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	if open, err := w.enter(dir); !open {
		return err
	}
	infos, err := root.ReadDirInfo(dir)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			w.setIOError(proto.IOErrVanished)
			w.report(proto.TagWarning, "directory has vanished: %q", dir)
			return nil
		}
		w.failFile("opendir %q failed: %v", dir, reason(err))
		return nil
	}
	w.lookAll(root, dir, infos)
	slices.SortFunc(infos, func(a, b rootfs.NamedInfo) int {
		ea, eb := filelist.Entry{Base: a.Name, Mode: a.Mode}, filelist.Entry{Base: b.Name, Mode: b.Mode}
		return filelist.Compare(&ea, &eb, w.Caps.DirsSortLast)
	})
	for _, in := range w.mounts(root, dir, infos) {
		if err := w.child(root, dir, in); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) child(root *rootfs.Root, dir string, in rootfs.NamedInfo) error {
	p := in.Name
	if dir != "." {
		p = dir + "/" + p
	}
	if w.hidden(p, in.IsDir()) {
		return nil
	}
	if in.Err != nil {
		w.cannotLook(p, in.Err)
		return nil
	}
	var mark filelist.Mark
	into := in.IsDir() && w.opt.Recurse && !w.isMounted(p)
	if in.IsDir() && !into {
		mark = filelist.MarkNoContent
	}
	if err := w.add(root, p, in.Info, mark); err != nil || !into || w.Caps.IncRecurse {
		return err
	}
	return w.dir(root, p)
}

// add puts an entry on the list and on the wire.
func (w *walker) add(root *rootfs.Root, p string, in rootfs.Info, mark filelist.Mark) error {
	if len(p) >= proto.MaxPath {
		w.failFile("name of %d bytes is too long: %q...", len(p), p[:40])
		return nil
	}
	e := filelist.Entry{
		Size: in.Size, Mtime: in.Mtime, Nsec: in.MtimeNsec, Mode: in.Mode,
		UID: in.UID, GID: in.GID, Mark: mark, From: w.from,
	}
	if w.opt.Atimes > 0 && !in.IsDir() {
		e.SetAtime(in.Atime)
	}
	if !in.IsSymlink() {
		e.Mode = w.Chmod.Apply(e.Mode)
	}
	e.SetPath(p)
	if last := w.list.Last(); last != nil && last.Dir == e.Dir {
		e.Dir = last.Dir
	}
	if w.opt.HardLinks && !in.IsDir() && filelist.NeedsInode(w.Caps, in.IsRegular(), in.Nlink) {
		e.SetInode(in.Dev, in.Ino)
	}
	if ok := w.complete(root, p, in, &e); !ok {
		return nil
	}
	tail, ok := w.attributes(root, p, in, &e)
	if !ok {
		return nil
	}
	w.list.Add(e)
	w.count(&e)
	names := !w.opt.NumericIDs && !w.Nameless && !w.Caps.IncRecurse
	if w.opt.Owner && names {
		w.users.add(e.UID)
	}
	if w.opt.Group && names {
		w.groups.add(e.GID)
	}
	w.buf = append(w.enc.Append(w.buf, &e), tail...)
	if len(w.buf) < 4096 {
		return nil
	}
	if n := w.list.Len(); n%1000 < 100 && !w.Caps.IncRecurse {
		w.obs.Listed(n, false)
	}
	return w.send()
}

// complete adds what some kinds of entries have; false leaves the file out.
func (w *walker) complete(root *rootfs.Root, p string, in rootfs.Info, e *filelist.Entry) bool {
	switch {
	case in.IsSymlink() && w.opt.Links:
		target, err := w.readlink(root, p)
		if err != nil {
			w.failFile("readlink %q failed: %v", p, reason(err))
			return false
		}
		target = w.unmunge(target)
		e.SetTarget(target)
		e.Size = int64(len(target))
	case in.IsDevice():
		e.SetDevice(in.Major(), in.Minor())
		e.Size = 0
	case in.IsSpecial():
		e.Size = 0
	case in.IsRegular() && w.opt.Checksum:
		sum, err := fileSum(root, p, w.openFlags(), w.ListSum)
		if err != nil {
			w.failFile("checksum of %q failed: %v", p, reason(err))
			return false
		}
		e.SetSum(sum)
	}
	return true
}

// reason strips an error of the path that the message already names.
func reason(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
