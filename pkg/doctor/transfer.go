package doctor

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/client"
	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/server"
	"github.com/empegsync/empegsync/pkg/rsync/session"
)

// listener keeps what a transfer has to say.
type listener struct{ text bytes.Buffer }

// Listed implements transfer.Observer.
func (l *listener) Listed(int, bool) {}

// Item implements transfer.Observer.
func (l *listener) Item(*filelist.Entry, proto.Item) {}

// Data implements transfer.Observer.
func (l *listener) Data(*filelist.Entry, int64) {}

// Deleted implements transfer.Observer.
func (l *listener) Deleted(string, uint32) {}

// Message implements transfer.Observer.
func (l *listener) Message(_ proto.Tag, text string) { fmt.Fprintln(&l.text, text) }

// client makes a client for one transfer with rsync's words.
func (v *visit) client(words ...string) (*client.Client, *listener, error) {
	opt, err := options.Parse(append(words, "-q", fmt.Sprintf("--timeout=%d", max(1, int(v.Timeout.Seconds())))))
	if err != nil {
		return nil, nil, err
	}
	o := v.Options
	opt.Shell, opt.RsyncPath, opt.Protocol, opt.Family = o.Shell, o.RsyncPath, o.Protocol, o.Family
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

// protocol shakes hands and lists one place, which tells what both sides speak.
func (v *visit) protocol(ctx context.Context, place string) bool {
	c, l, err := v.client("-d")
	if err != nil {
		v.add("protocol", Failed, "", "%v", err)
		return false
	}
	var agreed *session.Agreed
	c.Agreed = func(a session.Agreed) { agreed = &a }
	ctx, stop := context.WithTimeout(ctx, v.Timeout)
	defer stop()
	from := v.Host
	from.Path = place
	_, err = c.ListFiles(ctx, []client.Remote{from}, func(*filelist.Entry) {})
	if agreed == nil || err != nil && !client.Partial(err) {
		if err == nil {
			err = fmt.Errorf("the session ended early")
		}
		v.failed("protocol", err, l, "")
		return false
	}
	v.add("protocol", OK, "", "both sides speak %d, with checksum %s", agreed.Caps.Version, agreed.FileSum)
	return true
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
	data := bytes.Repeat([]byte("all sorts of bytes \x00\x01\r\n\xff"), 1000)
	if err := os.WriteFile(filepath.Join(here, "probe"), data, 0o600); err != nil {
		return err
	}
	l, err := v.push(ctx, filepath.Join(here, "probe"), there+"/")
	if err == nil {
		back := filepath.Join(here, "back")
		if l, err = v.pull(ctx, there+"/probe", back); err == nil {
			got, rerr := os.ReadFile(back)
			if err = rerr; err == nil && !bytes.Equal(got, data) {
				err = fs.ErrInvalid
			}
		}
	}
	if err != nil {
		v.failed("round trip", err, l, "")
		return nil
	}
	v.add("round trip", OK, "", "a file went there and came back the same")
	return nil
}

// isTemp reports whether a path looks like one that mktemp makes, fit to be named
// in a command.
func isTemp(name string) bool {
	return filepath.IsAbs(name) && filepath.Clean(name) == name && strings.Count(name, "/") > 1 && !strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-", r))
	})
}

func (v *visit) push(ctx context.Context, from, to string) (*listener, error) {
	c, l, err := v.client("-t")
	if err != nil {
		return l, err
	}
	sources, done, err := server.OpenSources([]string{from}, c.Options)
	if err != nil {
		return l, err
	}
	defer done()
	ctx, stop := context.WithTimeout(ctx, v.Timeout)
	defer stop()
	place := v.Host
	place.Path = to
	_, err = c.Push(ctx, sources, place)
	return l, err
}

func (v *visit) pull(ctx context.Context, from, to string) (*listener, error) {
	c, l, err := v.client("-t")
	if err != nil {
		return l, err
	}
	dest, err := server.OpenDest(to, c.Options, func(string) {})
	if err != nil {
		return l, err
	}
	defer dest.Root.Close()
	ctx, stop := context.WithTimeout(ctx, v.Timeout)
	defer stop()
	place := v.Host
	place.Path = from
	_, err = c.Pull(ctx, []client.Remote{place}, dest)
	return l, err
}

// daemon looks at a key whose command= is a daemon.
func (v *visit) daemon(ctx context.Context) error {
	c, l, err := v.client()
	if err != nil {
		return err
	}
	if c.Options.Shell == "" {
		if c.Options.Shell = v.Shell.Default; c.Options.Shell == "" {
			c.Options.Shell = "ssh" // a daemon is reached through one only if it is named
		}
	}
	var modules []string
	c.Say = func(line string) {
		if name, _, ok := strings.Cut(line, "\t"); ok {
			modules = append(modules, strings.TrimSpace(name))
		}
	}
	ctx, stop := context.WithTimeout(ctx, v.Timeout)
	defer stop()
	place := v.Host
	place.Shell = false
	if err := c.List(ctx, place); err != nil {
		v.failed("daemon", err, l, "look at rsyncd.conf there: it is the one of the user who logs in (~/rsyncd.conf), root's is /etc/rsyncd.conf")
		return nil
	}
	offer := "it lists no module, which \"list = false\" may be why of"
	if len(modules) > 0 {
		offer = "its modules: " + strings.Join(modules, ", ")
	}
	v.add("daemon", OK, "", "the key's forced command is a daemon: write two colons, %s::MODULE/PATH, and keep -e; %s", v.report.Host, offer)
	return nil
}

// restricted looks at a key whose command= lets only rsync through.
func (v *visit) restricted(ctx context.Context, a client.Answer) error {
	e := client.Explain(a)
	v.add("forced", OK, "", "the key lets only rsync through: it refuses others, as it should (%s)", strings.TrimPrefix(e.Says, "the key's forced command has refused: "))
	v.protocol(ctx, ".")
	return nil
}
