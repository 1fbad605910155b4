package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/empegsync/empegsync/pkg/pull"
	"github.com/empegsync/empegsync/pkg/rsync/client"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// pullCmd mirrors a master's music.
type pullCmd struct {
	Master string `arg:"" optional:"" help:"The master: HOST, HOST:PORT or rsync://HOST[:PORT]; else the one of the configuration."`
	rootFlag
	DryRun       bool `short:"n" help:"Show what would be done, change nothing."`
	Verbose      int  `short:"v" type:"counter" help:"Name each file; twice: also those that are up to date."`
	Itemize      int  `short:"i" type:"counter" help:"Say of each file what changes, as rsync -i does."`
	Quiet        bool `short:"q" help:"Say nothing but errors."`
	Delete       bool `default:"true" negatable:"" help:"Delete what the master does not have (the default)."`
	Update       bool `default:"true" negatable:"" help:"Leave files alone that are newer here (the default)."`
	Reindex      bool `default:"true" negatable:"" help:"Remove the player's database when music changes (the default)."`
	Checksum     bool `short:"c" help:"Compare by checksum instead of size and time."`
	Compress     int  `short:"z" type:"counter" help:"Compress on the way, for slow lines: music itself does not get smaller."`
	AllowEmpty   bool `help:"Empty a drive here if the master's is empty."`
	NumericIDs   bool `name:"numeric-ids" help:"Keep owners by number, not by name."`
	WhilePlaying bool `help:"Write to the drives although the player plays from them and cannot be asked to leave."`
	Restart      bool `help:"Restart the player in the end where it can be done from here."`
	Timeout      int  `default:"60" placeholder:"SECONDS" help:"Give up when nothing moves for so long (default 60, 0: never)."`
	Protocol     int  `placeholder:"NUM" help:"Highest protocol version to speak."`
	IPv4         bool `name:"ipv4" short:"4" xor:"family" help:"Use IPv4 only."`
	IPv6         bool `name:"ipv6" short:"6" xor:"family" help:"Use IPv6 only."`

	user, passwordFile string // for the master of the configuration
}

// Help is what --help tells of the verb.
func (pullCmd) Help() string {
	return `For each drive this does what "rsync -auv --delete rsync://MASTER/driveN/fids ."
does, drive0 to drive0 and drive1 to drive1. Only fids is touched. Before the
first change the player's database files go, so that it rebuilds them; when
nothing changes they stay. Exit codes are rsync's: 0 all is well, 10 the master
cannot be reached, 23 some files were not transferred.

Examples:
  empegsync pull 192.168.0.1 -n -v    look first
  empegsync pull 192.168.0.1`
}

// Run implements the verb.
func (p *pullCmd) Run(ctx context.Context, s *streams) error {
	if err := p.fromSettings(); err != nil {
		return &coded{err, exitUsage}
	}
	master, err := parseMaster(p.Master)
	if err != nil {
		return &coded{err, int(proto.ExitSyntax)}
	}
	if p.Protocol != 0 {
		if err := proto.CheckOwn(p.Protocol); err != nil {
			return &coded{err, int(proto.ExitSyntax)}
		}
	}
	pl, guard, err := p.open()
	if err != nil {
		return &coded{err, int(proto.ExitFileSelect)}
	}
	job := &pull.Job{
		Player: pl, Guard: guard, Master: master, Rsync: pull.Options(p.Update, p.Delete, p.DryRun), Umask: umask(),
		Reindex: p.Reindex, AllowEmpty: p.AllowEmpty, WhilePlaying: p.WhilePlaying, Out: s.out, Err: s.err,
	}
	if p.user != "" {
		job.Master.User = p.user
	}
	p.refine(job)
	is, width := terminal(s.out)
	if !p.Quiet {
		job.Style, job.Width = client.StyleFor(is, os.Getenv("TERM")), width
	}
	res, err := job.Run(ctx)
	if !p.Quiet {
		fmt.Fprint(s.out, res.Summary(job.Rsync))
	}
	if err != nil {
		return &coded{err, int(proto.ExitCode(err))}
	}
	if len(res.Removed) == 0 || res.Restarted || p.Quiet && !p.Restart {
		return nil
	}
	return restart(ctx, pl, p.Restart, p.DryRun, s)
}

// fromSettings takes the master from the player's configuration if none is named.
func (p *pullCmd) fromSettings() error {
	if p.Master != "" {
		return nil
	}
	set, name, err := p.settings()
	if err != nil {
		return err
	}
	if set == nil || set.Master == "" {
		return fmt.Errorf("pull from which \"<master>\"? Name it, or set \"master\" in %s", name)
	}
	p.user, p.passwordFile = set.MasterUser, set.PasswordFile
	p.Master = set.Master
	return nil
}

// refine sets what the flags say about the rsync part.
func (p *pullCmd) refine(job *pull.Job) {
	o := job.Rsync
	o.Verbose, o.Itemize = p.Verbose, p.Itemize
	if p.Quiet {
		o.Quiet = 1
	}
	o.Compress = p.Compress
	o.Checksum, o.NumericIDs = p.Checksum, p.NumericIDs
	o.PasswordFile = p.passwordFile
	o.Timeout, o.Contimeout, o.Protocol = p.Timeout, p.Timeout, p.Protocol
	switch {
	case p.IPv4:
		o.Family = 1
	case p.IPv6:
		o.Family = 2
	}
}

// parseMaster reads HOST, HOST:PORT or rsync://HOST[:PORT][/].
func parseMaster(arg string) (client.Remote, error) {
	if !strings.Contains(arg, "://") {
		arg = "rsync://" + arg
	}
	r, ok, err := client.ParseRemote(arg)
	switch {
	case err != nil:
		return r, err
	case !ok || r.Module != "" || r.Path != "":
		return r, fmt.Errorf("the master is named by host and port only, such as 192.168.0.1 or kitchen:8730, not %q: which drives are pulled is known", arg)
	}
	return r, nil
}

// umask returns the process's umask.
func umask() uint32 {
	m := syscall.Umask(0o022)
	syscall.Umask(m)
	return uint32(m)
}
