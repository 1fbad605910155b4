//go:build !board

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/empegsync/empegsync/pkg/remote/restricted"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

// rrsyncCmd shows the verb in the help; run hands its words to runRrsync, for
// they are in rrsync's form.
type rrsyncCmd struct {
	Words []string `arg:"" optional:"" passthrough:"" help:"As for rrsync: restrictions, directory."`
}

// Help implements kong's detailed help.
func (rrsyncCmd) Help() string {
	return `In ~/.ssh/authorized_keys, before a key ("empegsync authorize" writes such lines):
  restrict,command="empegsync rrsync -ro /srv/music"

"empegsync rrsync -help" lists the restrictions.

Example:
  empegsync rrsync -append /srv/backups/laptop`
}

// Run implements the verb.
func (c *rrsyncCmd) Run(ctx context.Context, s *streams) error {
	if code := runRrsync(ctx, c.Words, s); code != exitOK {
		return &coded{fmt.Errorf("rrsync ended with code %d", code), code}
	}
	return nil
}

const rrsyncUsage = `Usage: empegsync rrsync [RESTRICTION]... DIR
  or   empegsync rrsync [RESTRICTION]... NAME=DIR...
The forced command of an ssh key: its clients reach what is below DIR, and
nothing else. "host:/", "host:" and "host:." are DIR; with several
directories "host:NAME/" is each of them.

`

// rrsyncFlags are the words of one rrsync.
type rrsyncFlags struct {
	policy restricted.Policy
	dirs   []restricted.Dir
	log    string
}

// parseRrsync reads the words.
func parseRrsync(words []string, out io.Writer) (*rrsyncFlags, error) {
	r := &rrsyncFlags{}
	p := &r.policy
	f := flag.NewFlagSet("rrsync", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.BoolVar(&p.ReadOnly, "ro", false, "clients may only read; nothing is deleted or locked")
	f.BoolVar(&p.WriteOnly, "wo", false, "clients may only write")
	f.BoolVar(&p.Munge, "munge", false, "make symlinks useless here, and whole again for clients")
	f.BoolVar(&p.NoDelete, "no-del", false, "nothing is deleted: no --delete, --force and their like")
	f.BoolVar(&p.NoOverwrite, "no-overwrite", false, "what exists stays as it is, and the client hears of it")
	f.BoolVar(&p.Append, "append", false, "keep every version: what is replaced goes to DIR/"+restricted.Versions+"/TIME")
	f.BoolVar(&p.Absolute, "absolute", false, "take paths that begin with DIR's own for those below it")
	f.BoolVar(&p.NoLock, "no-lock", false, "let several sessions write at once")
	list := func(to *[]string) func(string) error {
		return func(names string) error {
			*to = append(*to, strings.FieldsFunc(names, func(c rune) bool { return c == ',' || c == ' ' })...)
			return nil
		}
	}
	f.Func("allow", "also accept these `OPTIONS` of rsync's (a,b,c), which may have wildcards", list(&p.Allow))
	f.Func("deny", "do not accept these `OPTIONS` of rsync's", list(&p.Deny))
	f.Func("quota", "the files below DIR may have so many bytes in all (`SIZE`: 500m, 2g)", func(size string) (err error) {
		if p.Quota, err = options.ParseSize(size); err == nil && p.Quota == 0 {
			err = errors.New("a quota of nothing leaves no room")
		}
		return err
	})
	f.StringVar(&r.log, "log", "", "add a line for each session to `FILE`, which must not lie below DIR")
	err := f.Parse(words)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(out, rrsyncUsage)
		f.SetOutput(out)
		f.PrintDefaults()
		return nil, err
	}
	if err == nil {
		r.dirs, err = restricted.ParseDirs(f.Args())
	}
	if err == nil {
		err = p.Check()
	}
	return r, err
}

// runRrsync serves what an ssh key's client has asked for.
func runRrsync(ctx context.Context, words []string, s *streams) int {
	fail := func(err error) int {
		fmt.Fprintln(s.err, restricted.OneLine("rrsync: "+err.Error()))
		return exitFailed
	}
	r, err := parseRrsync(words, s.out)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	if err != nil {
		return fail(fmt.Errorf("the forced command of this key: %w", err))
	}
	key, err := restricted.Open(r.policy, r.dirs)
	if err != nil {
		return fail(err)
	}
	defer key.Close()
	command := os.Getenv("SSH_ORIGINAL_COMMAND")
	log, err := openSessionLog(r.log, key)
	if err != nil {
		return fail(err)
	}
	defer log.Close()
	start := time.Now()
	entry := restricted.LogEntry{Start: start, From: shellClient(os.Getenv), Command: command}
	req, err := restricted.Parse(command)
	if err == nil && req.Probe {
		return exitOK
	}
	if err == nil {
		entry.Result, err = serveKey(ctx, key, req, s)
	} else {
		fail(err)
		err = proto.Fail(proto.ExitSyntax, err)
	}
	entry.Err, entry.Took = err, time.Since(start)
	if log != nil {
		if _, err := io.WriteString(log, entry.Line()); err != nil {
			fail(fmt.Errorf("write the log: %w", err))
		}
	}
	return int(proto.ExitCode(err))
}

// serveKey serves a request on the standard streams.
func serveKey(ctx context.Context, key *restricted.Key, req *restricted.Request, s *streams) (restricted.Result, error) {
	conn, restore, err := stdio(s)
	if err != nil {
		fmt.Fprintln(s.err, "rrsync:", err)
		return restricted.Result{}, err
	}
	defer restore()
	key.Err, key.Umask = s.err, umask()
	return key.Serve(ctx, req, conn)
}

// openSessionLog opens the log of sessions, nil if there is none.
func openSessionLog(name string, key *restricted.Key) (*os.File, error) {
	if name == "" {
		return nil, nil
	}
	if key.Holds(name) {
		return nil, fmt.Errorf("the log %s lies in the key's directory, where clients could change it: choose another place", name)
	}
	f, err := rootfs.Operator{}.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	return f, nil
}
