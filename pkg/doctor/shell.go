package doctor

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/client"
)

// clean looks whether the shell is clean: "true" prints nothing, and cat gives
// back every byte.
func (v *visit) clean(ctx context.Context, a client.Answer) (bool, error) {
	if len(a.Out) > 0 {
		e := client.Explain(a)
		if (e.Cause == client.CauseText || e.Cause == client.CauseVersion) && !v.obeys(ctx) {
			e.Says = fmt.Sprintf("the key's forced command runs in the place of what is asked for, and is no rsync: it says %q", a.Out[:min(len(a.Out), 200)])
			e.Fix = "look at command= of this key in ~/.ssh/authorized_keys there, or use another key"
		} else if e.Cause == client.CauseText || e.Cause == client.CauseVersion {
			e.Says = fmt.Sprintf("\"true\" must print nothing, but something prints at each login: %q", a.Out[:min(len(a.Out), 200)])
			if where := v.find(ctx, a.Out); where != "" {
				e.Fix = where + "; let it print to a terminal only (case $- in *i*) ... ;; esac), or take it out"
			}
		}
		v.explained("shell", e)
		return false, nil
	}
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	back, err := v.ask(ctx, all, "cat")
	switch {
	case err != nil:
		return false, err
	case !bytes.Equal(back.Out, all):
		e := client.Explain(back)
		if e.Cause != client.CauseTerminal {
			e.Says = fmt.Sprintf("cat does not give back all 256 byte values unchanged, but %d bytes: what runs there is no plain shell", len(back.Out))
			e.Fix = "look at command= in ~/.ssh/authorized_keys there, and at what the remote shell (--rsh) runs"
		}
		v.explained("shell", e)
		return false, nil
	}
	v.add("shell", OK, "", "prints nothing of its own, and all 256 byte values come back")
	return true, nil
}

// obeys reports whether what is asked for is what runs there.
func (v *visit) obeys(ctx context.Context) bool {
	a, err := v.ask(ctx, nil, "echo", "empegsync", "doctor")
	return err == nil && bytes.Contains(a.Out, []byte("empegsync doctor"))
}

// The marks between which find's answer stands, whatever the shell prints before.
const (
	findBegins = "[places"
	findEnds   = "places]"
)

// loginFiles are those that may print at a login, the user's first.
const loginFiles = `"$HOME"/.bashrc "$HOME"/.profile "$HOME"/.bash_profile "$HOME"/.bash_login "$HOME"/.bash_aliases "$HOME"/.zshenv "$HOME"/.zshrc "$HOME"/.kshrc ` +
	`"$HOME"/.cshrc "$HOME"/.tcshrc "$HOME"/.ssh/rc "$HOME"/.ssh/environment /etc/ssh/sshrc /etc/bash.bashrc /etc/bashrc /etc/profile /etc/profile.d/* /etc/zsh/zshenv /etc/motd /run/motd.dynamic`

// find looks where on the host the text stands that is printed at each login: in
// a start file, or in a file that one of them shows. "" if that is not found.
func (v *visit) find(ctx context.Context, text []byte) string {
	line := ""
	for l := range strings.Lines(string(text)) {
		if l = strings.TrimSpace(l); len(l) > len(line) {
			line = l
		}
	}
	if line == "" {
		return ""
	}
	quote := func(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
	script := "echo '[pla''ces'; grep -n -s -F -e " + quote(line) + " /dev/null " + loginFiles + "; grep -n -s -E -e '(cat|tail|head|figlet).*motd' /dev/null " + loginFiles + "; echo 'places''] '"
	a, err := v.ask(ctx, nil, "sh -c "+quote(script))
	if err != nil {
		return ""
	}
	_, found, _ := strings.Cut(string(a.Out), findBegins)
	found, _, _ = strings.Cut(found, findEnds)
	motd := ""
	for hit := range strings.Lines(found) {
		name, rest, ok := strings.Cut(strings.TrimSpace(hit), ":")
		number, source, ok2 := strings.Cut(rest, ":")
		if _, err := strconv.Atoi(number); !ok || !ok2 || err != nil || !strings.HasPrefix(name, "/") {
			continue
		}
		if strings.HasPrefix(path.Base(name), "motd") {
			motd = name
			continue
		}
		place := fmt.Sprintf("%s there, line %s: %s", name, number, strings.TrimSpace(source))
		if motd != "" {
			place += fmt.Sprintf(" (which shows the message of the day, %s)", motd)
		}
		return place
	}
	if motd != "" {
		return motd + " there, the message of the day, which something shows at each login: PrintMotd in /etc/ssh/sshd_config, pam_motd in /etc/pam.d/sshd, or a start file of the shell"
	}
	return ""
}

// rsyncVersion reads what "rsync --version" prints, C's and this program's; 0 for
// anything else.
func rsyncVersion(text string) (release string, protocol int) {
	_, after, found := strings.Cut(text, "protocol version ")
	if !found && strings.HasPrefix(text, "empegsync ") {
		if _, after, found = strings.Cut(text, "protocol "); found {
			_, after, found = strings.Cut(after, " to ")
		}
	}
	digits := strings.IndexFunc(after+" ", func(r rune) bool { return r < '0' || r > '9' })
	n, err := strconv.Atoi(after[:digits])
	if !found || err != nil {
		return "", 0
	}
	first, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	release = "of its own kind" // openrsync says no more
	for i, word := range strings.Fields(first) {
		if f := strings.Fields(first); (word == "version" && i > 0 && f[i-1] == "rsync" || word == "empegsync") && i+1 < len(f) {
			release = strings.TrimSuffix(f[i+1], ",")
			break
		}
	}
	return release, n
}

// rsync looks for the program there.
func (v *visit) rsync(ctx context.Context) (bool, error) {
	a, err := v.ask(ctx, nil, v.program(), "--version")
	if err != nil {
		return false, err
	}
	release, protocol := rsyncVersion(string(a.Out))
	switch {
	case protocol > 0:
		v.add("rsync", OK, "", "%s is rsync %s, protocol %d", v.program(), release, protocol)
		return true, nil
	case a.Status == 0 && len(a.Out) > 0:
		v.add("rsync", Failed, "name the right program with --rsync-path", "%s is there, but it is no rsync: it says %q", v.program(), a.Out[:min(len(a.Out), 100)])
		return false, nil
	}
	e := client.Explain(client.Answer{Err: a.Err, Status: a.Status, Program: v.program()})
	if place := v.where(ctx); place != "" {
		e.Says += ", but there is one at " + place
		e.Fix = "say --rsync-path=" + place
	}
	v.explained("rsync", e)
	return false, nil
}

// where looks for an rsync in the usual places.
func (v *visit) where(ctx context.Context) string {
	a, err := v.ask(ctx, nil, `sh -c 'for p in "$(command -v rsync)" /usr/bin/rsync /usr/local/bin/rsync /opt/bin/rsync /opt/homebrew/bin/rsync /bin/rsync; do [ -x "$p" ] && echo "$p" && break; done'`)
	if err != nil {
		return ""
	}
	place := strings.TrimSpace(string(a.Out))
	if !strings.HasPrefix(place, "/") || strings.ContainsAny(place, "\n\r") || place == v.program() {
		return ""
	}
	return place
}

// allowedSkew is how far clocks may be apart without a word.
const allowedSkew = 5 * time.Second

// clock compares clocks: a date that is wrong spoils --update, and what is
// changed in the same second as it is copied.
func (v *visit) clock(ctx context.Context) error {
	before := v.Now()
	a, err := v.ask(ctx, nil, "date", "+%s")
	if err != nil {
		return err
	}
	after := v.Now()
	n, err := strconv.ParseInt(strings.TrimSpace(string(a.Out)), 10, 64)
	if err != nil {
		v.add("clock", Skipped, "", "the host's \"date +%%s\" tells no time")
		return nil
	}
	theirs := time.Unix(n, 0)
	skew := time.Duration(0)
	switch {
	case theirs.Before(before.Add(-time.Second)):
		skew = before.Sub(theirs)
	case theirs.After(after):
		skew = after.Sub(theirs)
	}
	switch s := skew.Abs().Round(time.Second); {
	case s <= allowedSkew:
		v.add("clock", OK, "", "both clocks agree")
	case skew > 0:
		v.add("clock", Warning, "set it (timedatectl set-ntp true, on both machines)", "the host's clock is %s behind this one", s)
	default:
		v.add("clock", Warning, "set it (timedatectl set-ntp true, on both machines)", "the host's clock is %s ahead of this one", s)
	}
	return nil
}
