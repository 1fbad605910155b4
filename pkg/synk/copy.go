package synk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/client"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/server"
)

func decimalOf(n int) string { return strconv.Itoa(n) }

// sessionsEach is how many sessions one host is asked for at once: sshd turns
// more than ten away that have not logged in yet (sshd_config: MaxStartups).
const sessionsEach = 8

// copier runs jobs.
type copier struct {
	shell Shell
	peers map[string]Peer
	umask uint32
	busy  map[string]places // by master, for what runs there
}

// do runs a job.
func (c *copier) do(ctx context.Context, j job) error {
	if !j.between() {
		return c.here(ctx, j)
	}
	busy := c.busy[j.from.Host]
	if err := busy.in(ctx); err != nil {
		return err
	}
	defer busy.out()
	return c.shell.run(ctx, c.peers[j.from.Host], j.remote(c.peers), strings.NewReader(j.list()), func(r io.Reader) error {
		_, err := io.Copy(io.Discard, r)
		return err
	})
}

// unroutable reports whether a master could not reach the other host, or could
// not even try, so that a way through this machine may help.
func unroutable(err error) bool {
	var ce *commandError
	if !errors.As(err, &ce) {
		return false
	}
	switch ce.status {
	case shellFailure, 126, 127: // 126, 127: no rsync there that can be run
		return true
	case int(proto.ExitStreamIO), int(proto.ExitIPC): // how rsync ends without an ssh
		return true
	}
	return false
}

// here runs rsync in this process.
func (c *copier) here(ctx context.Context, j job) error {
	words := j.words(c.peers)
	if j.base != "" {
		list, err := listFile(j.list())
		if err != nil {
			return err
		}
		defer os.Remove(list)
		for i, w := range words {
			if w == "--files-from=-" {
				words[i] = "--files-from=" + list
			}
		}
	}
	opt, err := options.Parse(words)
	if err != nil {
		return fmt.Errorf("rsync: %w", err)
	}
	opt.Shell = splittable(c.shell.to(c.peers[j.far().Host]))
	route, err := client.ParseRoute(opt.Args)
	if err != nil {
		return err
	}
	said := &tail{}
	cl := &client.Client{
		Options: opt, Umask: c.umask, Shell: client.Shell{Stderr: said},
		Observer: &client.Printer{Out: io.Discard, Err: said, Options: opt, Sending: route.To != nil},
		Started:  c.shell.Trace,
	}
	if err = c.transfer(ctx, cl, route); err != nil && said.String() != "" {
		return fmt.Errorf("%s: %w", said, err)
	}
	return err
}

func (c *copier) transfer(ctx context.Context, cl *client.Client, route client.Route) error {
	if route.To != nil {
		sources, done, err := server.OpenSources(route.Sources, cl.Options)
		if err != nil {
			return err
		}
		defer done()
		_, err = cl.Push(ctx, sources, *route.To)
		return err
	}
	cl.Options.Fsync = true // a power cut leaves the old file or the new one
	dest, err := server.OpenDest(route.Dest, cl.Options, func(string) {})
	if err != nil {
		return err
	}
	defer dest.Root.Close()
	_, err = cl.Pull(ctx, route.From, dest)
	return err
}

// listFile writes names to a file of their own.
func listFile(names string) (string, error) {
	f, err := os.CreateTemp("", "synk")
	if err != nil {
		return "", fmt.Errorf("write a list of names: %w", err)
	}
	_, err = f.WriteString(names)
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(f.Name())
		return "", fmt.Errorf("write a list of names: %w", err)
	}
	return f.Name(), nil
}

// splittable writes words so that rsync's -e takes them apart again.
func splittable(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		if out[i] = w; strings.ContainsAny(w, ` '"`) || w == "" {
			out[i] = `"` + strings.ReplaceAll(w, `"`, `""`) + `"`
		}
	}
	return strings.Join(out, " ")
}

// backups is where a job keeps what it replaces.
func (j job) withBackup(dir, suffix string) job {
	if dir != "" {
		j.backup, j.suffix = path.Clean(dir), suffix
	}
	return j
}
