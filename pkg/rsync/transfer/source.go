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
	// Shown is what Root is called where a log has a file's full name.
	Shown string
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
	// Enter, if not nil, opens the folder that a link on the way to a name leads
	// to, as far as it is to be followed.
	Enter func(link string) (*rootfs.Root, error)
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
	spare   *listing // nil: in use, or there is none

	folders [][]folder       // whose parts are still to come, a slice for each level
	numbers int32            // folders that have been announced
	implied map[implied]bool // folders on the way that have been added
	mounted map[implied]bool // folders on which something is mounted
}

func (c *common) newWalker(ctx context.Context, sources []Source) *walker {
	w := &walker{
		common: c, ctx: ctx, sources: sources, list: c.newList(0, nil),
		enc: filelist.NewEncoder(c.Caps, c.fields()), users: newNames(c.accounts().UserName), groups: newNames(c.accounts().GroupName),
	}
	if !c.Nameless {
		w.enc.UserName, w.enc.GroupName = w.users.lookup, w.groups.lookup
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
	if w.rules == nil {
		return false
	}
	from := &w.sources[w.from]
	hidden := w.rules.Hidden(from, p, isDir)
	if w.explains != nil {
		if why := w.explains.WhyHidden(from, p, isDir); why != "" {
			w.report(proto.TagInfo, "%s", why)
		}
	}
	return hidden
}

// listing is what a folder's listing needs; each folder that is being listed
// has one.
type listing struct {
	names rootfs.Names
	infos []rootfs.NamedInfo
}

// lookWindow is how many files of a folder are looked at together: many, for the
// sake of disks (see [rootfs.Names.Look]), but not all that a large folder has.
const lookWindow = 2048

// dir adds what is in a folder, files first, each in the protocol's order, so
// that the list needs no sorting.
func (w *walker) dir(root *rootfs.Root, dir string) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	if open, err := w.enter(dir); !open {
		return err
	}
	l := w.spare
	if w.spare = nil; l == nil {
		l = &listing{}
	}
	err := root.ReadNames(dir, &l.names)
	switch {
	case err == nil:
		err = w.children(root, dir, l)
		l.names.Close()
	case errors.Is(err, fs.ErrNotExist):
		w.setIOError(proto.IOErrVanished)
		w.report(proto.TagWarning, "directory has vanished: %q", dir)
		err = nil
	default:
		w.failFile("opendir %q failed: %v", dir, reason(err))
		err = nil
	}
	if l.names.Len() <= lookWindow { // else it is large, and others will not be
		w.spare = l
	}
	return err
}

// children adds what is in a folder whose names have been read.
func (w *walker) children(root *rootfs.Root, dir string, l *listing) error {
	window := lookWindow
	whole := w.looksCloser() || !l.names.Typed()
	if whole { // what comes first is not known yet
		window = max(l.names.Len(), 1)
	} else {
		l.names.Sort(func(a string, aType uint32, b string, bType uint32) int {
			return filelist.CompareNames(a, aType, b, bType, w.Caps.DirsSortLast)
		})
	}
	for from := 0; from < l.names.Len(); from += window {
		l.infos = l.names.Look(from, min(from+window, l.names.Len()), l.infos[:0])
		if whole {
			w.lookAll(root, dir, l.infos)
			slices.SortFunc(l.infos, func(a, b rootfs.NamedInfo) int {
				return filelist.CompareNames(a.Name, a.Mode, b.Name, b.Mode, w.Caps.DirsSortLast)
			})
		}
		infos := w.mounts(root, dir, l.infos)
		for i := range infos {
			if err := w.child(root, dir, &infos[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *walker) child(root *rootfs.Root, dir string, in *rootfs.NamedInfo) error {
	if dir == "." {
		dir = ""
	}
	e := filelist.Entry{Dir: dir, Base: in.Name}
	if w.rules != nil && w.hidden(e.Path(), in.IsDir()) {
		return nil
	}
	if in.Err != nil {
		w.cannotLook(e.Path(), in.Err)
		return nil
	}
	into := in.IsDir() && w.opt.Recurse && !w.isMounted(e.Path())
	if in.IsDir() && !into {
		e.Mark = filelist.MarkNoContent
	}
	if err := w.addEntry(root, &in.Info, e); err != nil || !into || w.Caps.IncRecurse {
		return err
	}
	return w.dir(root, e.Path())
}

// add puts what is at a path on the list and on the wire.
func (w *walker) add(root *rootfs.Root, p string, in rootfs.Info, mark filelist.Mark) error {
	e := filelist.Entry{Mark: mark}
	e.SetPath(p)
	return w.addEntry(root, &in, e)
}

// addEntry is add for an entry that has its name and mark.
func (w *walker) addEntry(root *rootfs.Root, in *rootfs.Info, e filelist.Entry) error {
	if len(e.Dir)+1+len(e.Base) >= proto.MaxPath {
		w.failFile("name of %d bytes is too long: %q...", len(e.Path()), e.Path()[:40])
		return nil
	}
	e.Size, e.Mtime, e.Nsec, e.Mode = in.Size, in.Mtime, in.MtimeNsec, in.Mode
	e.UID, e.GID, e.From = in.UID, in.GID, w.from
	if w.opt.Atimes > 0 && !in.IsDir() {
		e.SetAtime(in.Atime)
	}
	if !in.IsSymlink() {
		e.Mode = w.Chmod.Apply(e.Mode)
	}
	if last := w.list.Last(); last != nil && last.Dir == e.Dir {
		e.Dir = last.Dir
	}
	if w.opt.HardLinks && !in.IsDir() && filelist.NeedsInode(w.Caps, in.IsRegular(), in.Nlink) {
		e.SetInode(in.Dev, in.Ino)
	}
	if ok := w.complete(root, in, &e); !ok {
		return nil
	}
	out := e
	if w.Charset != nil {
		var ok bool
		if out, ok = w.abroad(&e); !ok {
			return nil
		}
	}
	var tail []byte
	if w.opt.ACLs || w.opt.Xattrs != 0 {
		var ok bool
		if tail, ok = w.attributes(root, e.Path(), *in, &e); !ok {
			return nil
		}
	}
	w.list.Add(e)
	if w.list.Bytes() > w.mostMemory {
		return proto.Fail(proto.ExitMalloc, filelist.ErrMemory)
	}
	w.count(&e)
	names := !w.opt.NumericIDs && !w.Nameless && !w.Caps.IncRecurse
	if w.opt.Owner && names {
		w.users.add(e.UID)
	}
	if w.opt.Group && names {
		w.groups.add(e.GID)
	}
	w.buf = append(w.enc.Append(w.buf, &out), tail...)
	if len(w.buf) < 4096 {
		return nil
	}
	if n := w.list.Len(); n%1000 < 100 && !w.Caps.IncRecurse {
		w.obs.Listed(n, false)
	}
	return w.send()
}

// complete adds what some kinds of entries have; false leaves the file out.
func (w *walker) complete(root *rootfs.Root, in *rootfs.Info, e *filelist.Entry) bool {
	switch {
	case in.IsSymlink() && w.opt.Links:
		p := e.Path()
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
		p := e.Path()
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
