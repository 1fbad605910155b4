package daemon_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/empegsync/empegsync/pkg/rsync/daemon"
)

// accessConf is about who may come in. The secrets file is in the place.
const accessConf = `secrets file = @DIR@/secrets
lock file = @DIR@/lock
[open]
path = @DIR@/mod
[auth]
path = @DIR@/mod
auth users = joe, s?s*
[first]
path = @DIR@/up
read only = no
auth users = joe:deny bad:DENY sue:ro @root:rw
[writes]
path = @DIR@/up
auth users = joe:rw,sue
[commas]
path = @DIR@/mod
auth users = , joe x:deny, joe
[as]
path = @DIR@/%RSYNC_USER_NAME%
auth users = joe sue
[group]
path = @DIR@/mod
auth users = @root
[nofile]
path = @DIR@/mod
auth users = joe
secrets file = @DIR@/none
[unset]
path = @DIR@/mod
auth users = joe
secrets file =
[loose]
path = @DIR@/mod
auth users = joe
secrets file = @DIR@/loose
[lax]
path = @DIR@/mod
auth users = joe
secrets file = @DIR@/loose
strict modes = no
[strong]
path = @DIR@/mod
auth users = joe
auth digest = sha256
[denied]
path = @DIR@/mod
hosts deny = 10.0.0.1 127.0.0.0/8
[hidden]
path = @DIR@/mod
list = no
hosts deny = *
[mask]
path = @DIR@/mod
hosts allow = 127.0.0.0/255.0.0.0
hosts deny = *
[other]
path = @DIR@/mod
hosts allow = 10.0.0.0/8,192.168.1.1
[named]
path = @DIR@/mod
hosts allow = LOCALhost
[wild]
path = @DIR@/mod
hosts deny = Local[g-i]*
[nolookup]
path = @DIR@/mod
reverse lookup = no
hosts allow = other.invalid
[undeniable]
path = @DIR@/mod
hosts deny = no-such-host.invalid
[noforward]
path = @DIR@/mod
forward lookup = no
hosts deny = no-such-host.invalid
[empty]
path = @DIR@/mod
hosts allow =
hosts deny =
[closed]
path = @DIR@/mod
max connections = -1
[nolock]
path = @DIR@/mod
max connections = 1
lock file = @DIR@/none/lock
[one]
path = @DIR@/mod
max connections = 1
`

// accessCase is a client that comes to a module.
type accessCase struct {
	user, password, args string
}

func accessCases() []accessCase {
	cases := []accessCase{
		{"joe", "right", "@USER@/auth/"}, {"joe", "wrong", "@USER@/auth/"}, {"joe", "", "@USER@/auth/"}, {"sis", "hers", "@USER@/auth/"},
		{"sous", "x", "@USER@/auth/"}, {"mia", "x", "@USER@/auth/"}, {"joe", "right", "@USER@/first/"}, {"bad", "x", "@USER@/first/"},
		{"sue", "hers", "-r|src/|@USER@/first/"}, {"root", "groups", "-r|src/|@USER@/first/"}, {"root", "own", "-r|src/|@USER@/first/"},
		{"joe", "right", "-r|src/|@USER@/writes/"}, {"sue", "hers", "-r|src/|@USER@/writes/"}, {"joe", "right", "@USER@/commas/"},
		{"joe", "right", "@USER@/as/"}, {"root", "groups", "@USER@/group/"}, {"root", "own", "@USER@/group/"}, {"root", "x", "@USER@/group/"},
		{"joe", "right", "@USER@/nofile/"}, {"joe", "right", "@USER@/unset/"}, {"joe", "right", "@USER@/loose/"}, {"joe", "right", "@USER@/lax/"},
		{"joe", "right", "@USER@/strong/"}, {"#hash", "x", "@USER@/auth/"}, {"joe", "right", "@USER@/one/"},
	}
	for _, m := range strings.Fields("open denied hidden mask other named wild nolookup undeniable noforward empty closed nolock one") {
		cases = append(cases, accessCase{args: "@URL@/" + m + "/"})
	}
	return cases
}

// access makes the folders and secrets of accessConf.
func (p *place) access() *place {
	p.write(map[string]string{
		"mod/f": "x", "up/": "", "src/new": "n", "joe/of-joe": "", "sue/of-sue": "",
		"secrets": "# joe:comment\njoe:right\njoe:second\nsis:hers\r\nsue:hers\n@root:groups\nroot:own\n#hash:x", "loose": "joe:right\n",
	})
	p.must(os.Chmod(p.path("secrets"), 0o600))
	return p
}

// TestAccess: passwords, hosts and places are dealt with as by C rsync's
// daemon, in the same words for the client and in the log.
func TestAccess(t *testing.T) {
	t.Parallel()
	theirs, ours := newPlace(t).access(), newPlace(t).access()
	there := theirs.debian(theirs.conf(accessConf))
	here := ours.ours(ours.conf(accessConf), func(s *daemon.Server) { s.LoginPause = -1 })
	for _, c := range accessCases() {
		if c.user == "root" && os.Geteuid() != 0 {
			continue // may not read the groups' rules that root's needs
		}
		t.Run(fmt.Sprint(c.user, " ", c.password, " ", c.args), func(t *testing.T) {
			args := func(addr string) []string {
				return strings.Split(strings.ReplaceAll(c.args, "@USER@", "rsync://"+c.user+"@"+addr), "|")
			}
			run := func(p *place, addr string) string {
				out, code := p.rsyncAs(c.password, addr, args(addr)...)
				return fmt.Sprint(code, "\n", regexp.MustCompile(`(?m)^(rsync( error|.*read error)|d).*\n`).ReplaceAllString(out, ""), p.tree("up"))
			}
			if d := cmp.Diff(run(theirs, there), run(ours, here.addr)); d != "" {
				t.Errorf("C rsync's daemon (-) and ours (+):\n%s", d)
			}
		})
	}
	eventually(t, "the last lines", func() bool {
		return strings.Count(here.log.String(), "connect from")+1 == strings.Count(theirs.read("rsyncd.log"), "connect from")
	})
	first := 1 // to see whether it listens
	if d := cmp.Diff(logged(theirs.read("rsyncd.log"), theirs)[first:], logged(here.log.String(), ours)); d != "" {
		t.Errorf("log of C rsync's daemon (-) and ours (+):\n%s", d)
	}
	if log := here.log.String(); strings.Contains(log, "right") || strings.Contains(log, "wrong") || strings.Contains(log, "hers") {
		t.Errorf("a password is in the log:\n%s", log)
	}
}

// logged is what two logs must have in common: who came and was refused why.
func logged(log string, p *place) []string {
	var lines []string
	for line := range strings.Lines(log) {
		_, text, _ := strings.Cut(line, "] ")
		if regexp.MustCompile(`^(connect from|rsync (allowed|denied|on|to)|auth failed|max connections|secrets file)`).MatchString(text) {
			lines = append(lines, strings.ReplaceAll(strings.TrimSpace(text), p.dir, "@DIR@"))
		}
	}
	return lines
}
