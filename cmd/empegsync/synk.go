package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/client"
	"github.com/empegsync/empegsync/pkg/rsync/logformat"
	"github.com/empegsync/empegsync/pkg/synk"
)

// synkCmd shows the verb in the help; run hands its words to runSynk before they
// are looked at here, for -h is a host.
type synkCmd struct {
	Words []string `arg:"" optional:"" passthrough:"" help:"As for synk: options and files."`
}

// Help implements the verb's detailed help.
func (synkCmd) Help() string { return synkHelp }

// Run implements the verb.
func (c *synkCmd) Run(ctx context.Context, s *streams) error {
	if code := runSynk(ctx, c.Words, s); code != exitOK {
		return &coded{fmt.Errorf("synk ended with code %d", code), code}
	}
	return nil
}

const synkHelp = `Usage: empegsync synk [-nvi] [-f CONF] [-p PORT] [-h HOST]... [OPTION]... FILE...
  or   empegsync synk -s

Keeps FILE alike on this machine and all peers: the newest copy goes to all others.
Peers are HOST, with USER@ or not, and else those of /etc/synk.conf, a line
"peer HOST [PORT]" each. They are reached by ssh, which must not ask for anything.

  -h HOST           a peer; may be given again
  -f CONF           read peers from this file
  -p PORT           ssh's port, for peers without one of their own
  -n                show what would be done, do nothing
  -v                show peers, the master and commands; -vv shows more
  -i                ask which copy wins where the times do not say
  -j N              do at most N things at once; 0, the default, for no limit
  -R                FILEs are directories: keep all in them alike, deletions too
  -s                be the other side: one line in, one line out
  --prefer HOST     HOST wins where the times do not say
  --max-skew TIME   how far in the future a file may be dated (1m)
  --relay           let copies between two peers go through this machine
  --backup-dir DIR  keep what is replaced below DIR, on each host
  --json            tell everything as one JSON object
  --help            this text

Exit codes: 0 in sync, 1 usage, 2 something would be done (-n), 3 some peers
were not reached, 4 something failed, 5 conflict.

Examples:
  empegsync synk -v -h keel.z3bra.org -h phobos.z3bra.org $HOME/file
  synk -n FILE           (the same program under this name)
`

// runSynk is synk.
func runSynk(ctx context.Context, words []string, s *streams) int {
	o, err := parseSynk(words)
	if err != nil {
		return synkUsage(s, err)
	}
	switch {
	case o.help:
		fmt.Fprint(s.out, synkHelp)
		return exitOK
	case o.server:
		server := synk.Server{Rsync: ownRsync()}
		if err := server.Serve(ctx, s.in, s.out); err != nil {
			fmt.Fprintln(s.err, "synk:", logformat.Escape(err.Error()))
			return synk.ExitFailed
		}
		return exitOK
	}
	r, err := o.run(s)
	if err != nil {
		return synkUsage(s, err)
	}
	outcome, err := r.Do(ctx)
	if err != nil {
		fmt.Fprintln(s.err, "synk:", logformat.Escape(err.Error()))
		return synk.ExitFailed
	}
	return outcome.Code()
}

func synkUsage(s *streams, err error) int {
	fmt.Fprintf(s.err, "synk: %s\nTry \"empegsync synk --help\".\n", logformat.Escape(err.Error()))
	return synk.ExitUsage
}

// run makes a run of what was asked for.
func (o *synkWords) run(s *streams) (*synk.Run, error) {
	peers, err := o.peers()
	if err != nil {
		return nil, err
	}
	if o.port != "" {
		fmt.Fprintf(s.err, "synk: -p %s is taken as ssh's port: synk opens none of its own\n", o.port)
	} else if i := slices.IndexFunc(peers, func(p synk.Peer) bool { return p.Port != 0 && (o.verbose > 0 || p.Port == synk.OldPort) }); i >= 0 {
		fmt.Fprintf(s.err, "synk: peer %s %d: the port is taken as ssh's: synk opens none of its own\n", peers[i].Host, peers[i].Port)
	}
	shell, err := synkShell()
	if err != nil {
		return nil, err
	}
	r := &synk.Run{
		Peers: peers, Shell: shell, Local: synk.Server{}, Out: s.out, Err: s.err, Verbose: o.verbose, JSON: o.json, DryRun: o.dry,
		Jobs: o.jobs, Relay: o.relay, Backup: o.backup, Umask: umask(),
		Rules:   synk.Rules{MaxSkew: o.maxSkew, Prefer: o.prefer},
		Recurse: o.recurse, States: states(),
	}
	preferred := func(p synk.Peer) bool { return p.Host == o.prefer }
	if o.prefer != "" && o.prefer != synk.Localhost && !slices.ContainsFunc(peers, preferred) {
		return nil, fmt.Errorf("--prefer=%s: that is no peer; this machine is %s", o.prefer, synk.Localhost)
	}
	if o.ask {
		r.Ask = asker(s)
	}
	for _, f := range o.files {
		if f, err = whole(f); err != nil {
			return nil, err
		}
		r.Files = append(r.Files, f)
	}
	return r, nil
}

// peers are those that are named, and those of a configuration.
func (o *synkWords) peers() ([]synk.Peer, error) {
	var peers []synk.Peer
	name := o.conf
	if name == "" && len(o.hosts) == 0 {
		name = synk.ConfFile
	}
	if name != "" {
		f, err := os.Open(name)
		if errors.Is(err, fs.ErrNotExist) && o.conf == "" {
			return nil, fmt.Errorf("no peers: name them with -h, or in %s", name)
		}
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if peers, err = synk.ReadConf(name, f); err != nil {
			return nil, err
		}
	}
	for _, h := range o.hosts {
		p, err := synk.ParsePeer(h, "")
		if err != nil {
			return nil, err
		}
		peers = append(peers, p)
	}
	if o.port != "" {
		with, err := synk.ParsePeer("host", o.port)
		if err != nil {
			return nil, err
		}
		for i := range peers {
			if peers[i].Port == 0 {
				peers[i].Port = with.Port
			}
		}
	}
	if len(peers) == 0 {
		return nil, fmt.Errorf("%s names no peers", name)
	}
	return synk.Unique(peers), nil
}

// synkShell is ssh, or what RSYNC_RSH names, which the copies use as well.
func synkShell() (synk.Shell, error) {
	command := os.Getenv("RSYNC_RSH")
	if command == "" {
		return synk.Shell{}, nil
	}
	words, err := client.SplitCommand(command)
	if err != nil {
		return synk.Shell{}, fmt.Errorf("RSYNC_RSH: %w", err)
	}
	return synk.Shell{Words: words}, nil
}

// whole makes a name that is relative to the working directory one that means
// the same file on other machines. In the user's home directory, in which remote
// shells begin, it does as it stands.
func whole(file string) (string, error) {
	if filepath.IsAbs(file) {
		return filepath.Clean(file), nil
	}
	here, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	if home, err := os.UserHomeDir(); err == nil && home == here && filepath.IsLocal(file) {
		return filepath.Clean(file), nil
	}
	return filepath.Join(here, file), nil
}

// states is where it is remembered what was alike.
func states() string {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "synk")
	}
	if home, err := os.UserHomeDir(); err == nil && home != "/" {
		return filepath.Join(home, ".local/state/synk")
	}
	return "/var/lib/synk"
}

// ownRsync is how this program is run as rsync where there is no other, "" where
// there is one.
func ownRsync() string {
	if _, err := exec.LookPath("rsync"); err == nil {
		return ""
	}
	self, err := os.Executable()
	if err != nil || strings.ContainsFunc(self, func(r rune) bool { return strings.ContainsRune(" '\"\\$`&|;<>()*?[]{}!#~\n\t", r) }) {
		return ""
	}
	return self + " rsync"
}

// asker asks whoever sits there which copy wins.
func asker(s *streams) func(synk.Item) (string, bool) {
	in := bufio.NewReader(s.in)
	return func(item synk.Item) (string, bool) {
		fmt.Fprintf(s.err, "%s: %s\n", logformat.EscapeControls(item.Path), item.Conflict.Why)
		for i, c := range item.Conflict.Candidates {
			fmt.Fprintf(s.err, "  %d  %s  %s  %s  %d bytes\n", i+1, c.Host, c.Copy.Short(), c.Copy.Mtime.Std().Format(time.RFC3339Nano), c.Copy.Size)
		}
		for {
			fmt.Fprintf(s.err, "which one wins (1-%d, Enter for none)? ", len(item.Conflict.Candidates))
			line, err := in.ReadString('\n')
			line = strings.TrimSpace(line)
			n, nerr := strconv.Atoi(line)
			switch {
			case nerr == nil && n >= 1 && n <= len(item.Conflict.Candidates):
				return item.Conflict.Candidates[n-1].Host, true
			case line == "" || errors.Is(err, io.EOF) || err != nil:
				return "", false
			}
		}
	}
}
