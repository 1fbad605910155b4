package subtree

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
)

// CleanRelative is [Clean] for a path that is kept as a whole: a "/./" in it
// stays.
func CleanRelative(p string) string {
	if clean := transfer.CleanName(p); clean != "." {
		return clean
	}
	return ""
}

// Clean cleans a path so that it cannot climb above the tree
// (util1.c:sanitize_path). A final slash stays, or comes in the place of a
// final "." or "..": it stands for what is in the folder. "" is the tree.
func Clean(p string) string {
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

// Expand replaces wildcards in a path by what fits them. What nothing fits
// stays as it is, so that the client hears of it (util1.c:glob_expand). With
// relative a "/./" that divides the path goes on dividing what it becomes.
func (t *Tree) Expand(ctx context.Context, p string, relative bool) []string {
	dir, rest, divided := strings.Cut(p, "/./")
	if !relative || !divided {
		return t.expand(ctx, p)
	}
	var all []string
	for _, d := range t.expand(ctx, dir) {
		for _, found := range t.expand(ctx, d+"/"+rest) {
			all = append(all, d+"/."+strings.TrimPrefix(found, d))
		}
	}
	return all
}

func (t *Tree) expand(ctx context.Context, p string) []string {
	if !strings.ContainsAny(p, magic) {
		return []string{p}
	}
	found := []string{"."}
	for _, part := range strings.Split(strings.TrimSuffix(p, "/"), "/") {
		if ctx.Err() != nil {
			return nil
		}
		found = t.expandPart(found, part)
	}
	found = slices.DeleteFunc(found, func(f string) bool { return !exists(t.Root, f) })
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
func (t *Tree) expandPart(dirs []string, part string) []string {
	pattern := strings.ReplaceAll(part, "[!", "[^")
	var next []string
	for _, d := range dirs {
		if !strings.ContainsAny(part, magic) {
			next = append(next, path.Join(d, part))
			continue
		}
		if t.closed(d, true) {
			continue
		}
		first := len(next)
		for _, e := range entriesOf(t.Root, d) {
			if len(next) >= maxExpand {
				break
			}
			if ok, err := path.Match(pattern, e.Name); err != nil || !ok {
				continue
			}
			// A file system that tells no types gets the stricter answer.
			if p := path.Join(d, e.Name); !t.closed(p, e.Type == 0 || e.Type == filelist.ModeDir) {
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
