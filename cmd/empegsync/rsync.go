package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/client"
	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/logformat"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	farend "github.com/empegsync/empegsync/pkg/rsync/server"
	"github.com/empegsync/empegsync/pkg/rsync/session"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
)

// rsyncCmd shows the verb in the help; run hands its words to runRsync before
// they are looked at here, for they are rsync's.
type rsyncCmd struct {
	Words []string `arg:"" optional:"" passthrough:"" help:"As for rsync: options, sources, destination."`
}

// Run implements the verb.
func (c *rsyncCmd) Run(ctx context.Context, s *streams) error {
	if code := runRsync(ctx, []string{"empegsync", "rsync"}, c.Words, s); code != exitOK {
		return &coded{fmt.Errorf("rsync ended with code %d", code), code}
	}
	return nil
}

// rsyncRun is one run under rsync's name.
type rsyncRun struct {
	*streams
	opt *options.Options
	// the command line: what starts this program as rsync, and the words behind
	program, words []string

	report *client.Report
	client *client.Client
	caps   proto.Caps
	log    *logformat.Lines
}

// runRsync is rsync: the same command lines, lines of output and exit codes.
// program are the words that start it.
func runRsync(ctx context.Context, program, words []string, s *streams) int {
	opt, err := options.ParseIn(os.LookupEnv, userAliases(), words)
	switch {
	case err != nil:
		return rsyncError(s.err, "rsync: "+err.Error(), exitOf(err), "client")
	case opt.Daemon && opt.Help:
		fmt.Fprint(s.out, rsyncDaemonHelp())
		return exitOK
	case opt.Daemon && opt.Server:
		return daemonStdio(ctx, opt, s)
	case opt.Daemon:
		return runDaemon(ctx, opt, s)
	case opt.Server:
		return serveStdio(ctx, opt, words, s)
	case opt.Help:
		fmt.Fprint(s.out, rsyncHelp())
		return exitOK
	case opt.InfoHelp:
		fmt.Fprint(s.out, options.InfoHelpText())
		return exitOK
	case opt.DebugHelp:
		fmt.Fprint(s.out, options.DebugHelpText())
		return exitOK
	case opt.Version > 0:
		fmt.Fprint(s.out, rsyncVersion(opt.Version > 1))
		return exitOK
	case len(opt.Args) == 0:
		fmt.Fprint(s.err, rsyncHelp())
		return rsyncError(s.err, "", proto.ExitSyntax, "client")
	}
	if names := opt.Undebugged(); len(names) > 0 && opt.Quiet == 0 {
		fmt.Fprintf(s.err, "rsync: there is nothing to show for --debug=%s: see --debug=help\n", strings.Join(names, ","))
	}
	to := s.out
	if opt.Stderr == options.StderrAll {
		to = s.err
	}
	out, done := buffered(to, opt.Outbuf)
	defer done()
	if dir := os.Getenv("RSYNC_PARTIAL_DIR"); dir != "" && opt.Partial && opt.PartialDir == "" && !opt.DelayUpdates {
		opt.SetPartialDir(dir)
	}
	r := &rsyncRun{streams: &streams{s.in, out, s.err}, opt: opt, program: program, words: words}
	r.openLog()
	ctx, stop, err := limited(ctx, opt)
	if err != nil {
		return rsyncError(s.err, "rsync: "+err.Error(), exitOf(err), "client")
	}
	defer stop()
	summary, err := r.run(ctx)
	if summary != nil {
		fmt.Fprint(out, summary)
	}
	done()
	return r.ended(err)
}

// limited ends ctx when the time is over that the options grant.
func limited(ctx context.Context, opt *options.Options) (context.Context, context.CancelFunc, error) {
	over := proto.Failf(proto.ExitTimeout, "stopping at requested limit")
	now := time.Now()
	switch {
	case opt.StopAt != "":
		at, err := options.StopTime(opt.StopAt, now)
		if err != nil {
			return ctx, nil, err
		}
		ctx, stop := context.WithDeadlineCause(ctx, at, over)
		return ctx, stop, nil
	case opt.StopAfter > 0:
		ctx, stop := context.WithTimeoutCause(ctx, time.Duration(opt.StopAfter)*time.Minute, over)
		return ctx, stop, nil
	}
	return ctx, func() {}, nil
}

// exitOf returns the exit code of an error of any part.
func exitOf(err error) proto.Exit {
	var oe *options.Error
	if errors.As(err, &oe) {
		return proto.Exit(oe.ExitCode())
	}
	return proto.ExitCode(err)
}

// rsyncError prints the lines with which rsync ends after an error, and
// returns the exit code.
func rsyncError(w io.Writer, text string, code proto.Exit, who string) int {
	if text != "" {
		fmt.Fprintln(w, logformat.Escape(text))
	}
	fmt.Fprintln(w, errorLine(code, who))
	return int(code)
}

// errorLine is the last line of a run that has failed.
func errorLine(code proto.Exit, who string) string {
	kind := "error"
	if code == proto.ExitVanished {
		kind = "warning"
	}
	return fmt.Sprintf("rsync %s: %s (code %d) [%s=%s]", kind, client.ErrorName(code), int(code), who, version)
}

// ended prints how the run went wrong, if it did.
func (r *rsyncRun) ended(err error) int {
	if err == nil {
		return exitOK
	}
	var bare proto.Exit
	text := ""
	stopped := errors.Is(err, context.Canceled)
	if !errors.As(err, &bare) && !stopped { // a bare code has been explained before
		text = "rsync: " + err.Error()
	}
	lines := strings.Split(text, "\n")
	for _, l := range lines[:len(lines)-1] {
		fmt.Fprintln(r.err, logformat.Escape(l))
		r.log.Add(l)
	}
	who := "Receiver"
	if r.report != nil && r.report.Building {
		who = "sender"
	}
	code := proto.ExitCode(err)
	if last := lines[len(lines)-1]; last != "" {
		r.log.Add(last)
	}
	r.log.Add(errorLine(code, who))
	return rsyncError(r.err, lines[len(lines)-1], code, who)
}

// run sorts out who has what, and does it.
func (r *rsyncRun) run(ctx context.Context) (fmt.Stringer, error) {
	route, err := r.route()
	if err != nil {
		return nil, err
	}
	list := r.opt.ListOnly != options.ListNo
	r.prepare(ctx, route)
	if r.client.SumList, r.client.CompressList, err = session.EnvironmentLists(os.Getenv, false); err != nil {
		return nil, err
	}
	if modules := len(route.From) == 1 && !route.From[0].Shell && route.From[0].Module == ""; modules {
		return nil, r.client.List(ctx, route.From[0])
	}
	start := time.Now()
	var st transfer.Stats
	switch {
	case list && route.To == nil: // else the other side lists what we have
		st, err = r.list(ctx, route)
	case len(route.From) > 0, r.opt.ReadBatch != "":
		st, err = r.pull(ctx, route)
	case route.To != nil:
		var sources []transfer.Source
		var done func()
		if sources, done, err = farend.OpenSources(route.Sources, r.opt); err == nil {
			st, err = r.client.Push(ctx, sources, *route.To)
			done()
		}
	default:
		st, err = r.client.Copy(ctx, route.Sources, route.Dest)
	}
	sum := client.Summary{
		Options: r.opt, Caps: r.caps, Stats: st, Created: r.report.Created, Deleted: client.DeletedKinds(st, r.report.Deletions),
		Elapsed: time.Since(start),
	}
	r.report.End()
	if err != nil && !client.Partial(err) {
		return nil, err
	}
	logSummary(r.log, sum, err)
	return sum, err
}

// route finds out where files come from and where they go.
func (r *rsyncRun) route() (client.Route, error) {
	if r.opt.ReadBatch == "" {
		route, err := client.ParseRoute(r.opt.Args)
		route.UsePort(r.opt.Port)
		return route, err
	}
	if len(r.opt.Args) > 1 {
		return client.Route{}, proto.Failf(proto.ExitSyntax, "--read-batch takes a destination and no source")
	}
	dest := r.opt.Args[0]
	if _, remote, _ := client.ParsePlace(dest); remote {
		return client.Route{}, proto.Failf(proto.ExitSyntax, "remote destination is not allowed with --read-batch")
	}
	return client.Route{Dest: dest}, nil
}

// prepare makes the client and its report for a route.
func (r *rsyncRun) prepare(ctx context.Context, route client.Route) {
	pull := len(route.From) > 0 || r.opt.ReadBatch != ""
	r.report = &client.Report{
		Printer: client.Printer{
			Out: r.out, Err: r.streams.err, Options: r.opt, Sending: route.To != nil, PeerTells: route.To != nil,
		},
		Heading: "building file list", Building: !pull,
	}
	if pull {
		r.report.Heading = "receiving file list"
	}
	r.client = &client.Client{
		Options: r.opt, Umask: umask(), Observer: r.report, Program: r.program, Words: r.words,
		Say: func(line string) {
			if r.opt.Quiet == 0 {
				fmt.Fprintln(r.out, line)
			}
		},
		Proxy:   os.Getenv("RSYNC_PROXY"),
		Secrets: secrets(ctx, r.streams),
		Shell: client.Shell{
			Default: os.Getenv("RSYNC_RSH"), Connect: os.Getenv("RSYNC_CONNECT_PROG"), Runs: os.Getenv("RSYNC_SHELL"),
			Stderr: r.streams.err,
		},
		Started: func(words []string) {
			if r.opt.ShowsCommand() && r.opt.Quiet == 0 {
				fmt.Fprintf(r.out, "opening connection using: %s  (%d args)\n", strings.Join(words, " "), len(words))
			}
		},
		Debug: func(line string) {
			if r.opt.Quiet == 0 {
				fmt.Fprintln(r.report.Lines(), line)
			}
		},
		Agreed: func(a session.Agreed) {
			r.caps, r.report.Incremental = a.Caps, a.Caps.IncRecurse
			r.report.Agreed(a)
			r.report.Begin()
		},
	}
	if r.log != nil {
		r.report.Log = r.log.Add
	}
}

func (r *rsyncRun) pull(ctx context.Context, route client.Route) (transfer.Stats, error) {
	dest, err := farend.OpenDest(route.Dest, r.opt, func(dir string) {
		if r.opt.Quiet == 0 && (r.opt.Info(options.InfoName) > 0 || r.opt.Format() != "") {
			fmt.Fprintln(r.report.Lines(), "created directory "+logformat.Escape(dir))
		}
	})
	if err != nil {
		return transfer.Stats{}, err
	}
	defer dest.Root.Close()
	if r.opt.ShowsMatches() && r.opt.Quiet == 0 {
		farend.AfterAccept(&dest, func() { fmt.Fprintln(r.report.Lines(), farend.DeltaLine(r.opt)) })
	}
	if r.opt.ReadBatch != "" {
		return r.client.Replay(ctx, dest)
	}
	return r.client.Pull(ctx, route.From, dest)
}

func (r *rsyncRun) list(ctx context.Context, route client.Route) (transfer.Stats, error) {
	show := func(e *filelist.Entry) {
		if r.opt.Quiet == 0 {
			fmt.Fprintln(r.out, r.report.Safe(logformat.ListLine(e, r.opt.HumanReadable, r.opt.Links, time.Local)))
		}
	}
	if len(route.From) > 0 {
		return r.client.ListFiles(ctx, route.From, show)
	}
	return r.client.ListLocal(ctx, route.Sources, show)
}
