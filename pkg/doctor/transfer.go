package doctor

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/client"
	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/server"
	"github.com/empegsync/empegsync/pkg/rsync/session"
)

// listener keeps what a transfer has to say.
type listener struct {
	text    bytes.Buffer
	deleted []string
}

// Listed implements transfer.Observer.
func (l *listener) Listed(int, bool) {}

// Item implements transfer.Observer.
func (l *listener) Item(*filelist.Entry, proto.Item) {}

// Data implements transfer.Observer.
func (l *listener) Data(*filelist.Entry, int64) {}

// Deleted implements transfer.Observer.
func (l *listener) Deleted(name string, _ uint32) { l.deleted = append(l.deleted, name) }

// Message implements transfer.Observer.
func (l *listener) Message(_ proto.Tag, text string) { fmt.Fprintln(&l.text, text) }

// client makes a client for one transfer with rsync's words.
func (v *visit) client(words ...string) (*client.Client, *listener, error) {
	if !slices.Contains(words, "-i") { // which has the other side say what it does
		words = append(words, "-q")
	}
	opt, err := options.Parse(append(words, fmt.Sprintf("--timeout=%d", max(1, int(v.Timeout.Seconds())))))
	if err != nil {
		return nil, nil, err
	}
	o := v.Options
	opt.Shell, opt.RsyncPath, opt.Protocol, opt.Family = o.Shell, o.RsyncPath, o.Protocol, o.Family
	opt.ListOnly = options.ListNo // words without places look like it
	l := &listener{}
	shell := v.Shell
	shell.Stderr = nil
	return &client.Client{Options: opt, Umask: 0o077, Observer: l, Shell: shell}, l, nil
}

// failed adds a check that a transfer has failed.
func (v *visit) failed(name string, err error, l *listener, fix string) {
	text := err.Error()
	if said := strings.TrimSpace(l.text.String()); said != "" {
		text = said + "; " + text
	}
	lines := strings.Split(text, "\n")
	if len(lines) > 1 && fix == "" { // as the table has it: what, why, what to change
		fix = lines[len(lines)-1]
		lines = lines[:len(lines)-1]
	}
	v.add(name, Failed, fix, "%s", strings.Join(lines, "; "))
}

// agreement is what a handshake has come to.
type agreement = *session.Agreed

// attempt is how a small transfer has gone.
type attempt struct {
	agreed agreement // nil: the handshake has failed
	err    error
	heard  *listener
}

// well reports whether the host's rsync has done what was wanted.
func (a attempt) well() bool { return a.agreed != nil && (a.err == nil || client.Partial(a.err)) }

// list lists one place there.
func (v *visit) list(ctx context.Context, p place) attempt {
	c, l, err := v.client("-r", "--exclude=*") // as a backup does, but of nothing
	if err != nil {
		return attempt{err: err, heard: l}
	}
	a := attempt{heard: l}
	c.Agreed = func(g session.Agreed) { a.agreed = &g }
	ctx, stop := context.WithTimeout(ctx, v.Timeout)
	defer stop()
	_, a.err = c.ListFiles(ctx, []client.Remote{p.Remote}, func(*filelist.Entry) {})
	if a.err == nil && a.agreed == nil {
		a.err = errors.New("the session ended early")
	}
	return a
}

// protocol shakes hands and lists one place, which tells what both sides speak.
func (v *visit) protocol(ctx context.Context) bool {
	p := v.at(v.Host.Path)
	a := v.list(ctx, p)
	if !a.well() {
		v.failed("protocol", a.err, a.heard, "")
		return false
	}
	v.speak(a.agreed)
	if a.err != nil && v.Host.Path != "" {
		v.failed("folder", a.err, a.heard, "name a folder that is there and may be read, or make "+p.shown)
		return false
	}
	return true
}

// speak tells, once, what both sides have agreed on, and what that covers.
func (v *visit) speak(a agreement) {
	if slices.ContainsFunc(v.report.Checks, func(c Check) bool { return c.Name == "protocol" }) {
		return
	}
	choose := func(has bool, yes, no string) string {
		if has {
			return yes
		}
		return no
	}
	v.add("protocol", OK, "", "both sides speak %d: %s, %s, %s, checksum %s", a.Caps.Version,
		choose(a.Caps.IncRecurse, "lists in parts", "the whole list first"),
		choose(a.Caps.NsecTimes, "times to the nanosecond", "times to the second"),
		choose(a.Caps.Attributes, "-A and -X", "neither -A nor -X"), a.FileSum)
}

// roundTrip sends a file there and fetches it back.
func (v *visit) roundTrip(ctx context.Context) error {
	a, err := v.ask(ctx, nil, "mktemp", "-d")
	if err != nil {
		return err
	}
	there := strings.TrimSpace(string(a.Out))
	if a.Status != 0 || !isTemp(there) {
		v.add("round trip", Skipped, "", "\"mktemp -d\" makes no folder to try it in")
		return nil
	}
	defer func() {
		// Only what was made is taken away: a file and its folder.
		_, _ = v.ask(ctx, nil, "rm", "-f", there+"/probe")
		_, _ = v.ask(ctx, nil, "rmdir", there)
	}()
	here, err := os.MkdirTemp(v.Temp, "doctor")
	if err != nil {
		return err
	}
	defer os.RemoveAll(here)
	if err := os.WriteFile(filepath.Join(here, "probe"), probe(), 0o600); err != nil {
		return err
	}
	went := v.push(ctx, filepath.Join(here, "probe"), v.at(there).Remote)
	if went.err == nil {
		back := filepath.Join(here, "back")
		if went = v.pull(ctx, v.at(there).in("probe"), back); went.err == nil {
			got, err := os.ReadFile(back)
			if went.err = err; err == nil && !bytes.Equal(got, probe()) {
				went.err = errors.New("the file that came back is another one")
			}
		}
	}
	if went.err != nil {
		v.failed("round trip", went.err, went.heard, "")
		return nil
	}
	v.add("round trip", OK, "", "a file went there and came back the same")
	return nil
}

// probe is what a file holds that is sent.
func probe() []byte { return bytes.Repeat([]byte("all sorts of bytes \x00\x01\r\n\xff"), 1000) }

// isTemp reports whether a path looks like one that mktemp makes, fit to be named
// in a command.
func isTemp(name string) bool {
	return filepath.IsAbs(name) && filepath.Clean(name) == name && strings.Count(name, "/") > 1 && !strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-", r))
	})
}

// push sends a file there, with more of rsync's words.
func (v *visit) push(ctx context.Context, from string, to client.Remote, words ...string) attempt {
	c, l, err := v.client(append(words, "-t")...)
	if err != nil {
		return attempt{err: err, heard: l}
	}
	sources, done, err := server.OpenSources([]string{from}, c.Options)
	if err != nil {
		return attempt{err: err, heard: l}
	}
	defer done()
	a := attempt{heard: l}
	c.Agreed = func(g session.Agreed) { a.agreed = &g }
	ctx, stop := context.WithTimeout(ctx, v.Timeout)
	defer stop()
	_, a.err = c.Push(ctx, sources, to)
	return a
}

// pull fetches a file from there.
func (v *visit) pull(ctx context.Context, from client.Remote, to string) attempt {
	c, l, err := v.client("-t")
	if err != nil {
		return attempt{err: err, heard: l}
	}
	dest, err := server.OpenDest(to, c.Options, func(string) {})
	if err != nil {
		return attempt{err: err, heard: l}
	}
	defer dest.Root.Close()
	ctx, stop := context.WithTimeout(ctx, v.Timeout)
	defer stop()
	_, err = c.Pull(ctx, []client.Remote{from}, dest)
	return attempt{err: err, heard: l}
}

// daemon looks at a key whose command= is a daemon.
func (v *visit) daemon(ctx context.Context) error {
	if v.Options.Shell == "" {
		opt := *v.Options // a daemon is reached through a shell only if one is named
		opt.Shell = cmp.Or(v.Shell.Default, "ssh")
		v.Job.Options = &opt
	}
	c, l, err := v.client()
	if err != nil {
		return err
	}
	var modules []string
	c.Say = func(line string) {
		if name, _, ok := strings.Cut(line, "\t"); ok {
			modules = append(modules, strings.TrimSpace(name))
		}
	}
	short, stop := context.WithTimeout(ctx, v.Timeout)
	defer stop()
	if err := c.List(short, v.module("").Remote); err != nil {
		v.failed("daemon", err, l, "look at rsyncd.conf there: it is the one of the user who logs in (~/rsyncd.conf), root's is /etc/rsyncd.conf")
		return nil
	}
	offer := "it lists no module, which \"list = false\" may be why of"
	if len(modules) > 0 {
		offer = "its modules: " + strings.Join(modules, ", ")
	}
	v.add("daemon", OK, "", "the key's forced command is a daemon: write two colons, %s::MODULE/PATH, and keep -e; %s", v.report.Host, offer)
	if v.Module != "" {
		modules = []string{v.Module}
	}
	if len(modules) == 0 {
		v.add("rights", Skipped, "", "name a module to have it tried: empegsync doctor %s::MODULE", v.report.Host)
	}
	var places []place
	for _, name := range modules[:min(len(modules), mostPlaces)] {
		p := v.module(name)
		if v.Module == "" {
			p.label = name + ": "
		}
		places = append(places, p)
	}
	return v.each(ctx, places, "look at this module in rsyncd.conf there")
}
