package transfer

import (
	"errors"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

// MungePrefix stands before the targets of links that --munge-links disables,
// and a folder of that name must not exist (rsync.h:SYMLINK_PREFIX).
const MungePrefix = "/rsyncd-munged/"

// unsafeLink reports whether a link leads out of the transfer: to an absolute
// name, or above the top by "..". where is the link's own name
// (util1.c:unsafe_symlink).
func unsafeLink(target, where string) bool {
	if target == "" || target[0] == '/' {
		return true
	}
	// ".." behind a name may be behind another link.
	rest := target
	for strings.HasPrefix(rest, "../") {
		rest = strings.TrimLeft(rest[3:], "/")
	}
	if strings.Contains(rest, "/../") || len(target) > 3 && strings.HasSuffix(target, "/..") {
		return true
	}
	depth := strings.Count(where, "/")
	for part := range strings.SplitSeq(target, "/") {
		switch part {
		case "", ".":
		case "..":
			if depth--; depth < 0 {
				return true
			}
		default:
			depth++
		}
	}
	return false
}

// trimLink makes of a link's target one that stays below the transfer's root:
// relative, and with no more ".." than the depth folders that the link is in,
// all at the beginning (util1.c:sanitize_path).
func trimLink(target string, depth int) string {
	var up, names []string // each with the slash behind it
	for part := range strings.SplitAfterSeq(target, "/") {
		switch name := strings.TrimSuffix(part, "/"); {
		case name == "" || name == ".":
		case name != "..":
			names = append(names, part)
		case len(names) > 0:
			names = names[:len(names)-1]
		case depth > 0:
			depth--
			up = append(up, part)
		}
	}
	if len(up)+len(names) == 0 {
		return "."
	}
	return strings.Join(append(up, names...), "")
}

// noReferent is a link that is to be copied as what it leads to, which is
// nothing.
type noReferent struct{ err error }

func (e *noReferent) Error() string { return e.err.Error() }
func (e *noReferent) Unwrap() error { return e.err }

// follows reports whether the options have the sending side follow links.
func (c *common) follows() bool {
	return c.opt.CopyLinks || c.opt.CopyDirlinks || c.opt.CopyUnsafeLinks
}

// look returns what a file is sent as: itself or, with some options, something
// else (flist.c:readlink_stat).
func (w *walker) look(root *rootfs.Root, p string, in rootfs.Info) (rootfs.Info, error) {
	in, err := w.refer(root, p, in)
	if err == nil && w.opt.CopyDevices && in.IsDevice() {
		in = w.asFile(root, p, in)
	}
	return in, err
}

// asFile makes a device a file of what can be read from it, which is as old as
// the reading (flist.c:make_file).
func (w *walker) asFile(root *rootfs.Root, p string, in rootfs.Info) rootfs.Info {
	if in.Size == 0 {
		if f, _, err := root.OpenRead(p, w.openFlags()); err == nil { // else sending it will tell
			in.Size = f.End()
			f.Close()
		}
	}
	in.Mode = in.Mode&^filelist.ModeType | filelist.ModeFile
	in.Rdev, in.Mtime, in.MtimeNsec = 0, time.Now().Unix(), 0
	return in
}

// refer is what is sent of a file with the options about links.
func (w *walker) refer(root *rootfs.Root, p string, in rootfs.Info) (rootfs.Info, error) {
	in, err := w.unfake(root, p, in)
	if err != nil || !in.IsSymlink() || !w.follows() {
		return in, err
	}
	if w.opt.CopyLinks {
		return referent(root, p)
	}
	if w.opt.CopyDirlinks {
		if to, err := root.Stat(p); err == nil && to.IsDir() {
			return to, nil
		}
	}
	if !w.opt.CopyUnsafeLinks {
		return in, nil
	}
	target, err := root.Readlink(p)
	if err != nil || !unsafeLink(target, p) {
		return in, err
	}
	if w.opt.Info(options.InfoSymsafe) > 0 {
		w.report(proto.TagInfo, "copying unsafe symlink \"%s\" -> \"%s\"", p, target)
	}
	return referent(root, p)
}

func referent(root *rootfs.Root, p string) (rootfs.Info, error) {
	to, err := root.Stat(p)
	if errors.Is(err, fs.ErrNotExist) {
		err = &noReferent{err}
	}
	return to, err
}

// looksCloser reports whether files may be sent as something else than they are.
func (w *walker) looksCloser() bool { return w.follows() || w.fakes() || w.opt.CopyDevices }

// lookAll is look for what is in a folder.
func (w *walker) lookAll(root *rootfs.Root, dir string, infos []rootfs.NamedInfo) {
	if !w.looksCloser() {
		return
	}
	every := w.fakes() || w.opt.CopyDevices
	for i := range infos {
		in := &infos[i]
		p := in.Name
		if dir != "." {
			p = dir + "/" + p
		}
		if in.Err != nil || !in.IsSymlink() && !every {
			continue
		}
		if w.hidden(p, false) || w.hidden(p, true) {
			continue // not worth an error; what it is decides later
		}
		in.Info, in.Err = w.look(root, p, in.Info)
	}
}

// cannotLook tells of a file that cannot be looked at.
func (w *walker) cannotLook(p string, err error) {
	var dangling *noReferent
	switch {
	case errors.As(err, &dangling):
		w.failFile("symlink has no referent: %q", p)
	case errors.Is(err, fs.ErrNotExist):
		w.setIOError(proto.IOErrVanished)
		w.report(proto.TagWarning, "file has vanished: %q", p)
	default:
		w.failFile("readlink_stat(%q) failed: %v", p, reason(err))
	}
}

// reach opens a source for the options that follow links; close gives it back.
func (s Source) reach() (root *rootfs.Root, close func(), err error) {
	outer, base := s.Outer, s.Base
	if outer == nil {
		outer, base = s.Root, "."
	}
	root, err = outer.Following(base, rootfs.LinksAsRoot)
	if err != nil {
		return nil, nil, err
	}
	return root, func() { root.Close() }, nil
}

// reachOut replaces the roots of sources by such as follow links, where the
// options ask for it.
func (c *common) reachOut(sources []Source) (out []Source, done func()) {
	if !c.follows() {
		return sources, func() {}
	}
	var closers []func()
	for _, s := range sources {
		if s.Err == nil && s.Root != nil {
			root, end, err := s.reach()
			if err != nil {
				s.Err = err
			} else {
				s.Root = root
				closers = append(closers, end)
			}
		}
		out = append(out, s)
	}
	return out, func() {
		for _, end := range closers {
			end()
		}
	}
}

// unmunge gives a link its target back (flist.c:readlink_stat).
func (c *common) unmunge(target string) string {
	if c.opt.MungeLinks && len(target) > len(MungePrefix) {
		return strings.TrimPrefix(target, MungePrefix)
	}
	return target
}

// ignoredLink reports whether --safe-links leaves a link out, and says so.
func (g *generator) ignoredLink(e *filelist.Entry, p string) bool {
	if !g.opt.SafeLinks || !unsafeLink(e.Target(), p) {
		return false
	}
	if g.opt.Info(options.InfoSymsafe) > 0 {
		g.report(proto.TagInfo, "ignoring unsafe symlink \"%s\" -> \"%s\"", p, e.Target())
	}
	return true
}

// followDirlinks makes the destination one in which links to folders are
// followed, as long as they stay below its root (--keep-dirlinks).
func (r *receiver) followDirlinks() error {
	if !r.opt.KeepDirlinks || r.void || r.name != "" {
		return nil
	}
	base := path.Clean(strings.Trim(r.dest.Path, "/"))
	root, err := r.dest.Root.Following(base, rootfs.LinksBeneath)
	if err != nil {
		return proto.Failf(proto.ExitFileSelect, "the destination %q is no folder that can be used: %w", base, reason(err))
	}
	if r.root != r.dest.Root {
		r.root.Close()
	}
	r.root = root
	return nil
}

// lookupEntry is lookup for an entry: with --keep-dirlinks a link to a folder
// counts as one where a folder comes.
func (r *receiver) lookupEntry(e *filelist.Entry, p string) (rootfs.Info, bool, error) {
	have, exists, err := r.lookup(p)
	if err != nil || !exists || !have.IsSymlink() || !r.opt.KeepDirlinks || !e.IsDir() {
		return have, exists, err
	}
	to, err := r.root.Stat(p)
	switch {
	case errors.Is(err, rootfs.ErrEscapes):
		return have, true, err // neither followed nor replaced
	case err == nil && to.IsDir():
		return to, true, nil
	}
	return have, true, nil
}
