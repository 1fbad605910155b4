package transfer

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

// Named is a path below a source's root that a user has asked for.
type Named struct {
	Path string // clean and relative, "." is the root
	// Slash: it was written with a slash behind, so that what a link leads to
	// is meant, and without recursion what is in the folder.
	Slash bool
}

// SplitRelative takes a path apart as --relative does: the folder to start
// from, "" where the path itself says nothing of it, and what is to be called
// by its whole path. dot says that "./" was written in front of that, which
// names the starting folder itself. A name that climbs is an error
// (flist.c:send_file_list).
func SplitRelative(arg string) (dir string, n Named, dot bool, err error) {
	rest := arg
	if i := strings.Index(arg, "/./"); i >= 0 {
		dir, rest = arg[:i], strings.TrimLeft(arg[i+3:], "/")
		if dir == "" {
			dir = "/"
		}
	} else if strings.HasPrefix(arg, "/") {
		dir = "/"
	}
	dot = strings.HasPrefix(rest, "./") && len(rest) > 2
	if slices.Contains(strings.Split(rest, "/"), "..") {
		return "", n, false, proto.Failf(proto.ExitSyntax, "found \"..\" dir in relative path: %s", rest)
	}
	clean := path.Clean("/" + rest)[1:]
	if clean == "" {
		return dir, Named{".", true}, false, nil
	}
	return dir, Named{clean, strings.HasSuffix(rest, "/") || strings.HasSuffix(rest, "/.")}, dot, nil
}

// CleanName makes a line of --files-from a path that does not climb above its
// start; "/./" and a slash at the end keep their meaning
// (util1.c:sanitize_path).
func CleanName(line string) string {
	var parts []string
	for _, p := range strings.Split(line, "/") {
		switch {
		case p == "", p == "." && len(parts) > 0 && parts[len(parts)-1] == ".":
		case p == "..":
			if n := len(parts); n > 0 {
				parts = parts[:n-1]
			}
		default:
			parts = append(parts, p)
		}
	}
	clean := strings.Join(parts, "/")
	if clean == "" {
		return "."
	}
	if strings.HasSuffix(line, "/") {
		clean += "/"
	}
	return clean
}

// NameSources makes sources of the lines of --files-from. open opens a folder
// to start from, named relative to the one that all lines start from ("."); it
// is asked once for each.
func NameSources(lines []string, relative bool, open func(dir string) Source) ([]Source, error) {
	var sources []Source
	at := map[string]int{}
	for _, line := range lines {
		line = CleanName(line)
		dir, n, dot := "", Named{}, false
		if relative {
			var err error
			if dir, n, dot, err = SplitRelative(line); err != nil {
				return nil, err
			}
		} else {
			var name string
			dir, name = SplitSource(line)
			n = Named{name, name == "."}
		}
		dir = path.Clean(dir)
		i, known := at[dir]
		if !known {
			if len(sources) == maxSources {
				return nil, proto.Failf(proto.ExitUnsupported, "the names to transfer lie in more than %d folders: use --relative, or divide them", maxSources)
			}
			i = len(sources)
			at[dir] = i
			sources = append(sources, open(dir))
			sources[i].Relative = relative
		}
		if s := &sources[i]; s.Err != nil {
			s.Name = dir
		} else {
			s.Names = append(s.Names, n)
			s.Dot = s.Dot || dot
		}
	}
	return sources, nil
}

// maxSources is how many sources entries can tell apart; each has a descriptor
// open, too.
const maxSources = 512

// source adds what one of the sources names.
func (w *walker) source(s Source) error {
	if s.Err != nil {
		w.missing(s.Name, s.Err)
		return nil
	}
	if s.Dot && w.opt.Relative {
		info, err := s.Root.Lstat(".")
		if err == nil {
			info, err = w.unfake(s.Root, ".", info)
		}
		if err == nil {
			err = w.add(s.Root, ".", info, filelist.MarkTopDir|filelist.MarkNoContent)
		}
		if err != nil {
			return err
		}
	}
	names := s.Names
	if names == nil {
		names = []Named{{s.Name, s.Name == "." || s.Slash}}
	}
	for _, n := range names {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		if err := w.named(&s, n); err != nil {
			return err
		}
	}
	return nil
}

// named adds a file or folder that the user has named, with the folders on the
// way to it and, where asked for, what is in it (flist.c:send_file_list).
func (w *walker) named(s *Source, n Named) error {
	info, err := w.find(s, n)
	if err == nil && s.Closed != nil && s.Closed(n.Path, info.IsDir()) {
		err = syscall.ENOENT
	}
	if errors.Is(err, fs.ErrNotExist) && w.opt.MissingArgs == options.MissingDelete {
		err, info = nil, rootfs.Info{} // an entry that is nothing
	}
	if err != nil {
		w.missing(n.Path, err)
		return nil
	}
	if info.IsDir() && !w.opt.Recurse && !w.opt.TransferDirs() {
		w.report(proto.TagInfo, "skipping directory %s", n.Path)
		return nil
	}
	if n.Path != "." && info.Mode != 0 && w.hidden(n.Path, info.IsDir()) {
		return nil
	}
	// Since folders can be marked the receiving side tells those on the way
	// from others, and wants them on the list.
	if s.Relative && (!w.opt.NoImpliedDirs || w.Caps.NoContentDirs) {
		if err := w.onTheWay(s, n.Path); err != nil {
			return err
		}
	}
	mark := filelist.MarkTopDir
	intoDir := w.opt.Recurse || n.Slash && w.opt.TransferDirs()
	if !intoDir {
		mark = filelist.MarkNoContent
	}
	if err := w.add(s.Root, n.Path, info, mark); err != nil {
		return err
	}
	if !info.IsDir() || !intoDir || w.Caps.IncRecurse && n.Path != "." {
		return nil
	}
	return w.dir(s.Root, n.Path)
}

// missing tells that something the user has named is not sent. What does not
// exist is no reason to keep it at the destination.
func (w *walker) missing(name string, err error) {
	switch {
	case !errors.Is(err, fs.ErrNotExist):
		w.failFile("link_stat %q failed: %v", name, reason(err))
	case w.opt.MissingArgs != options.MissingIgnore:
		w.report(proto.TagErrorXfer, "link_stat %q failed: %v", name, reason(err))
	}
}

// find looks at what the user has named. Links on the way to it are followed.
func (w *walker) find(s *Source, n Named) (rootfs.Info, error) {
	info, err := s.Root.Lstat(n.Path)
	if errors.Is(err, rootfs.ErrSymlink) {
		if err = w.follow(s, path.Dir(n.Path)); err == nil {
			info, err = s.Root.Lstat(n.Path)
		}
	}
	switch {
	case err != nil:
		return info, err
	case info.IsSymlink() && n.Slash && !w.follows():
		return w.graft(s, n.Path)
	}
	return w.look(s.Root, n.Path, info)
}

// follow puts the folders that links in a path lead to in the links' place.
func (w *walker) follow(s *Source, dir string) error {
	for i := range len(dir) + 1 {
		if i < len(dir) && dir[i] != '/' {
			continue
		}
		info, err := s.Root.Lstat(dir[:i])
		if err == nil && info.IsSymlink() && !s.grafted(dir[:i]) {
			_, err = w.graft(s, dir[:i])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Source) grafted(p string) bool { return slices.Contains(s.grafts, p) }

// graft puts the folder that a link leads to in its place, and returns what is
// known of it.
func (w *walker) graft(s *Source, link string) (info rootfs.Info, err error) {
	var to *rootfs.Root
	if s.Enter != nil {
		to, err = s.Enter(link)
	} else if s.Outer != nil {
		to, err = s.Outer.Following(path.Join(s.Base, link), rootfs.LinksAsRoot)
	} else {
		to, err = s.Root.Sub(link)
	}
	if err != nil {
		return info, err
	}
	defer to.Close()
	if !s.grafted(link) {
		if err := s.Root.Graft(link, to); err != nil {
			return info, err
		}
		s.grafts = append(s.grafts, link)
	}
	return to.Lstat(".")
}

// onTheWay adds the folders that lead to p, once each, and has the rules look
// into them (flist.c:send_implied_dirs).
func (w *walker) onTheWay(s *Source, p string) error {
	for i := range len(p) {
		if p[i] != '/' {
			continue
		}
		dir := p[:i]
		if _, err := w.enter(dir); err != nil {
			return err
		}
		key := implied{w.from, dir}
		if w.implied[key] {
			continue
		}
		info, err := s.Root.Lstat(dir)
		if err == nil && info.IsSymlink() {
			info, err = w.graft(s, dir)
		}
		if err == nil {
			info, err = w.unfake(s.Root, dir, info)
		}
		if errors.Is(err, fs.ErrNotExist) {
			w.setIOError(proto.IOErrVanished)
			w.report(proto.TagWarning, "file has vanished: %q", dir)
			continue
		}
		if err != nil {
			w.missing(dir, err)
			continue
		}
		if w.implied == nil {
			w.implied = map[implied]bool{}
		}
		w.implied[key] = true
		if err := w.add(s.Root, dir, info, filelist.MarkTopDir|filelist.MarkNoContent); err != nil {
			return err
		}
	}
	return nil
}

// implied is a folder on the way to what a source names.
type implied struct {
	from uint16
	dir  string
}

// mounts leaves folders out of a list that other file systems are mounted on,
// for -xx, or remembers them for -x: they are sent without what is in them
// (flist.c:make_file).
func (w *walker) mounts(root *rootfs.Root, dir string, infos []rootfs.NamedInfo) []rootfs.NamedInfo {
	if w.opt.OneFileSystem == 0 {
		return infos
	}
	here, err := root.Stat(dir)
	if err != nil {
		return infos
	}
	elsewhere := func(in rootfs.NamedInfo) bool { return in.Err == nil && in.IsDir() && in.Dev != here.Dev }
	if w.opt.OneFileSystem > 1 {
		return slices.DeleteFunc(infos, func(in rootfs.NamedInfo) bool {
			if !elsewhere(in) {
				return false
			}
			if p := path.Join(dir, in.Name); w.opt.Info(options.InfoMount) > 0 {
				w.report(proto.TagInfo, "[sender] skipping mount-point dir %s", p)
			}
			return true
		})
	}
	for _, in := range infos {
		if elsewhere(in) {
			if w.mounted == nil {
				w.mounted = map[implied]bool{}
			}
			w.mounted[implied{w.from, path.Join(dir, in.Name)}] = true
		}
	}
	return infos
}

func (w *walker) isMounted(p string) bool { return w.mounted[implied{w.from, p}] }
