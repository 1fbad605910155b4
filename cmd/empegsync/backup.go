package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/empegsync/empegsync/pkg/backup"
	"github.com/empegsync/empegsync/pkg/rsync/client"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
)

// backupCmd keeps dated snapshots.
type backupCmd struct {
	Run      backupRunCmd      `cmd:"" default:"withargs" help:"Make a snapshot, and delete those that the policy no longer keeps."`
	List     backupListCmd     `cmd:"" help:"List the snapshots in a folder."`
	Schedule backupScheduleCmd `cmd:"" help:"Print a systemd timer and a line for cron that make a snapshot each night."`
}

// Help is what --help tells of the verb.
func (backupCmd) Help() string {
	return `"empegsync backup run --help" tells of all flags of a run; "run" may be left out.

Examples:
  mkdir -m 700 /var/backups/host
  empegsync backup -e "ssh -i KEY" root@host:/ /var/backups/host -n -v
  empegsync backup --keep daily=7,weekly=4,monthly=12 root@host:/ /var/backups/host
  empegsync backup list /var/backups/host`
}

// backupFlags are those of a snapshot.
type backupFlags struct {
	Source       string `arg:"" help:"What to save, as rsync names it: HOST:/, HOST::MODULE/, rsync://HOST/MODULE/, /home/."`
	Dest         string `arg:"" help:"The folder of the snapshots, which must exist."`
	Keep         string `placeholder:"daily=7,weekly=4,..." help:"Delete snapshots that this does not keep: last, hourly, daily, weekly, monthly, yearly (default: keep all)."`
	Verify       bool   `help:"Read everything again on both sides and compare sums before the snapshot counts."`
	AllowPartial bool   `help:"Take a snapshot in which files are missing as it is, named .partial; the exit code is 23 all the same."`
	AllowEmpty   bool   `help:"Take an empty source for what it is after a snapshot that was not empty."`

	Rsh           string   `short:"e" placeholder:"COMMAND" help:"The remote shell, such as \"ssh -i KEY\"."`
	RsyncPath     string   `placeholder:"PROGRAM" help:"The rsync to run on the other machine."`
	Rules         []string `name:"filter" short:"f" also:"exclude,include,exclude-from,include-from" placeholder:"RULE" help:"What to leave out, as for rsync; also --exclude=PATTERN, --include=PATTERN, --exclude-from=FILE and --include-from=FILE."`
	Bwlimit       string   `placeholder:"RATE" help:"Send no more than this much a second, in KiB or as 1.5m."`
	Compress      bool     `short:"z" help:"Compress on the way."`
	Checksum      bool     `short:"c" help:"Compare by checksum instead of size and time."`
	HardLinks     bool     `short:"H" default:"true" negatable:"" help:"Keep hard links (the default)."`
	OneFileSystem bool     `short:"x" default:"true" negatable:"" help:"Stay on one file system (the default)."`
	NumericIDs    bool     `name:"numeric-ids" default:"true" negatable:"" help:"Keep owners by number (the default)."`
	ACLs          bool     `name:"acls" short:"A" help:"Keep access control lists."`
	Xattrs        bool     `short:"X" help:"Keep extended attributes."`
	FakeSuper     bool     `help:"Write owners and devices down in extended attributes, for a backup that is not root's."`
	PasswordFile  string   `placeholder:"FILE" help:"The password for a daemon."`
	Timeout       int      `default:"600" placeholder:"SECONDS" help:"Give up when nothing moves for so long (default 600, 0: never)."`
	Protocol      int      `placeholder:"NUM" help:"Highest protocol version to speak."`
	RemoteOption  []string `short:"M" sep:"none" placeholder:"OPTION" help:"Give the other side's rsync this option."`
}

// words are rsync's arguments for the flags that differ from the defaults.
func (f *backupFlags) words() []string {
	var w []string
	for _, s := range []struct {
		on   bool
		word string
	}{
		{f.Compress, "-z"}, {f.Checksum, "-c"}, {f.ACLs, "-A"}, {f.Xattrs, "-X"}, {f.FakeSuper, "--fake-super"},
		{!f.HardLinks, "--no-hard-links"}, {!f.OneFileSystem, "--no-one-file-system"}, {!f.NumericIDs, "--no-numeric-ids"},
		{f.Timeout != 0, fmt.Sprintf("--timeout=%d", f.Timeout)}, {f.Protocol != 0, fmt.Sprintf("--protocol=%d", f.Protocol)},
		{f.Rsh != "", "--rsh=" + f.Rsh}, {f.RsyncPath != "", "--rsync-path=" + f.RsyncPath}, {f.Bwlimit != "", "--bwlimit=" + f.Bwlimit},
		{f.PasswordFile != "", "--password-file=" + f.PasswordFile},
	} {
		if s.on {
			w = append(w, s.word)
		}
	}
	for _, o := range f.RemoteOption {
		w = append(w, "--remote-option="+o)
	}
	return append(w, f.Rules...)
}

// job reads the flags.
func (f *backupFlags) job(more ...string) (*backup.Job, error) {
	words := append(backup.Words(), f.words()...)
	opt, err := options.ParseIn(os.LookupEnv, options.Aliases{}, append(append(append(words, more...), "--"), f.Source, f.Dest))
	if err != nil {
		return nil, err
	}
	route, err := client.ParseRoute(opt.Args)
	if err != nil {
		return nil, err
	}
	job := &backup.Job{Route: route, Options: opt, Verify: f.Verify, AllowPartial: f.AllowPartial, AllowEmpty: f.AllowEmpty, Now: time.Now}
	if f.Keep != "" {
		if job.Keep, err = backup.ParsePolicy(f.Keep); err != nil {
			return nil, err
		}
	}
	if f.Verify && opt.DryRun {
		return nil, errors.New("--verify has nothing to verify in a dry run")
	}
	return job, nil
}

// backupRunCmd makes a snapshot.
type backupRunCmd struct {
	backupFlags
	DryRun  bool `short:"n" help:"Show what would be saved and which snapshots would be deleted and why; write nothing."`
	Verbose int  `short:"v" type:"counter" help:"Name each file."`
	Itemize int  `short:"i" type:"counter" help:"Say of each file what changes, as rsync -i does."`
	Quiet   bool `short:"q" help:"Say nothing but errors."`
}

// Help is what --help tells of the verb.
func (backupRunCmd) Help() string {
	return `Each run makes a folder DEST/2026-11-22T030000Z that is whole to look at; files
that have not changed are hard links to the snapshot before. DEST/latest leads to
the newest. What a run that did not end well has brought is gone on with. It saves
what "rsync -aHx --numeric-ids" saves. Exit codes are rsync's: 0 all is well (also
if files went while they were read, which it says), 23 some files are missing,
11 the disk is full, 5 another run is at work.

Examples:
  empegsync backup -e "ssh -i KEY" -z root@host:/ /var/backups/host -n -v
  empegsync backup --keep daily=7,weekly=4,monthly=12 root@host:/ /var/backups/host`
}

// Run implements the verb.
func (b *backupRunCmd) Run(ctx context.Context, s *streams) error {
	more := append(slices.Repeat([]string{"-v"}, b.Verbose), slices.Repeat([]string{"-i"}, b.Itemize)...)
	if b.DryRun {
		more = append(more, "-n")
	}
	if b.Quiet {
		more = append(more, "-q")
	}
	job, err := b.job(more...)
	if err != nil {
		return &coded{err, exitUsage}
	}
	um, secret := umask(), secrets(ctx, s)
	job.Client = func(opt *options.Options, obs transfer.Observer) *client.Client {
		return &client.Client{
			Options: opt, Umask: um, Observer: obs, Proxy: os.Getenv("RSYNC_PROXY"), Secrets: secret,
			Shell: client.Shell{Default: os.Getenv("RSYNC_RSH"), Connect: os.Getenv("RSYNC_CONNECT_PROG"), Stderr: s.err},
		}
	}
	job.Out, job.Err = s.out, s.err
	is, width := terminal(s.out)
	if !b.Quiet {
		job.Style, job.Width = client.StyleFor(is, os.Getenv("TERM")), width
	}
	res, err := job.Run(ctx)
	if !b.Quiet && (err == nil || res.Snapshot.Partial) {
		fmt.Fprint(s.out, res.Summary(b.DryRun, b.DryRun || b.Verbose > 0))
	}
	if err != nil {
		return &coded{err, int(proto.ExitCode(err))}
	}
	return nil
}

// backupListCmd lists snapshots.
type backupListCmd struct {
	Dest string `arg:"" help:"The folder of the snapshots."`
	Keep string `placeholder:"daily=7,weekly=4,..." help:"Say which this policy would keep, and why."`
}

// Help is what --help tells of the verb.
func (backupListCmd) Help() string {
	return `Newest first: the name, when it was begun in this machine's time, and with --keep
what would become of it. Nothing is deleted.

Example:
  empegsync backup list /var/backups/host --keep daily=7,weekly=4`
}

// Run implements the verb.
func (b *backupListCmd) Run(s *streams) error {
	var policy backup.Policy
	var err error
	if b.Keep != "" {
		if policy, err = backup.ParsePolicy(b.Keep); err != nil {
			return &coded{err, exitUsage}
		}
	}
	store, err := backup.Open(b.Dest)
	if err != nil {
		return &coded{err, int(proto.ExitFileSelect)}
	}
	defer store.Close()
	list, err := store.Snapshots()
	if err != nil {
		return &coded{err, int(proto.ExitFileSelect)}
	}
	latest := store.Latest()
	for _, d := range backup.MakePlan(list, policy, time.Now()) {
		notes := []string{d.Time.Local().Format("Mon 2006-01-02 15:04:05 -0700")}
		if d.Name == latest {
			notes = append(notes, "latest")
		}
		if d.Partial {
			notes = append(notes, "files are missing")
		}
		if b.Keep != "" {
			verdict := "keep: "
			if !d.Keep {
				verdict = "delete: "
			}
			notes = append(notes, verdict+d.Reason)
		}
		fmt.Fprintf(s.out, "%-26s %s\n", d.Name, strings.Join(notes, "; "))
	}
	return nil
}

// backupScheduleCmd prints what makes it a habit.
type backupScheduleCmd struct {
	backupFlags
	At string `default:"03:00" placeholder:"HH:MM" help:"When, each day (default 03:00)."`
}

// Help is what --help tells of the verb.
func (backupScheduleCmd) Help() string {
	return `Prints what to put where; nothing is written. A failed night shows in "systemctl
--failed", or in cron's mail.

Example:
  empegsync backup schedule --keep daily=7,weekly=4 root@host:/ /var/backups/host`
}

// Run implements the verb.
func (b *backupScheduleCmd) Run(s *streams) error {
	if _, err := b.job(); err != nil {
		return &coded{err, exitUsage}
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	words := []string{program, "backup"}
	for _, f := range []struct {
		on   bool
		word string
	}{
		{b.Keep != "", "--keep=" + b.Keep}, {b.Verify, "--verify"}, {b.AllowPartial, "--allow-partial"}, {b.AllowEmpty, "--allow-empty"},
	} {
		if f.on {
			words = append(words, f.word)
		}
	}
	text, err := backup.Schedule(append(append(append(words, b.words()...), "--"), b.Source, b.Dest), b.At)
	if err != nil {
		return &coded{err, exitUsage}
	}
	_, err = fmt.Fprint(s.out, text)
	return err
}
