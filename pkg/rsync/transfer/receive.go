package transfer

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

// Dest is where files go.
type Dest struct {
	Root *rootfs.Root
	// Path is a folder below Root, or what a single file is to be called
	// there. "" is Root itself. A folder that is missing is made.
	Path string
	// Called is the destination in the user's words, "" for Path.
	Called string
	// BeforeChange, if not nil, is called once, before the first file or
	// folder is created, replaced or deleted; not for a mere change of times,
	// modes or owners. An error ends the run with nothing changed.
	BeforeChange func() error
	// Aside, if not nil, opens a folder that an option names besides the
	// destination: dir as the user wrote it, relative ones from the folder at
	// below Root. It may not be there yet: the path is what is missing below
	// the new Root, "." for nothing.
	Aside func(at, dir string) (root *rootfs.Root, path string, err error)
	// Granted, if not nil, reports folders besides the destination that no
	// peer has named: the rules do not bind them.
	Granted func(dir string) bool
	// Accept, if not nil, is called with the counts of the list before
	// anything is done. An error ends the run with nothing changed.
	Accept func(Stats) error
	// Existing, if not nil, is told of what --ignore-existing has left as it is
	// though the sending side has something else, from any goroutine.
	Existing func(path string)
	// Spare keeps folders, and files in the place of folders, that are in the
	// way of a backup; the file that it is of is left as it is, with an error.
	Spare bool
	// SweepTemps also removes what a killed run has left behind under
	// temporary names, in the folders that are looked at.
	SweepTemps bool
}

// receiver is the side that gets the files: the state that its two goroutines
// share. Each field says who uses it.
type receiver struct {
	*common
	dest   Dest
	root   *rootfs.Root          // where entries' paths start
	name   string                // of the only file, if it is called something else here
	fresh  bool                  // root was made for this run
	void   bool                  // a dry run into a folder that is not there
	show   func(*filelist.Entry) // nil unless files are only listed
	owners *owners
	umask  uint32
	events events // receiving goroutine -> generating goroutine

	at       string // root's path below dest.Root
	defaults defaults
	backups  *backups // nil without --backup
	partials *place   // an absolute --partial-dir
	temps    *place   // --temp-dir
	alts     []place  // --compare-dest and its kin
	closers  []func()
	replay   *replay // nil unless a batch is read
	decoder  *filelist.Decoder
	folders  filelist.Folders // receiving goroutine

	idle        atomic.Bool  // the generator waits
	outstanding atomic.Int32 // files that were asked for and have not come
	commit      committer    // both

	change    sync.Once
	changeErr error
	changed   atomic.Bool

	mu      sync.Mutex
	created int // both
}

// Receive reads the list, makes dest like it, and ends the session. The error
// maps to an exit code; with a partial transfer the stats are still good.
func Receive(ctx context.Context, l Link, opt *options.Options, dest Dest, umask uint32, rules Rules, obs Observer) (Stats, error) {
	c := newCommon(l, opt, rules, obs)
	r := &receiver{common: c, dest: dest, umask: umask}
	r.events.signal = make(chan struct{}, 1)
	r.commit.receiver, r.defaults.receiver = r, r
	c.wake = r.events.poke
	r.listing()
	if l.Replay {
		r.replay = newReplay()
	}
	return c.whole(ctx, r.run)
}

func (r *receiver) run(ctx context.Context) error {
	if r.converts() {
		r.Names = r.abroad(r.Names)
	}
	given := r.GiveNames()
	list, err := r.firstList()
	if err != nil {
		r.hush(given)
		return err
	}
	if err := <-given; err != nil {
		return err
	}
	if list.Len() == 0 && !r.Server {
		return nil // main.c:do_server_sender: the server has left
	}
	if err := r.arrive(list); err != nil {
		return err
	}
	defer r.close()
	if err := r.followDirlinks(); err != nil {
		return err
	}
	if err := r.openFolders(); err != nil {
		return err
	}
	if err := r.both(ctx); err != nil {
		return err
	}
	if err := r.endDurably(); err != nil {
		return err
	}
	return r.finish()
}

// arrive opens the destination for this list.
func (r *receiver) arrive(list *filelist.List) error {
	if r.show != nil {
		return nil
	}
	if r.dest.Accept != nil {
		if err := r.dest.Accept(r.stats); err != nil {
			return err
		}
	}
	return r.resolve(list)
}

// openFolders opens what options name besides the destination.
func (r *receiver) openFolders() error {
	if r.rules != nil && r.show == nil {
		r.rules.Start(r.root)
	}
	if r.void {
		return nil
	}
	if r.opt.Backup {
		if err := r.openBackups(); err != nil {
			return err
		}
	}
	if err := r.openTemps(); err != nil {
		return err
	}
	if err := r.openPartials(); err != nil {
		return err
	}
	return r.openAlternatives()
}

// openTemps looks whether the folder of --temp-dir is there (main.c:do_recv).
func (r *receiver) openTemps() error {
	if r.opt.TempDir == "" {
		return nil
	}
	pl, err := r.openPlace("--temp-dir", r.opt.TempDir)
	if err != nil {
		return err
	}
	switch exists, isDir, err := pl.isDir(); {
	case err != nil:
		return proto.Failf(proto.ExitSyntax, "Failed to stat temp-dir %q: %w", pl.shown, reason(err))
	case !exists:
		return proto.Failf(proto.ExitSyntax, "The temp-dir does not exist: %s", pl.shown)
	case !isDir:
		return proto.Failf(proto.ExitSyntax, "The temp-dir is not a directory: %s", pl.shown)
	}
	r.temps = &pl
	return nil
}

// close closes what this side has opened.
func (r *receiver) close() {
	for _, f := range r.closers {
		f()
	}
	if r.root != nil && r.root != r.dest.Root {
		r.root.Close()
	}
}

// resolve finds out what the destination's path means for this list
// (main.c:get_local_name).
func (r *receiver) resolve(list *filelist.List) error {
	p := path.Clean(strings.Trim(r.dest.Path, "/"))
	r.root, r.at = r.dest.Root, p
	if p == "." {
		return nil
	}
	sub, err := r.root.Sub(p)
	if err == nil {
		r.root = sub
		return nil
	}
	if r.opt.MkPath && r.pathMissing(p, err) {
		made, makeErr := r.makePath(p, list.Len())
		if makeErr != nil {
			return makeErr
		}
		if r.void { // a dry run
			if !made && !list.Last().IsDir() {
				r.name = path.Base(p)
			}
			return nil
		}
		if made {
			if r.root, err = r.root.Sub(p); err != nil {
				return proto.Failf(proto.ExitFileIO, "open the destination folder %q: %w", p, reason(err))
			}
			return nil
		}
	}
	// A folder that nothing is in gets the name as well.
	few := r.parts.entries() <= 1 && !strings.HasSuffix(r.dest.Path, "/")
	single := few && r.parts.entries() == 1 && list.Last().Base != "."
	missing := errors.Is(err, fs.ErrNotExist)
	switch {
	case few && r.parts.entries() == 0 && missing: // no folder is made for nothing
		return r.resolveFile(p)
	case single && (missing || !list.Last().IsDir() && errors.Is(err, syscall.ENOTDIR)):
		return r.resolveFile(p)
	case !missing:
		return proto.Failf(proto.ExitFileSelect, "the destination %q is no folder that can be used: %w", p, reason(err))
	case r.opt.DryRun:
		r.void = true
		r.tellCreated(p, list)
		return nil
	}
	if err := r.beforeChange(); err != nil {
		return err
	}
	if err = r.root.Mkdir(p, 0o777&^r.umask); err == nil {
		sub, err = r.root.Sub(p)
	}
	if err != nil {
		code := proto.ExitFileIO
		if few { // then rsync does not make one here, but looks for the one above
			code = proto.ExitFileSelect
		}
		return proto.Failf(code, "make the destination folder %q: %w", p, reason(err))
	}
	r.root, r.fresh = sub, true
	r.tellCreated(p, list)
	return nil
}

// tellCreated has a server tell that the destination's folder is new, unless it is
// all that comes, or whoever accepts the destination has told (main.c:get_local_name).
func (r *receiver) tellCreated(p string, list *filelist.List) {
	alone := r.parts.entries() == 1 && list.Last().Base == "." && !strings.HasSuffix(r.dest.Path, "/")
	if r.Server && r.dest.Accept == nil && !alone && (r.opt.Info(options.InfoName) > 0 || strings.Contains(r.opt.LogFormat, "%i")) {
		r.report(proto.TagInfo, "created directory %s", strings.TrimSuffix(r.called(p), "/"))
	}
}

// resolveFile makes the last component of p the name of the single file.
func (r *receiver) resolveFile(p string) error {
	sub, err := r.root.Sub(path.Dir(p))
	if err != nil {
		return proto.Failf(proto.ExitFileSelect, "the destination's folder %q: %w", path.Dir(p), reason(err))
	}
	r.root, r.name, r.at = sub, path.Base(p), path.Dir(p)
	return nil
}

// beforeChange calls the hook once; its error stays.
func (r *receiver) beforeChange() error {
	r.change.Do(func() {
		r.changed.Store(true)
		if r.dest.BeforeChange != nil {
			r.changeErr = r.dest.BeforeChange()
		}
	})
	return r.changeErr
}

// path is where an entry goes.
func (r *receiver) path(e *filelist.Entry) string {
	if r.name != "" {
		return r.name
	}
	return e.Path()
}
