package daemon

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"strings"
	"syscall"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
)

// maxNamesFile bounds a file in a module that --files-from names, in bytes.
const maxNamesFile = 16 << 20

// readNames reads the list of --files-from where it is one of the module's
// files. What the module's rules keep from clients does not exist for them.
func (t *served) readNames(link *transfer.Link, rules moduleScope) error {
	if t.opt.FilesFrom == "" || t.opt.FilesFrom == "-" {
		return nil
	}
	name := strings.TrimSuffix(inside(t.opt.FilesFrom), "/")
	text, err := []byte(nil), error(syscall.ENOENT)
	if name != "" && !rules.closed(name, false) {
		text, err = t.root.ReadSmall(name, maxNamesFile)
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	if err != nil {
		return proto.Failf(proto.ExitSyntax, "failed to open files-from file %s: %w", t.opt.FilesFrom, err)
	}
	link.Names = transfer.SplitNames(string(text), t.opt.From0)
	return nil
}

// namesBase is the folder that names from a list start from.
func (t *served) namesBase(rules moduleScope) transfer.Source {
	base := strings.TrimSuffix(requested(t.module.Name, t.opt.Args[0], false)[0], "/")
	s := t.folder(base, rules)
	s.Open = func(dir string) transfer.Source { return t.folder(path.Join(base, inside(dir)), rules) }
	return s
}

// expandRelative is expand for a path that is kept as a whole: where "/./"
// divides it, it goes on dividing what the pattern becomes.
func (t *served) expandRelative(ctx context.Context, p string, rules moduleScope) []string {
	dir, rest, divided := strings.Cut(p, "/./")
	if !divided {
		return expand(ctx, t.root, p, rules.closed)
	}
	var all []string
	for _, d := range expand(ctx, t.root, dir, rules.closed) {
		for _, found := range expand(ctx, t.root, d+"/"+rest, rules.closed) {
			all = append(all, d+"/."+strings.TrimPrefix(found, d))
		}
	}
	return all
}

// relative is source for a path that is kept as a whole: "a/./b" is b below a.
func (t *served) relative(p string, rules moduleScope) transfer.Source {
	dir, n, dot, err := transfer.SplitRelative(p)
	if err != nil {
		return transfer.Source{Name: p, Err: err}
	}
	s := t.folder(strings.Trim(inside(dir), "/"), rules)
	if s.Err == nil {
		s.Name, s.Slash, s.Relative, s.Dot = n.Path, n.Slash, true, dot
	}
	return s
}

// folder opens a folder of the module as a source, "" being the module.
func (t *served) folder(dir string, rules moduleScope) transfer.Source {
	if dir == "" {
		dir = "."
	}
	if rules.closed(dir, true) {
		return transfer.Source{Name: dir, Err: syscall.ENOENT}
	}
	root, err := t.root.Sub(dir)
	if err != nil {
		return transfer.Source{Name: dir, Err: err}
	}
	return transfer.Source{
		Root: root, Name: ".", Prefix: dir, Outer: t.root, Base: dir,
		Closed: func(p string, isDir bool) bool { return rules.closed(path.Join(dir, p), isDir) },
	}
}
