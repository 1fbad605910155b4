package daemon_test

import (
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/conf"
	"github.com/empegsync/empegsync/pkg/rsync/daemon"
)

// refusalsConf is about sessions that must not come to a transfer.
const refusalsConf = `secrets file = @DIR@/secrets
[mod]
path = @DIR@/mod
[up]
path = @DIR@/mod
read only = no
[auth]
path = @DIR@/mod
auth users = joe
[strong]
path = @DIR@/mod
auth users = joe
auth digest = sha256
[jail]
path = @DIR@/mod
use chroot = yes
[munged]
path = @DIR@/mod
use chroot = yes
munge symlinks = yes
`

// TestRefusals: what ends a session before its transfer, by the words that the
// client hears or the log has.
func TestRefusals(t *testing.T) {
	t.Parallel()
	p := newPlace(t).access().write(map[string]string{"mod/one": "1", "mod/rsyncd-munged/": ""})
	s := p.ours(p.conf(refusalsConf), nil)
	alone := p.ours(p.conf(refusalsConf), func(s *daemon.Server) { s.Worker = nil })
	for name, tt := range map[string]struct {
		at         *server
		sent, want string
	}{
		"a digest that is too weak":             {s, "@RSYNCD: 31.0 md5\nstrong\n", "@ERROR: auth failed on module strong"},
		"a name without a proof":                {s, "@RSYNCD: 31.0 sha256\nauth\njoe\n", "@ERROR: auth failed on module auth"},
		"early input that is too long":          {s, "@RSYNCD: 30.0\n#early_input=5121\n" + strings.Repeat("x", 5121) + "mod\n", "@ERROR: invalid early_input length"},
		"early input of no length":              {s, "@RSYNCD: 30.0\n#early_input=0\nmod\n", "@ERROR: invalid early_input length"},
		"early input of a negative length":      {s, "@RSYNCD: 30.0\n#early_input=-1\nmod\n", "@ERROR: invalid early_input length"},
		"removal from where nothing is written": {s, old("mod", "--server", "--sender", "-r", "--remove-source-files", ".", "mod/") + le(0), "cannot be used with a read-only module"},
		"a list of nothing":                     {s, old("mod", "--server", "--sender", "-r", ".") + le(0), "0 paths make no sense here"},
		"two destinations":                      {s, old("up", "--server", "-r", ".", "up/a", "up/b"), "2 paths make no sense here"},
		"a chroot without a worker":             {alone, "@RSYNCD: 30.0\njail\n", "@ERROR: chroot failed"},
		"a folder that unmunges links":          {s, "@RSYNCD: 30.0\nmunged\n", "@ERROR: daemon security issue -- contact admin"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if os.Geteuid() != 0 && strings.Contains(tt.sent, "munged") {
				return // there is no chroot then, and the row before shows that
			}
			c := dial(t, tt.at.addr)
			send(t, c, tt.sent)
			_ = c.(*net.TCPConn).CloseWrite()
			if answer, _ := io.ReadAll(c); !strings.Contains(string(answer), tt.want) || name == "a digest that is too weak" && strings.Contains(string(answer), "AUTHREQD") {
				t.Errorf("answer %.500q, log:\n%s", answer, tt.at.log)
			}
		})
	}
}

// TestGuessingEnds: who would have to wait for longer than a login may take is
// turned away at once, and a line that is no login counts as a wrong one.
func TestGuessingEnds(t *testing.T) {
	t.Parallel()
	p := newPlace(t).access()
	s := p.ours(p.conf("secrets file = @DIR@/secrets\nauth users = joe\n[mod]\npath = @DIR@/mod\n"), func(s *daemon.Server) {
		s.LoginPause = 24 * time.Hour // the longest there is counts: 30 seconds
		s.HelloTimeout = 15 * time.Second
	})
	for range 3 {
		c := dial(t, s.addr)
		send(t, c, "@RSYNCD: 31.0 sha256\nmod\njoe\n")
		readUntil(t, c, "@ERROR: auth failed")
	}
	if out, code := p.rsyncAs("right", s.addr, "rsync://joe@"+s.addr+"/mod/"); code != 5 || !strings.Contains(out, "auth failed on module mod") {
		t.Errorf("code %d, %s", code, out)
	}
	eventually(t, "the reason in the log", func() bool { return strings.Contains(s.log.String(), "too many failed logins from there") })
}

// TestBadParameters: what would not do what it says keeps the daemon from starting.
func TestBadParameters(t *testing.T) {
	for text, want := range map[string]string{
		"proxy protocol = yes\n[m]\npath = /\n":                              `name the proxies in "proxy protocol hosts"`,
		"proxy protocol = yes\nproxy protocol hosts = @net\n[m]\npath = /\n": "netgroups are not supported",
		"[m]\npath = /\nauth users = joe:read\n":                             "there can be deny, ro or rw",
		"[m]\npath = /\nauth users = joe\nauth digest = crc32\n":             `auth digest: "crc32" is not one of`,
		"[m]\npath = /\nhosts allow = 10.0.0\n":                              "is no whole address",
		"[m]\npath = /\nhosts deny = 10.0.0.0/255.0.255.0\n":                 "are not all in front",
		"[m]\npath = /\nincoming chmod = nonsense\n":                         "incoming chmod: ",
	} {
		cfg, err := conf.Parse("f", []byte(text), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := new(daemon.Server).Check(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
