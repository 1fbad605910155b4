package server

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
)

// OpenSources opens what a user's paths name, absolute or relative to the
// working directory. What cannot be opened is told when its turn comes. done
// closes them all. Options say how paths are meant; an error is one with them.
func OpenSources(args []string, opt *options.Options) (sources []transfer.Source, done func(), err error) {
	o := opener{by: Operator(opt)}
	o.whole, o.cwd = everything()
	for _, arg := range args {
		s, err := o.source(arg, opt)
		if err != nil {
			return nil, func() {}, err
		}
		sources = append(sources, s)
	}
	whole := o.whole
	return sources, func() {
		if whole != nil {
			whole.Close()
		}
		for _, s := range sources {
			if s.Root != nil {
				s.Root.Close()
			}
		}
	}, nil
}

// opener opens what a user's paths name.
type opener struct {
	whole *rootfs.Root // everything, nil if that cannot be had
	cwd   string
	by    rootfs.Operator // for what a list names
}

// source opens one path: a folder that names from a file start from, the start
// of a path that is kept as a whole, or a place whose last name counts.
func (o *opener) source(arg string, opt *options.Options) (transfer.Source, error) {
	if opt.FilesFrom != "" {
		base := arg
		s := o.open(base)
		if top := s.Root; top != nil {
			s.Open = func(dir string) transfer.Source { return o.listed(top, base, dir) }
		}
		return s, nil
	}
	if opt.Relative {
		dir, n, dot, err := transfer.SplitRelative(arg)
		if err != nil {
			return transfer.Source{}, err
		}
		s := o.open(dir)
		if s.Err == nil {
			s.Name, s.Slash, s.Relative, s.Dot = n.Path, n.Slash, true, dot
		}
		return s, nil
	}
	dir, name := transfer.SplitSource(arg)
	if strings.HasPrefix(arg, "/") {
		dir = path.Join("/", dir)
	}
	s := o.open(dir)
	if s.Name = name; s.Err != nil {
		s.Name = arg
	}
	return s, nil
}

// open opens a folder, "" being the working directory.
func (o *opener) open(dir string) transfer.Source {
	if dir == "" {
		dir = "."
	}
	root, err := rootfs.Open(dir)
	return o.opened(root, dir, err)
}

// listed opens a folder below top, which is base, that a list leads to. Who can
// write below base must not lead us elsewhere, so not every link is followed.
func (o *opener) listed(top *rootfs.Root, base, dir string) transfer.Source {
	root, err := o.by.Within(top, path.Join(".", dir))
	s := o.opened(root, path.Join(base, dir), err)
	s.Shown = dir // names from a file begin here
	s.Enter = func(link string) (*rootfs.Root, error) { return o.by.Within(root, link) }
	return s
}

func (o *opener) opened(root *rootfs.Root, dir string, err error) transfer.Source {
	if err != nil {
		return transfer.Source{Name: dir, Err: err}
	}
	s := transfer.Source{Root: root, Name: ".", Shown: dir}
	if o.whole != nil {
		s.Outer, s.Base = o.whole, below(o.cwd, dir)
	}
	return s
}

// ReadNames reads the file of --files-from; "-" is the standard input.
func ReadNames(name string, zeros bool, by rootfs.Operator) ([]string, error) {
	in := os.Stdin
	if name != "-" {
		f, err := by.Open(name)
		if err != nil {
			return nil, proto.Failf(proto.ExitSyntax, "failed to open files-from file %s: %w", name, reason(err))
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(in)
	if err != nil {
		return nil, proto.Failf(proto.ExitFileIO, "read files-from file %s: %w", name, reason(err))
	}
	return transfer.SplitNames(string(text), zeros), nil
}

// everything is the whole of this machine's files, which a user's links may
// lead to, and where relative paths start there. nil: only what is named.
func everything() (*rootfs.Root, string) {
	cwd, err := os.Getwd()
	if err != nil {
		return nil, ""
	}
	root, err := rootfs.Open("/")
	if err != nil {
		return nil, ""
	}
	return root, cwd
}

// below is an absolute or relative folder as a name below "/".
func below(cwd, dir string) string {
	if !path.IsAbs(dir) {
		dir = path.Join(cwd, dir)
	}
	return path.Clean("." + path.Clean(dir))
}

// OpenDest opens a user's destination: the folder itself if it is there, else
// the one in which it is to be made or which holds the file of that name.
// created is told of a folder that is about to be made, or would be in a dry
// run (main.c:get_local_name). Of a path that is to be made with all that leads
// to it, the Root is what there is. The caller closes the Root.
func OpenDest(dest string, opt *options.Options, created func(dir string)) (transfer.Dest, error) {
	aside := Operator(opt)
	by := rootfs.Operator{Insecure: opt.InsecureLinks} // the destination is not confined
	info, err := os.Stat(dest)                         // what there is, opened below
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !(opt.MkPath && errors.Is(err, syscall.ENOTDIR)) {
		return transfer.Dest{}, proto.Failf(proto.ExitFileSelect, "cannot stat destination %q: %w", dest, reason(err))
	}
	exists := err == nil
	if exists && info.IsDir() {
		root, err := by.Root(dest)
		if err != nil {
			return transfer.Dest{}, proto.Failf(proto.ExitFileSelect, "change_dir#1 %q failed: %w", dest, reason(err))
		}
		return transfer.Dest{Root: root, Aside: Aside(dest, aside)}, nil
	}
	clean := path.Clean(dest)
	base, rest := path.Dir(clean), path.Base(clean)
	root, err := by.Root(base)
	if errors.Is(err, rootfs.ErrUntrusted) {
		return transfer.Dest{}, proto.Failf(proto.ExitFileSelect, "change_dir#2 %q failed: %w", dest, reason(err))
	}
	trailing, lost := strings.HasSuffix(dest, "/"), err
	if err != nil && (opt.MkPath || opt.DryRun || !trailing) {
		if root, rest, err = Aside(".", by)(".", clean); err == nil {
			base = path.Join(".", strings.TrimSuffix(clean, rest))
		}
	}
	if err != nil {
		return transfer.Dest{}, proto.Failf(proto.ExitFileIO, "mkdir %q failed: %w", clean, reason(err))
	}
	d := transfer.Dest{Root: root, Path: rest, Called: strings.TrimRight(dest, "/"), Aside: Aside(base, aside)}
	if trailing {
		d.Path += "/"
	}
	d.Accept = func(st transfer.Stats) error {
		total := st.Files + st.Dirs + st.Links + st.Devices + st.Specials
		switch {
		case lost != nil && !opt.MkPath && !opt.DryRun && total > 1:
			return proto.Failf(proto.ExitFileIO, "mkdir %q failed: %w", clean, reason(lost))
		case lost != nil && !opt.MkPath && !opt.DryRun:
			return proto.Failf(proto.ExitFileSelect, "change_dir#3 %q failed: %w", path.Dir(clean), reason(lost))
		case exists && total > 1:
			return proto.Failf(proto.ExitFileSelect, "ERROR: destination must be a directory when copying more than 1 file")
		case exists && st.Dirs > 0:
			return proto.Failf(proto.ExitFileSelect, "ERROR: cannot overwrite non-directory with a directory")
		case exists && trailing:
			return proto.Failf(proto.ExitFileSelect, "ERROR: destination path is not a directory")
		case opt.MkPath && !opt.DryRun && (total > 1 || trailing):
			// It is made with all that leads to it, which is told of then.
		case !exists && (total > 1 || trailing):
			created(strings.TrimRight(dest, "/"))
		}
		return nil
	}
	return d, nil
}

// Aside opens folders that options name besides the destination, which lies
// below root; they are the user's own and may be anywhere.
func Aside(root string, by rootfs.Operator) func(at, dir string) (*rootfs.Root, string, error) {
	return func(at, dir string) (*rootfs.Root, string, error) {
		if !path.IsAbs(dir) {
			dir = root + "/" + at + "/" + dir // ".." is for the system: links may be on the way
		}
		missing := ""
		for {
			r, err := by.Root(dir)
			switch {
			case err == nil && missing == "":
				return r, ".", nil
			case err == nil:
				return r, missing, nil
			case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR):
				return nil, "", err
			}
			dir = strings.TrimRight(dir, "/")
			cut := strings.LastIndexByte(dir, '/')
			last := dir[cut+1:]
			if cut < 0 || last == ".." {
				return nil, "", err
			}
			if dir = dir[:cut]; dir == "" {
				dir = "/"
			}
			if last != "." {
				missing = path.Join(last, missing)
			}
		}
	}
}

// DeltaLine says for -vv whether differences are sent, as the receiving side
// does when it has the list (generator.c:generate_files).
func DeltaLine(opt *options.Options) string {
	if opt.WholeFile == options.Yes {
		return "delta-transmission disabled for local transfer or --whole-file"
	}
	return "delta-transmission enabled"
}

// AfterAccept has f called once a list has been accepted.
func AfterAccept(d *transfer.Dest, f func()) {
	accept := d.Accept
	d.Accept = func(st transfer.Stats) error {
		if accept != nil {
			if err := accept(st); err != nil {
				return err
			}
		}
		f()
		return nil
	}
}

// reason strips an error of the path that the message already names.
func reason(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
