package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/client"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
	"github.com/empegsync/empegsync/pkg/rsync/server"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
)

// Job is one backup. Its fields are set before [Job.Run] and then left alone.
type Job struct {
	Route client.Route // from anywhere to a folder of this machine
	// Options are those of the transfer, see [Words]. Where to and what to link
	// to is added.
	Options *options.Options
	// Client makes a client that tells an observer.
	Client func(*options.Options, transfer.Observer) *client.Client
	Keep   Policy
	// Verify reads everything again and compares sums before the snapshot counts.
	Verify bool
	// AllowPartial takes a snapshot in which files are missing, under a name that
	// says so. AllowEmpty takes an empty one after one that was not.
	AllowPartial, AllowEmpty bool
	Now                      func() time.Time // in the zone whose calendar counts
	Out, Err                 io.Writer
	Style                    client.Style // how progress is shown on Out
	Width                    int          // columns of the terminal
}

// Words are the arguments of rsync that a backup begins with: all that a system
// needs to come back, of one file system.
func Words() []string { return []string{"-aHx", "--numeric-ids"} }

// mostUnfinished is how many unfinished runs are kept to go on with; rsync takes
// 20 folders to link from.
const mostUnfinished = 8

// Result is what a backup has done, as far as it came.
type Result struct {
	Snapshot Snapshot // that was made, or would be; its Name is "" if there is none
	Base     string   // the snapshot that it shares files with, "" if there was none
	Resumed  bool     // files of an unfinished run were there to go on with
	Stats    transfer.Stats
	Vanished bool // files went while they were read
	Verified *Verified
	Plan     []Decision // nil if nothing may be deleted
	Pruned   []string
	Elapsed  time.Duration
}

// run is a Job at work.
type run struct {
	*Job
	store   *Store
	content content
	res     Result
	folder  string // where the snapshot grows
}

// Run makes a snapshot and deletes what the policy no longer keeps. The error
// maps to an exit code; after one nothing has been deleted, and latest is as it
// was. With Options.DryRun nothing is written at all.
func (j *Job) Run(ctx context.Context) (Result, error) {
	if j.Route.To != nil {
		return Result{}, proto.Failf(proto.ExitSyntax, "%s is on another machine: a backup's folder must be on this one, for its hard links; run the backup there, and pull", j.Route.To)
	}
	store, err := Open(j.Route.Dest)
	if err != nil {
		return Result{}, proto.Fail(proto.ExitFileSelect, err)
	}
	defer store.Close()
	r := &run{Job: j, store: store}
	start := j.Now()
	err = r.whole(ctx, start)
	r.res.Elapsed = j.Now().Sub(start)
	if ctx.Err() != nil && err != nil {
		err = proto.Fail(proto.ExitSignal, context.Cause(ctx))
	}
	return r.res, err
}

func (r *run) whole(ctx context.Context, start time.Time) (err error) {
	if err := r.prepare(start); err != nil {
		return err
	}
	if r.Options.DryRun {
		return r.dryRun(ctx, start)
	}
	if err := r.store.clear(ctx, r.content.pruning...); err != nil {
		return proto.Fail(proto.ExitFileIO, err)
	}
	if n := len(r.content.unfinished); n > mostUnfinished {
		if err := r.store.clear(ctx, r.content.unfinished[mostUnfinished:]...); err != nil {
			return proto.Fail(proto.ExitFileIO, err)
		}
		r.content.unfinished = r.content.unfinished[:mostUnfinished]
	}
	if err := r.store.root.Mkdir(r.folder, 0o700); err != nil {
		return proto.Failf(proto.ExitFileIO, "make %s in %s: %w", r.folder, r.store.Dir, reason(err))
	}
	if err := r.fill(ctx); err != nil {
		_ = r.store.root.Remove(r.folder) // only if nothing has come
		return err
	}
	return r.conclude(ctx, start)
}

// prepare looks what is there and what the snapshot will be called.
func (r *run) prepare(start time.Time) (err error) {
	if !r.Options.DryRun {
		if err := r.store.Lock(); err != nil {
			return proto.Fail(proto.ExitStartClient, err)
		}
	}
	if r.content, err = r.store.read(); err != nil {
		return proto.Fail(proto.ExitFileSelect, err)
	}
	if r.res.Base = r.store.Latest(); r.res.Base == "" && len(r.content.snapshots) > 0 {
		r.res.Base = r.content.snapshots[0].Name
	}
	r.res.Resumed = len(r.content.unfinished) > 0
	t := start.UTC().Truncate(time.Second)
	for r.taken(name(t, false)) || r.taken(name(t, true)) || r.taken(unfinished+name(t, false)) {
		t = t.Add(time.Second)
	}
	r.res.Snapshot = Snapshot{Name: name(t, false), Time: t}
	r.folder = unfinished + r.res.Snapshot.Name
	return nil
}

func (r *run) taken(name string) bool {
	_, err := r.store.root.Lstat(name)
	return err == nil
}

// fill makes the new folder whole: the transfer, and what must be true after it.
func (r *run) fill(ctx context.Context) error {
	opt, err := r.transferOptions()
	if err != nil {
		return err
	}
	opt.Alternative = options.AltLink
	for _, dir := range append(r.content.unfinished, r.base()...) {
		opt.AltDirs = append(opt.AltDirs, filepath.Join(r.store.Dir, dir))
	}
	err = r.transfer(ctx, opt, r.folder)
	switch code := proto.ExitCode(err); {
	case err == nil:
	case code == proto.ExitVanished:
		r.res.Vanished = true
	case code == proto.ExitPartial && r.AllowPartial:
		r.res.Snapshot = Snapshot{Name: name(r.res.Snapshot.Time, true), Time: r.res.Snapshot.Time, Partial: true}
	case code == proto.ExitPartial:
		return proto.Failf(code, "some files are missing in the snapshot, for the reasons above: it is left unfinished, and the next run goes on with it (--allow-partial takes such a snapshot as it is): %w", err)
	default:
		return err
	}
	if err := r.refuseEmpty(); err != nil {
		return err
	}
	if r.Verify {
		return r.verify(ctx)
	}
	return nil
}

func (r *run) base() []string {
	if r.res.Base == "" {
		return nil
	}
	return []string{r.res.Base}
}

// refuseEmpty refuses a snapshot without any file after one that had some: a
// disk that is not mounted at the source looks like that.
func (r *run) refuseEmpty() error {
	st := r.res.Stats
	if r.AllowEmpty || r.res.Base == "" || st.Files+st.Links+st.Devices+st.Specials > 0 {
		return nil
	}
	infos, err := r.store.root.ReadDirInfo(r.res.Base)
	if err == nil && len(infos) == 0 {
		return nil
	}
	return proto.Failf(proto.ExitFileSelect, "there is not one file at the source, but the snapshot before has some: is its disk mounted? If it is meant so, say --allow-empty")
}

// transferOptions are those of the user, with the backup's own folder left out
// where it lies in what is saved.
func (r *run) transferOptions() (*options.Options, error) {
	opt := *r.Options
	for _, s := range r.Route.Sources {
		rule, err := leaveOut(s, r.store.Dir)
		if err != nil {
			return nil, proto.Fail(proto.ExitSyntax, err)
		}
		if rule != "" {
			opt.Rules = append([]options.Rule{{Kind: options.RuleExclude, Text: rule}}, opt.Rules...)
		}
	}
	return &opt, nil
}

// transfer moves files to a folder of the store, or looks what would be moved.
func (r *run) transfer(ctx context.Context, opt *options.Options, folder string) (err error) {
	printer := &client.Printer{Out: r.Out, Err: r.Err, Options: opt}
	progress := client.NewProgress(printer, r.Style, r.res.Snapshot.Name, r.Width)
	defer progress.End()
	r.res.Stats, err = r.copy(ctx, opt, folder, progress)
	return err
}

func (r *run) copy(ctx context.Context, opt *options.Options, folder string, obs transfer.Observer) (transfer.Stats, error) {
	c := r.Client(opt, obs)
	if len(r.Route.From) == 0 {
		return c.Copy(ctx, r.Route.Sources, filepath.Join(r.store.Dir, folder)+"/")
	}
	return c.Pull(ctx, r.Route.From, transfer.Dest{Root: r.store.root, Path: folder, Aside: server.Aside(r.store.Dir, rootfs.Operator{})})
}

// conclude gives the snapshot its name and deletes what it makes superfluous.
func (r *run) conclude(ctx context.Context, start time.Time) error {
	if err := r.store.root.SyncFS(); err != nil {
		return proto.Failf(proto.ExitFileIO, "write the snapshot to the disk: %w", err)
	}
	s := r.res.Snapshot
	if err := r.store.finish(r.folder, s.Name, s.Partial); err != nil {
		return proto.Fail(proto.ExitFileIO, err)
	}
	if err := r.store.clear(ctx, r.content.unfinished...); err != nil {
		return proto.Fail(proto.ExitFileIO, err)
	}
	if s.Partial {
		return proto.Failf(proto.ExitPartial, "some files are missing in the snapshot %s, for the reasons above; nothing old is deleted", s.Name)
	}
	r.res.Plan = MakePlan(append([]Snapshot{s}, r.content.snapshots...), r.Keep, r.planTime(start))
	var err error
	r.res.Pruned, err = r.store.Prune(ctx, r.res.Plan)
	return proto.Fail(proto.ExitFileIO, err)
}

// planTime is the moment at which the policy looks: the new snapshot may be dated
// a second or two later than the run began.
func (r *run) planTime(start time.Time) time.Time {
	if t := r.res.Snapshot.Time; t.After(start) {
		return t.In(start.Location())
	}
	return start
}

// dryRun shows what a run would bring, and what would be deleted after it.
func (r *run) dryRun(ctx context.Context, start time.Time) error {
	opt, err := r.transferOptions()
	if err != nil {
		return err
	}
	folder := r.folder // which is not there: all would be new
	if r.res.Base != "" {
		// Compared with the snapshot before, so that one also sees what is gone.
		folder, opt.Delete, opt.DeleteExcluded = r.res.Base, options.DeleteDefault, true
	}
	if len(r.content.unfinished) > 0 {
		opt.Alternative = options.AltCompare
		for _, u := range r.content.unfinished {
			opt.AltDirs = append(opt.AltDirs, filepath.Join(r.store.Dir, u))
		}
	}
	err = r.transfer(ctx, opt, folder)
	if err != nil && !client.Partial(err) {
		return err
	}
	r.res.Vanished = proto.ExitCode(err) == proto.ExitVanished
	if err != nil && !r.res.Vanished {
		return err
	}
	r.res.Plan = MakePlan(append([]Snapshot{r.res.Snapshot}, r.content.snapshots...), r.Keep, r.planTime(start))
	return r.refuseEmpty()
}

// Reported tells whether an error has been explained by lines before it.
func Reported(err error) bool {
	var bare proto.Exit
	return errors.As(err, &bare)
}

// String says in a line what kind of snapshot it is.
func (s Snapshot) String() string {
	if s.Partial {
		return fmt.Sprintf("%s (files are missing)", s.Name)
	}
	return s.Name
}
