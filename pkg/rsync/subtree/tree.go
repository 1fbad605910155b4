package subtree

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"strings"
	"syscall"

	"github.com/empegsync/empegsync/pkg/rsync/filter"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
)

// Tree is what a peer may reach.
type Tree struct {
	Root *rootfs.Root
	// Closed, if not nil, reports what does not exist for the peer. Paths are
	// relative to Root; "" and "." are the root itself.
	Closed func(p string, isDir bool) bool
}

func (t *Tree) closed(p string, isDir bool) bool { return t.Closed != nil && t.Closed(p, isDir) }

// Sizes of what is read into memory, in bytes.
const (
	maxNamesFile = 16 << 20 // of a list for --files-from
	maxMergeFile = 1 << 20  // of a file of filter rules
)

// Sources opens what paths relative to the tree, as [Clean] makes them, stand
// for. Wildcards in them become what they fit. What cannot be opened is told
// when its turn comes. done closes the sources.
func (t *Tree) Sources(ctx context.Context, paths []string, opt *options.Options) (sources []transfer.Source, done func()) {
	for _, p := range paths {
		for _, found := range t.Expand(ctx, p, opt.Relative) {
			sources = append(sources, t.Source(found, opt.Relative))
		}
	}
	return sources, func() { closeAll(sources) }
}

func closeAll(sources []transfer.Source) {
	for _, s := range sources {
		if s.Root != nil {
			s.Root.Close()
		}
	}
}

// Source finds what one path stands for, wildcards being letters like others.
// Links on the way are followed as long as they stay inside. With relative it
// is kept as a whole: "a/./b" is b below a.
func (t *Tree) Source(p string, relative bool) transfer.Source {
	if relative {
		return t.relative(p)
	}
	dir, name := transfer.SplitSource(p)
	if dir != "." && t.closed(dir, true) {
		return transfer.Source{Name: p, Err: syscall.ENOENT}
	}
	root, err := t.Root.Sub(dir)
	if err != nil {
		return transfer.Source{Name: p, Err: err}
	}
	if info, err := root.Lstat(name); err == nil && name != "." && t.closed(path.Join(dir, name), info.IsDir()) {
		root.Close()
		return transfer.Source{Name: p, Err: syscall.ENOENT}
	}
	return transfer.Source{Root: root, Name: name, Prefix: dir, Shown: dir, Outer: t.Root, Base: dir}
}

func (t *Tree) relative(p string) transfer.Source {
	dir, n, dot, err := transfer.SplitRelative(p)
	if err != nil {
		return transfer.Source{Name: p, Err: err}
	}
	s := t.Folder(strings.Trim(Clean(dir), "/"))
	if s.Err == nil {
		s.Name, s.Slash, s.Relative, s.Dot = n.Path, n.Slash, true, dot
	}
	return s
}

// Folder opens a folder as a source, "" being the whole tree.
func (t *Tree) Folder(dir string) transfer.Source {
	if dir == "" {
		dir = "."
	}
	if t.closed(dir, true) {
		return transfer.Source{Name: dir, Err: syscall.ENOENT}
	}
	root, err := t.Root.Sub(dir)
	if err != nil {
		return transfer.Source{Name: dir, Err: err}
	}
	return transfer.Source{
		Root: root, Name: ".", Prefix: dir, Shown: dir, Outer: t.Root, Base: dir,
		Closed: func(p string, isDir bool) bool { return t.closed(path.Join(dir, p), isDir) },
	}
}

// Base opens the folder, as [Clean] makes it, that names from a list start
// from.
func (t *Tree) Base(p string) transfer.Source {
	base := strings.TrimSuffix(p, "/")
	s := t.Folder(base)
	s.Open = func(dir string) transfer.Source { return t.Folder(path.Join(base, Clean(dir))) }
	return s
}

// Names reads a list for --files-from that is one of the tree's files.
func (t *Tree) Names(file string, zeros bool) ([]string, error) {
	name := strings.TrimSuffix(Clean(file), "/")
	text, err := []byte(nil), error(syscall.ENOENT)
	if name != "" && !t.closed(name, false) {
		text, err = t.Root.ReadSmall(name, maxNamesFile)
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	if err != nil {
		return nil, proto.Failf(proto.ExitSyntax, "failed to open files-from file %s: %w", file, err)
	}
	return transfer.SplitNames(string(text), zeros), nil
}

// Locate is the [transfer.Locate] of the tree: rules are about paths that
// begin at it, and merge files are its own. What a peer must not see is not
// there, so that neither the rules in it nor a message can tell of it.
func (t *Tree) Locate(root *rootfs.Root, prefix string) (string, filter.ReadFile) {
	base := path.Clean("/" + prefix)
	return base, func(name string) ([]byte, error) {
		if t.closed(strings.TrimPrefix(name, "/"), false) {
			return nil, fs.ErrNotExist
		}
		if rest, ok := transfer.Below(base, name); ok {
			return root.ReadSmall(rest, maxMergeFile)
		}
		return t.Root.ReadSmall(strings.TrimPrefix(name, "/"), maxMergeFile)
	}
}

// Aside opens a folder that an option names besides a destination, for
// [transfer.Dest]. Absolute paths begin at the tree, above which nothing leads
// (util1.c:sanitize_path).
func (t *Tree) Aside(at, dir string) (*rootfs.Root, string, error) {
	p := path.Clean("/" + dir)
	if !path.IsAbs(dir) {
		p = path.Join("/", at, dir)
	}
	there, missing := strings.TrimPrefix(p, "/"), "."
	for there != "" {
		root, err := t.Root.Sub(there)
		if err == nil {
			return root, missing, nil
		}
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
			return nil, "", err
		}
		missing = path.Join(path.Base(there), missing)
		if there = path.Dir(there); there == "." {
			there = ""
		}
	}
	root, err := t.Root.Sub(".")
	return root, missing, err
}
