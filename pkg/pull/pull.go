// Package pull makes a slave player's music like its master's: both drives in
// one job, the database files gone before the first change, the drives
// writable only meanwhile.
//
// In a sentence: lock the player, make its drives writable, pull fids of each,
// reindex before the first change, sync, make the drives read-only again. A
// power cut at any moment leaves a player that rebuilds its database, never
// one whose database tells of music that is not there.
package pull

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/empegsync/empegsync/pkg/mounts"
	"github.com/empegsync/empegsync/pkg/player"
	"github.com/empegsync/empegsync/pkg/rsync/client"
	"github.com/empegsync/empegsync/pkg/rsync/logformat"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
)

// Job is one pull.
type Job struct {
	Player *player.Player
	Guard  *mounts.Guard
	Master client.Remote    // host and port
	Rsync  *options.Options // as for rsync -au --delete, see [Options]
	Umask  uint32
	// Reindex removes the player's database files before the first change.
	Reindex bool
	// AllowEmpty lets a master whose folder is empty empty ours.
	AllowEmpty bool
	// WhilePlaying makes drives writable although the player plays from them and
	// cannot be asked to leave. A file it has open may keep the drive writable.
	WhilePlaying bool
	Out, Err     io.Writer
	Style        client.Style // how progress is shown on Out
	Width        int          // columns of the terminal

	quit     bool // the player was asked to leave, and did
	removed  []player.DatabaseFile
	reported bool // the master's message of the day was shown
}

// Options returns the options of a pull: rsync -au --delete with data synced
// to disk before it gets its name. update is -u: files that are newer here
// stay.
func Options(update, deletes, dryRun bool) *options.Options {
	o := &options.Options{
		Recurse: true, Links: true, Perms: true, Times: true, Owner: true, Group: true, Devices: true, Specials: true,
		Update: update, DryRun: dryRun, Fsync: true,
	}
	if deletes {
		o.Delete = options.DeleteDefault
	}
	return o
}

// Result is what a pull has done.
type Result struct {
	Drives  []DriveResult
	Removed []player.DatabaseFile // database files, before the first change
	Doomed  []player.DatabaseFile // dry run: those that would be removed
	Elapsed time.Duration
	// Restarted says that the player was quit and started again, and has saved its
	// database if it was removed.
	Restarted bool
}

// DriveResult is what has happened to one drive.
type DriveResult struct {
	Name  string
	Stats transfer.Stats
	Err   error
}

// Changed reports whether music was changed, or would be by a dry run.
func (r Result) Changed() bool {
	for _, d := range r.Drives {
		if d.Stats.Transferred+d.Stats.Deleted+d.Stats.Created > 0 {
			return true
		}
	}
	return len(r.Removed) > 0
}

// Run pulls. The error is the worst of the drives' and maps to an exit code;
// the result is good for as far as the job came.
func (j *Job) Run(ctx context.Context) (res Result, err error) {
	start := time.Now()
	defer func() { res.Elapsed, res.Removed = time.Since(start), j.removed }()
	lock, err := j.Player.Lock()
	if err != nil {
		return res, proto.Fail(proto.ExitStartClient, err)
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	defer func() {
		if j.quit {
			err = errors.Join(err, j.playAgain(ctx))
			res.Restarted = true
		}
	}()
	if j.Rsync.DryRun && j.Reindex {
		if res.Doomed, err = j.Player.PlanReindex(); err != nil {
			return res, proto.Fail(proto.ExitFileSelect, err)
		}
	}
	drives, err := j.Player.Drives()
	if err != nil {
		return res, proto.Fail(proto.ExitFileSelect, err)
	}
	if len(drives) == 0 {
		return res, proto.Failf(proto.ExitFileSelect, "%s has no drive0 or drive1 with music; name the player's root with --root", j.Player.Root())
	}
	var errs []error
	for _, d := range drives {
		st, err := j.drive(ctx, d)
		res.Drives = append(res.Drives, DriveResult{d.Name, st, err})
		if err != nil {
			errs = append(errs, &driveError{d.Name, err})
		}
		if stops(err) {
			break
		}
	}
	return res, errors.Join(errs...)
}

// driveError names the drive that an error is about.
type driveError struct {
	drive string
	err   error
}

func (e *driveError) Error() string { return e.drive + ": " + e.err.Error() }
func (e *driveError) Unwrap() error { return e.err }

// leftWritable is the error of a drive that could not be made read-only again.
// Its music is in place, and the other drive need not wait for it.
type leftWritable struct{ error }

func (e *leftWritable) Unwrap() error { return e.error }

// stops reports whether the next drive need not be tried: the master is out
// of reach, or the disk or the user has had enough.
func stops(err error) bool {
	if _, only := err.(*leftWritable); only {
		return false
	}
	switch proto.ExitCode(err) {
	case proto.ExitOK, proto.ExitPartial, proto.ExitVanished, proto.ExitDelLimit, proto.ExitStartClient, proto.ExitFileSelect:
		return false
	}
	return true
}

// drive pulls one drive's fids.
func (j *Job) drive(ctx context.Context, d player.Drive) (st transfer.Stats, err error) {
	if j.Rsync.DryRun {
		return j.copy(ctx, d, j.Rsync)
	}
	disturbs, err := j.disturbs(d)
	if err != nil {
		return st, proto.Fail(proto.ExitFileIO, err)
	}
	if disturbs { // look first: when nothing is to be done, the music plays on
		look := *j.Rsync
		look.DryRun, look.Verbose, look.Itemize, look.Quiet = true, 0, 0, 1
		if st, err = j.copy(ctx, d, &look); err != nil || st.Transferred+st.Deleted+st.Created == 0 {
			return st, err
		}
		if err := j.askToLeave(ctx); err != nil {
			return transfer.Stats{}, proto.Fail(proto.ExitFileIO, err)
		}
	}
	restore, _, err := j.Guard.Writable(d.Path)
	if err != nil {
		return transfer.Stats{}, proto.Fail(proto.ExitFileIO, err)
	}
	defer func() {
		if rerr := restore(); rerr != nil {
			rerr = &leftWritable{proto.Fail(proto.ExitFileIO, rerr)}
			if err != nil {
				rerr = errors.Join(err, rerr)
			}
			err = rerr
		}
	}()
	return j.copy(ctx, d, j.Rsync)
}

// copy makes one drive's fids like the master's, or looks what that would be.
func (j *Job) copy(ctx context.Context, d player.Drive, how *options.Options) (st transfer.Stats, err error) {
	root, err := rootfs.Open(d.Path)
	if err != nil {
		return st, proto.Fail(proto.ExitFileIO, err)
	}
	defer root.Close()
	printer := &client.Printer{Out: j.Out, Err: j.Err, Options: how}
	style := j.Style
	if how != j.Rsync {
		style = client.ProgressOff
	}
	progress := client.NewProgress(printer, style, d.Name, j.Width)
	defer progress.End()
	// The list comes whole: before anything is done it must show whether the
	// master has any music at all.
	opt := *how
	opt.IncRecurse = options.No
	c := &client.Client{Options: &opt, Umask: j.Umask, Observer: progress, Say: j.say}
	from := j.Master
	from.Module, from.Path = d.Name, "fids"
	if opt.Verbose+opt.Itemize > 0 && opt.Quiet == 0 {
		fmt.Fprintf(j.Out, "%s from %s\n", d.Path, from)
	}
	st, err = c.Pull(ctx, []client.Remote{from}, transfer.Dest{
		Root:         root,
		BeforeChange: func() error { return j.beforeChange(ctx) },
		Accept:       func(st transfer.Stats) error { return j.accept(root, st) },
		SweepTemps:   true,
	})
	j.reported = true
	err = j.cause(ctx, err)
	if err == nil && !opt.DryRun {
		err = j.sync(root, st)
	}
	return st, err
}

// cause gives its own exit code and words to what may show as another error on
// the way: the user stops the pull, or the master has fallen silent. Trying to
// connect for too long is something else.
func (j *Job) cause(ctx context.Context, err error) error {
	code := proto.ExitCode(err)
	switch {
	case err == nil || code == proto.ExitSignal:
	case ctx.Err() != nil:
		return &proto.Failure{Code: proto.ExitSignal, Err: context.Cause(ctx)}
	case !errors.Is(err, os.ErrDeadlineExceeded):
	case code == proto.ExitStartClient || code == proto.ExitStreamIO || code == proto.ExitTimeout:
		return &proto.Failure{Code: proto.ExitTimeout, Err: fmt.Errorf("nothing has come from the master for %d seconds (--timeout): %w", j.Rsync.Timeout, err)}
	}
	return err
}

// sync makes names and folders durable, after data and before the drive
// becomes read-only.
func (j *Job) sync(root *rootfs.Root, st transfer.Stats) error {
	if st.Transferred+st.Deleted+st.Created == 0 {
		return nil
	}
	if err := root.SyncFS(); err != nil {
		return proto.Failf(proto.ExitFileIO, "sync the drive: %w", err)
	}
	return nil
}

// say shows the master's message of the day, once.
func (j *Job) say(line string) {
	if !j.reported && j.Rsync.Quiet == 0 {
		fmt.Fprintln(j.Out, logformat.Escape(line))
	}
}

// beforeChange removes the database files, once for all drives: from here on
// they would lie.
func (j *Job) beforeChange(ctx context.Context) error {
	if !j.Reindex {
		return nil
	}
	removed, err := j.Player.Reindex(ctx, false)
	j.removed = append(j.removed, removed...)
	if err != nil {
		return proto.Fail(proto.ExitFileIO, fmt.Errorf("remove the player's database before the first change; nothing is changed: %w", err))
	}
	return nil
}

// accept refuses an empty list if there is music here: a master whose drive is
// not mounted looks like one that has deleted everything.
func (j *Job) accept(root *rootfs.Root, st transfer.Stats) error {
	if st.Files > 0 || j.AllowEmpty || j.Rsync.Delete == options.DeleteNone {
		return nil
	}
	n, err := countFiles(root, "fids", 1)
	if err != nil || n == 0 {
		return nil // nothing can be lost
	}
	return proto.Failf(proto.ExitFileSelect, "the master's folder fids is empty, but there is music here: is its drive mounted? "+
		"Nothing is deleted; if it is meant so, say --allow-empty")
}

// countFiles counts regular files below dir, up to enough.
func countFiles(root *rootfs.Root, dir string, enough int) (int, error) {
	infos, err := root.ReadDirInfo(dir)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, in := range infos {
		if n >= enough {
			break
		}
		switch {
		case in.Err != nil:
		case in.IsRegular():
			n++
		case in.IsDir():
			m, err := countFiles(root, dir+"/"+in.Name, enough-n)
			if err != nil {
				return n, err
			}
			n += m
		}
	}
	return n, nil
}

// Summary says in a few lines what a pull has done.
func (r Result) Summary(o *options.Options) string {
	var b strings.Builder
	for _, d := range r.Drives {
		b.WriteString(d.line(o))
	}
	switch {
	case len(r.Removed) > 0:
		fmt.Fprintf(&b, "database: removed %s before the first change; the player rebuilds it at its next start\n", names(r.Removed))
	case o.DryRun && r.Changed() && len(r.Doomed) > 0:
		fmt.Fprintf(&b, "database: would be removed before the first change (%s)\n", names(r.Doomed))
	case !r.failed() && !r.Changed():
		b.WriteString("database: kept, no music has changed\n")
	}
	return b.String()
}

func names(files []player.DatabaseFile) string {
	list := make([]string, len(files))
	for i, f := range files {
		list[i] = f.Name
	}
	return strings.Join(list, ", ")
}

func (r Result) failed() bool {
	return slices.ContainsFunc(r.Drives, func(d DriveResult) bool { return d.Err != nil })
}

func (d DriveResult) line(o *options.Options) string {
	st := d.Stats
	if d.Err != nil && st.Files+st.Dirs == 0 {
		return fmt.Sprintf("%s: not pulled\n", d.Name)
	}
	verb, del := "transferred", "deleted"
	if o.DryRun {
		verb, del = "to transfer", "to delete"
	}
	s := fmt.Sprintf("%s: %s files, %s %s, %s %s; received %s, sent %s, speedup %s\n", d.Name, logformat.Commas(int64(st.Files)),
		logformat.Commas(int64(st.Transferred)), verb, logformat.Commas(int64(st.Deleted)), del,
		client.Size(st.Read), client.Size(st.Written), fmt.Sprintf("%.2f", client.Speedup(st)))
	if st.Newer > 0 {
		s += fmt.Sprintf("%s: %s files are newer here than on the master and stay as they are (--no-update takes the master's)\n",
			d.Name, logformat.Commas(int64(st.Newer)))
	}
	return s
}
