package daemon

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
)

// requested takes a path argument of a client apart: "mod/a" is a below the
// module, and what older clients send for "mod/a mod/b" is two paths
// (util1.c:glob_expand_module). With relative a "/./" keeps its meaning.
func requested(module, arg string, relative bool) []string {
	clean := inside
	if relative {
		clean = insideRelative
	}
	arg = strings.TrimLeft(arg, "/")
	rest, ok := cutModule(module, arg)
	if !ok {
		return []string{clean(arg)}
	}
	var paths []string
	for _, p := range strings.Split(rest, " "+module+"/") {
		paths = append(paths, clean(p))
	}
	return paths
}

// insideRelative is inside for a path that is kept as a whole: a "/./" in it
// stays.
func insideRelative(p string) string {
	if clean := transfer.CleanName(p); clean != "." {
		return clean
	}
	return ""
}

func cutModule(module, arg string) (string, bool) {
	if arg == module {
		return "", true
	}
	return strings.CutPrefix(arg, module+"/")
}

// inside cleans a path so that it cannot climb above the module
// (util1.c:sanitize_path). A final slash stays, or comes in the place of a
// final "." or "..": it stands for what is in the folder. "" is the module.
func inside(p string) string {
	clean := path.Clean("/" + p)[1:]
	base := path.Base(p)
	if clean != "" && (strings.HasSuffix(p, "/") || base == "." || base == "..") {
		clean += "/"
	}
	return clean
}

const (
	magic = "*?[" // what makes a path a pattern
	// maxExpand bounds how many paths one pattern may become.
	maxExpand = 10_000
)

// expand replaces wildcards in a requested path by what matches below root.
// What matches nothing stays as it is, so that the client hears of it. closed
// says where not to look (util1.c:glob_expand).
func expand(ctx context.Context, root *rootfs.Root, p string, closed func(p string, isDir bool) bool) []string {
	if !strings.ContainsAny(p, magic) {
		return []string{p}
	}
	found := []string{"."}
	for _, part := range strings.Split(strings.TrimSuffix(p, "/"), "/") {
		if ctx.Err() != nil {
			return nil
		}
		found = expandPart(root, found, part, closed)
	}
	found = slices.DeleteFunc(found, func(f string) bool { return !exists(root, f) })
	if len(found) == 0 {
		return []string{p}
	}
	if strings.HasSuffix(p, "/") {
		for i := range found {
			found[i] += "/"
		}
	}
	return found
}

// expandPart replaces one component of a pattern in each of the folders.
func expandPart(root *rootfs.Root, dirs []string, part string, closed func(p string, isDir bool) bool) []string {
	pattern := strings.ReplaceAll(part, "[!", "[^")
	var next []string
	for _, d := range dirs {
		if !strings.ContainsAny(part, magic) {
			next = append(next, path.Join(d, part))
			continue
		}
		if closed(d, true) {
			continue
		}
		first := len(next)
		for _, e := range entriesOf(root, d) {
			if len(next) >= maxExpand {
				break
			}
			if ok, err := path.Match(pattern, e.Name); err != nil || !ok {
				continue
			}
			// A file system that tells no types gets the stricter answer.
			if p := path.Join(d, e.Name); !closed(p, e.Type == 0 || e.Type == filelist.ModeDir) {
				next = append(next, p)
			}
		}
		slices.Sort(next[first:])
	}
	return next
}

// exists looks for what the parts of a pattern without wildcards made of it.
func exists(root *rootfs.Root, p string) bool {
	sub, err := root.Sub(path.Dir(p))
	if err != nil {
		return false
	}
	defer sub.Close()
	_, err = sub.Lstat(path.Base(p))
	return err == nil
}

// entriesOf lists a folder, through links that stay inside; nothing if it is no
// folder or not ours to read.
func entriesOf(root *rootfs.Root, dir string) []rootfs.DirEntry {
	sub, err := root.Sub(dir)
	if err != nil {
		return nil
	}
	defer sub.Close()
	entries, err := sub.ReadDir(".")
	if err != nil {
		return nil
	}
	return entries
}
