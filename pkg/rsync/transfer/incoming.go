package transfer

import (
	"fmt"
	"path"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/delta"
	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

// incoming is one file on its way in.
type incoming struct {
	item
	e      *filelist.Entry
	path   string
	have   rootfs.Info // what is there
	exists bool
	redo   bool

	basis *rootfs.File // what blocks are taken from, nil: nothing
	from  spot         // where that is
	info  rootfs.Info  // what that is
	out   sink
	temp  *rootfs.Temp // out's file, unless it is written in place
	// into is the partial file that is written into, which then becomes the
	// file; its path is "" if there is none.
	into spot
	same bool // out's file is the basis, or equals it
}

// file receives one file and calls passed. Errors of the stream and of a full disk are
// returned, others reported.
func (f *fileReceiver) file(it item, e *filelist.Entry, head delta.Head, passed func(sum []byte)) error {
	in := &incoming{item: it, e: e, path: f.path(e), redo: it.part.again.has(it.at())}
	var err error
	if in.have, in.exists, err = f.before(it, in.path); err != nil {
		f.failFile("stat %q failed: %v", in.path, reason(err))
		return f.discard(head)
	}
	if err := f.openBasis(in, head); err != nil {
		return err
	}
	if in.basis != nil {
		defer in.basis.Close()
	}
	if err := f.openSink(in); err != nil {
		f.failFile("%v", err)
		return f.discard(head)
	}
	got := f.stats.Literal
	ok, err := f.data(in, head)
	if err != nil {
		f.interrupted(in, f.stats.Literal > got)
		return err
	}
	if ok {
		passed(f.sum)
		f.stats.Transferred++
		f.stats.TransferredSize += e.Size
		if !in.exists {
			f.countCreated()
		}
	}
	return f.received(in, ok)
}

// basisOf finds what the peer means by an item's basis (receiver.c:recv_files).
func (f *fileReceiver) basisOf(in *incoming) (spot, error) {
	own := spot{f.root, in.path}
	if !f.Caps.ItemFlags {
		partial, kept := f.partial(in.path)
		switch {
		case f.opt.Inplace && f.opt.Backup && !in.redo:
			root, name, _ := f.backups.name(in.path)
			return spot{root, name}, nil
		case kept:
			return partial, nil
		}
		return own, nil
	}
	kind := int(in.item.basis)
	switch {
	case kind == proto.BasisName:
		return own, nil
	case kind == proto.BasisPartialDir:
		if partial, ok := f.partial(in.path); ok {
			return partial, nil
		}
		return own, nil
	case kind == proto.BasisBackup && f.opt.Backup:
		root, name, _ := f.backups.name(in.path)
		return spot{root, name}, nil
	case kind >= proto.BasisFuzzy && kind-proto.BasisFuzzy <= len(f.alts):
		if in.xname == "" || strings.Contains(in.xname, "/") || in.xname == ".." || in.xname == "." {
			return own, proto.Failf(proto.ExitProtocol, "the sending side names %q as a basis", in.xname)
		}
		name := path.Join(path.Dir(in.path), in.xname)
		if kind == proto.BasisFuzzy {
			return spot{f.root, name}, nil
		}
		alt := f.alts[kind-proto.BasisFuzzy-1]
		return spot{alt.root, alt.path(name)}, nil
	case kind < len(f.alts):
		return spot{f.alts[kind].root, f.alts[kind].path(in.path)}, nil
	}
	return own, proto.Failf(proto.ExitProtocol, "invalid basis_dir index: %d.", kind)
}

// openBasis opens what blocks are taken from. What cannot be opened is
// missing: then the sum at the end will not agree, and the file comes again.
func (f *fileReceiver) openBasis(in *incoming, head delta.Head) error {
	var err error
	if in.from, err = f.basisOf(in); err != nil {
		return err
	}
	if head.Count == 0 && in.from.path == in.path && in.from.root == f.root {
		return nil
	}
	own := spot{f.root, in.path}
	tries := []spot{in.from}
	if !f.Caps.ItemFlags {
		if in.from != own {
			tries = append(tries, own)
		}
		if len(f.alts) > 0 {
			tries = append(tries, spot{f.alts[0].root, f.alts[0].path(in.path)})
		}
	}
	for _, s := range tries {
		file, info, err := s.root.OpenRead(s.path, f.basisFlags())
		if err == nil {
			in.basis, in.from, in.info = file, s, info
			return nil
		}
	}
	return nil
}

// basisFlags is how a basis is opened.
func (r *receiver) basisFlags() rootfs.OpenFlags {
	flags := r.openFlags()
	if r.opt.WriteDevices {
		flags |= rootfs.AllowDevices
	}
	return flags
}

// openSink opens what the data goes to.
func (f *fileReceiver) openSink(in *incoming) error {
	var err error
	partial, kept := f.partial(in.path)
	switch {
	case f.opt.Inplace:
		if in.out, err = f.openInPlace(spot{f.root, in.path}, in); err != nil {
			return fmt.Errorf("open %q failed: %w", in.path, reason(err))
		}
		kind := in.item.basis
		in.same = in.from == spot{f.root, in.path} || f.Caps.ItemFlags && kind == proto.BasisBackup || !f.Caps.ItemFlags && f.opt.Backup
	case kept && f.Caps.InplacePartial && in.item.basis == proto.BasisPartialDir && in.basis != nil:
		if in.out, err = f.openInPlace(partial, in); err != nil {
			return fmt.Errorf("open %q failed: %w", partial.path, reason(err))
		}
		in.into, in.same = partial, true
	default:
		at := spot{f.root, in.path}
		if f.temps != nil {
			at = spot{f.temps.root, f.temps.path(path.Base(in.path))}
		}
		if in.temp, err = at.root.CreateTemp(at.path); err != nil {
			return fmt.Errorf("mkstemp for %q failed: %w", in.path, reason(err))
		}
		in.out = sink{f: &in.temp.File, sparse: f.opt.Sparse}
	}
	if f.opt.Preallocate && !in.out.fixed && in.e.Size > in.out.filled {
		if err := in.out.f.Preallocate(in.e.Size); err != nil {
			f.report(proto.TagWarning, "do_fallocate %q: %v", in.path, reason(err))
		} else {
			in.out.filled, in.out.cut = in.e.Size, true
		}
	}
	return nil
}

// openInPlace opens a file to be written into.
func (f *fileReceiver) openInPlace(s spot, in *incoming) (sink, error) {
	if err := f.beforeChange(); err != nil {
		return sink{}, err
	}
	file, info, err := s.root.OpenWriteFlags(s.path, 0o600, f.basisFlags())
	if err != nil {
		return sink{}, err
	}
	out := sink{f: file, sparse: f.opt.Sparse, filled: info.Size, cut: true, fixed: info.IsDevice()}
	if out.sparse && f.opt.WholeFile == options.Yes && !out.fixed {
		// Holes are made best in an empty file.
		if err := file.Truncate(0); err != nil {
			file.Close()
			return sink{}, err
		}
		out.filled = 0
	}
	return out, nil
}

// resume passes over what --append takes as there, and returns how much that
// is (receiver.c:receive_data).
func (f *fileReceiver) resume(in *incoming, head delta.Head) (sound bool, err error) {
	if f.appends(in.redo) == options.AppendNo {
		return true, nil
	}
	size := head.Size()
	in.out.size = size
	if f.appends(in.redo) != options.AppendVerify {
		return true, nil
	}
	if in.basis == nil {
		return size == 0, nil
	}
	return hashStart(f.whole, in.basis, size)
}

// data puts a file together and reports whether its sum agrees
// (receiver.c:receive_data).
func (f *fileReceiver) data(in *incoming, head delta.Head) (bool, error) {
	f.whole.Reset()
	sound, err := f.resume(in, head)
	if err != nil {
		return false, err
	}
	if in.temp != nil && !in.out.sparse && worthBehind(in.e.Size) {
		in.out.writeBehind(&f.behind)
		defer in.out.settle()
	}
	for {
		lit, block, done, err := f.tokens.Next(f.R, head.Count)
		if err != nil {
			return false, err
		}
		if done {
			break
		}
		put := in.out.write
		if lit == nil {
			if lit, err = f.readBlock(in.basis, head, block); err != nil {
				sound = false
				if err := in.out.leaveOut(head.Len(block)); err != nil {
					return false, writeError(in.path, err)
				}
				f.tokens.seeNothing(head.Len(block))
				continue
			}
			f.tokens.see(lit)
			f.stats.Matched += int64(len(lit))
			if in.same && in.out.size == head.Offset(block) {
				put = in.out.skip
			}
		} else {
			f.stats.Literal += int64(len(lit))
		}
		f.whole.Write(lit)
		if err := put(lit); err != nil {
			return false, writeError(in.path, err)
		}
		f.obs.Data(in.e, in.out.size)
	}
	if err := in.out.end(); err != nil {
		return false, writeError(in.path, err)
	}
	agrees, err := f.checkSum()
	return agrees && sound, err
}
