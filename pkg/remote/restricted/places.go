package restricted

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/filter"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
	"github.com/empegsync/empegsync/pkg/rsync/server"
	"github.com/empegsync/empegsync/pkg/rsync/subtree"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
)

// places maps what one session names to what is below the key's directories.
type places struct {
	key   *Key
	paths []Word // the arguments, as they were written

	tree   *subtree.Tree                  // the one of the destination, or of the last source
	trees  map[*rootfs.Root]*subtree.Tree // those of the sources
	prefix string                         // of the destination, below its tree
	kept   string                         // where versions go in this session, "" for nowhere
}

// resolve finds the directory that a path is in, and the path below it, which
// is clean.
func (p *places) resolve(arg string, relative bool) (*Dir, string, error) {
	if slices.Contains(strings.Split(arg, "/"), "..") {
		return nil, "", refuse("%q: leave out the \"..\": paths begin at the key's directory", shorten(arg))
	}
	d, rest := p.key.dirs[0], arg
	if d.Name != "" {
		var err error
		if d, rest, err = p.named(arg); err != nil {
			return nil, "", err
		}
	} else if own, ok := strings.CutPrefix(arg, d.path); ok && p.key.policy.Absolute && d.path != "/" && (own == "" || own[0] == '/') {
		rest = own
	}
	if relative {
		return d, subtree.CleanRelative(rest), nil
	}
	return d, subtree.Clean(rest), nil
}

// named finds the directory that a path begins with the name of.
func (p *places) named(arg string) (*Dir, string, error) {
	rest := strings.TrimLeft(arg, "/")
	for strings.HasPrefix(rest, "./") {
		rest = strings.TrimLeft(rest[2:], "/")
	}
	name, rest, _ := strings.Cut(rest, "/")
	var names []string
	for _, d := range p.key.dirs {
		if d.Name == name {
			return d, rest, nil
		}
		names = append(names, d.Name)
	}
	return nil, "", refuse("%q: paths begin with one of the key's directories: %s", shorten(arg), strings.Join(names, ", "))
}

// sendable refuses what would come under names that the client has not asked for,
// since it does not know that the directory is called otherwise here; it would
// reject them.
func sendable(d *Dir, arg string, relative bool) error {
	switch {
	case relative && !strings.Contains(arg, "/./"):
		return refuse("%q: with --relative, write %s/./PATH: %s is this key's name for a directory", shorten(arg), d.Name, d.Name)
	case !relative && path.Base(arg) == d.Name && strings.Trim(path.Clean("/"+arg), "/") == d.Name && !strings.HasSuffix(arg, "/"):
		return refuse("%q: write %s/ for what is in it: %s is this key's name for a directory", shorten(arg), d.Name, d.Name)
	}
	return nil
}

// Names implements [server.Places].
func (p *places) Names(file string, zeros bool) ([]string, error) {
	d, rest, err := p.resolve(file, false)
	if err != nil {
		return nil, err
	}
	return d.tree.Names(rest, zeros)
}

// Sources implements [server.Places].
func (p *places) Sources(ctx context.Context, opt *options.Options) (sources []transfer.Source, done func(), err error) {
	var words []Word
	for _, w := range p.paths {
		if words = append(words, w); len(w.Braces) > 0 {
			words = append(words[:len(words)-1], w.Braces...)
		}
	}
	switch {
	case len(words) == 0:
		words = []Word{{}}
	case len(words) > maxWords:
		return nil, nil, refuse("%d names are too many: at most %d", len(words), maxWords)
	}
	var closers []func()
	p.trees = map[*rootfs.Root]*subtree.Tree{}
	done = func() {
		for _, f := range closers {
			f()
		}
	}
	for _, w := range words {
		arg := w.Text
		if w.Pattern != "" {
			arg = w.Pattern
		}
		relative := opt.Relative && opt.FilesFrom == ""
		d, rest, err := p.resolve(arg, relative)
		if err == nil && d.Name != "" {
			err = sendable(d, arg, relative)
		}
		if err != nil {
			done()
			return nil, nil, err
		}
		found := []string{rest}
		if w.Pattern != "" {
			found = d.tree.Expand(ctx, rest, opt.Relative)
		}
		for _, f := range found {
			s := p.source(d, f, opt)
			if s.Root != nil {
				closers = append(closers, func() { s.Root.Close() })
				p.trees[s.Root] = d.tree
			}
			sources = append(sources, s)
		}
		p.tree = d.tree
	}
	return sources, done, nil
}

func (p *places) source(d *Dir, name string, opt *options.Options) transfer.Source {
	if opt.FilesFrom != "" {
		return d.tree.Base(name)
	}
	return d.tree.Source(name, opt.Relative)
}

// Dest implements [server.Places].
func (p *places) Dest(opt *options.Options, tell func(tag proto.Tag, line string)) (transfer.Dest, error) {
	if _, err := server.Destination(opt); err != nil {
		return transfer.Dest{}, err
	}
	arg := ""
	if len(p.paths) > 0 {
		arg = p.paths[0].Text // a shell would find what is there; a destination is one place
	}
	d, rest, err := p.resolve(arg, false)
	if err != nil {
		return transfer.Dest{}, err
	}
	if err := d.ready(p.key.policy); err != nil {
		return transfer.Dest{}, err
	}
	p.tree, p.prefix = d.tree, strings.TrimSuffix(rest, "/")
	if p.key.policy.Append {
		if err := p.keepVersions(d, rest, opt); err != nil {
			return transfer.Dest{}, err
		}
	}
	root, err := d.tree.Root.Sub(".")
	if err != nil {
		return transfer.Dest{}, err
	}
	to := transfer.Dest{Root: root, Path: rest, Aside: p.aside, Granted: p.granted, Spare: p.key.policy.NoDelete || p.key.policy.Append}
	if p.key.policy.NoOverwrite {
		to.Existing = func(name string) {
			tell(proto.TagWarning, "\""+path.Join(p.prefix, name)+"\" is there already and stays as it is: this key overwrites nothing")
		}
	}
	return to, nil
}

// aside opens a folder that an option names besides the destination.
func (p *places) aside(at, dir string) (*rootfs.Root, string, error) {
	if path.IsAbs(dir) && !p.granted(dir) {
		d, rest, err := p.resolve(dir, false)
		switch {
		case err != nil:
			return nil, "", err
		case d.tree != p.tree:
			return nil, "", errors.New("it is not in the directory of the destination")
		}
		dir = "/" + rest
	}
	return p.tree.Aside(at, dir)
}

// Log implements [server.Places]: a file below the key's directories that is
// there, or is made; whoever writes one holds the directory's lock.
func (p *places) Log(opt *options.Options) (io.WriteCloser, error) {
	d, rest, err := p.resolve(opt.LogFile, false)
	if err != nil {
		return nil, err
	}
	if err := d.ready(p.key.policy); err != nil {
		return nil, err
	}
	f, _, err := d.tree.Root.OpenWriteFlags(rest, logMode, rootfs.Append)
	if errors.Is(err, rootfs.ErrSymlink) || errors.Is(err, rootfs.ErrNotRegular) {
		return nil, refuse("--log-file: %q is no file in a folder of this key's, or there is a link on the way", shorten(opt.LogFile))
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// logMode is what a new log may be read by, less the umask.
const logMode = 0o644

// ready makes a directory ready to be written to, once in a session.
func (d *Dir) ready(p Policy) error {
	if d.writable {
		return nil
	}
	d.writable = true
	if !p.NoLock {
		if err := d.claim(p.Append); err != nil {
			return err
		}
	}
	return d.limit(p.Quota)
}

// Rules implements [server.Places].
func (p *places) Rules(client *filter.Rules) transfer.Rules {
	rules := transfer.NewClientRules(client, func(root *rootfs.Root, prefix string) (string, filter.ReadFile) {
		if t := p.trees[root]; t != nil {
			return t.Locate(root, prefix)
		}
		return p.tree.Locate(root, prefix)
	}, p.prefix)
	if p.kept == "" {
		return rules
	}
	return &keeping{ClientRules: rules, prefix: p.prefix}
}

// CVSIgnore implements [server.Places]: what the server's user ignores is not
// the client's business.
func (p *places) CVSIgnore() []string { return nil }

// lookAt looks at what is at a path of a tree, no link being followed.
func lookAt(root *rootfs.Root, p string) (info rootfs.Info, exists bool, err error) {
	info, err = root.Lstat(p)
	if errors.Is(err, fs.ErrNotExist) {
		return info, false, nil
	}
	return info, err == nil, err
}
