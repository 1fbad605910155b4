package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/empegsync/empegsync/pkg/ownport"
)

const lockedConf = `daemon chroot = @DIR@/jail
motd file = /etc/motd
uid = 65534
gid = 65534
[whole]
path = /srv/mod
use chroot = yes
[inner]
path = /srv/./mod
use chroot = yes
exclude from = /rules
[none]
path = /srv/mod
use chroot = no
[outer]
path = /srv/mod
use chroot = no
uid = 0
gid = 0
[auth]
path = /srv/mod
auth users = joe
secrets file = /secrets
[outside]
path = @DIR@/outside
use chroot = no
`

// locked lays out what is served from a jail.
func locked(t *testing.T, dir string) string {
	for name, text := range map[string]string{
		"jail/etc/motd": "from inside\n", "jail/srv/mod/f": "f", "jail/srv/mod/g": "g", "jail/rules": "g\n", "jail/secrets": "joe:pass\n", "outside/o": "o",
	} {
		file := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(file), 0o755))
		must(t, os.WriteFile(file, []byte(text), 0o644))
	}
	must(t, os.Chmod(filepath.Join(dir, "jail/secrets"), 0o600))
	must(t, os.Symlink("/etc/motd", filepath.Join(dir, "jail/srv/mod/link")))
	for d := dir; d != "/" && os.Chmod(d, 0o755) == nil && d != filepath.Dir(filepath.Dir(dir)); d = filepath.Dir(d) {
	}
	file := filepath.Join(dir, "rsyncd.conf")
	must(t, os.WriteFile(file, []byte(strings.ReplaceAll(lockedConf, "@DIR@", dir)), 0o644))
	return file
}

// TestDaemonChroot: all that the file names is below the folder, as with C
// rsync's daemon, for the daemon and its workers; the file itself, the log and the
// pid file stay outside.
func TestDaemonChroot(t *testing.T) {
	dir := tempDir(t)
	file := locked(t, dir)
	if os.Geteuid() != 0 {
		for _, more := range []string{"--check", "--log-json"} {
			if r := call(t, "serve", "--config", file, more); r.code == 0 || !strings.Contains(r.err, file+":1: daemon chroot: only root can do that") {
				t.Errorf("for an ordinary user: %s", r)
			}
		}
		return
	}
	cmd := empegsync("serve", "--address", "127.0.0.1:0", "--config", file)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	s := serveBy(t, cmd)
	theirs := lockedDebian(t)
	t.Setenv("RSYNC_PASSWORD", "pass") // no other test of this process runs rsync meanwhile
	for _, args := range []string{"@/", "-a @/whole/", "-a @/inner/", "-a @/none/ d/", "-aL @/none/ d/", "-a @/outer/", "-a joe#@/auth/", "-a @/outside/", "@/nothing"} {
		run := func(addr string) string {
			words := []string{"--no-h"}
			for _, w := range strings.Fields(args) {
				user, path, ok := strings.Cut(w, "#")
				if !ok {
					user, path = "", w
				} else {
					user += "@"
				}
				if rest, ok := strings.CutPrefix(path, "@/"); ok {
					w = "rsync://" + user + addr + "/" + rest
				}
				words = append(words, w)
			}
			r := rsync(t, tempDir(t), words...)
			return fmt.Sprint(r.code, r.out, r.err)
		}
		if want, got := run(theirs), run(s.addr); stable(want) != stable(got) {
			t.Errorf("%s: C rsync's daemon:\n%s\nours:\n%s", args, want, got)
		}
	}
	s.inJail(t, dir, "jail")
	must(t, os.WriteFile(file, []byte("daemon chroot = "+dir+"/jail\n[later]\npath = /srv\n"), 0o644))
	s.signal(syscall.SIGHUP)
	until(t, "the new configuration", func() bool {
		return strings.Contains(rsync(t, "/", "rsync://"+s.addr+"/").out, "later")
	})
	must(t, os.WriteFile(file, []byte("[later]\npath = /srv\nfilter = merge /no/such\n"), 0o644))
	s.signal(syscall.SIGHUP)
	until(t, "why not", func() bool { return strings.Contains(s.err.String(), "the old configuration stays in force") })
	if r := call(t, "serve", "--config", file, "--check"); r.code != 1 {
		t.Errorf("--check: %s", r)
	}
	s.signal(syscall.SIGTERM)
	if r := s.wait(); r.code != 0 {
		t.Errorf("at the end: %s", r)
	}
}

// stable leaves out what the two daemons word in their own way.
func stable(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		if !strings.HasPrefix(line, "rsync") && !strings.HasPrefix(line, "sent ") && !strings.Contains(line, "link_stat") && !strings.Contains(line, "symlink has no referent") {
			b.WriteString(line)
		}
	}
	return regexp.MustCompile(`\d{4}/\d\d/\d\d \d\d:\d\d:\d\d`).ReplaceAllString(b.String(), "TIME")
}

// inJail looks where the daemon's processes are while one serves.
func (s *server) inJail(t *testing.T, dir, jail string) {
	t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	must(t, err)
	defer conn.Close()
	_, err = conn.Write([]byte("@RSYNCD: 29\nnone\n--server\n--sender\n-r\n.\nnone/f\n\n"))
	must(t, err)
	pids := map[string]int{}
	until(t, "a worker", func() bool {
		dirs, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, d := range dirs {
			text, _ := os.ReadFile(d)
			words := strings.Split(string(text), "\x00")
			if len(words) < 2 || words[0] != "empegsync" {
				continue
			}
			if root, err := os.Readlink(filepath.Join(filepath.Dir(d), "root")); err == nil && root == filepath.Join(dir, jail) {
				pids[words[1]]++
				status, _ := os.ReadFile(filepath.Join(filepath.Dir(d), "status"))
				if words[1] == "inside" && !strings.Contains(string(status), "CapEff:\t000000008800001f\n") {
					t.Errorf("root's capabilities are there:\n%s", status)
				}
			}
		}
		return pids["inside"] > 0 && pids["worker"] > 0
	})
}

// lockedDebian is Debian's daemon with the same files elsewhere.
func lockedDebian(t *testing.T) (addr string) {
	t.Helper()
	dir := tempDir(t)
	file := locked(t, dir)
	addr = ownport.HoldAddress(t)
	_, port, _ := net.SplitHostPort(addr)
	cmd := exec.Command("rsync", "--daemon", "--no-detach", "--address=127.0.0.1", "--port="+port, "--config="+file, "--log-file="+filepath.Join(dir, "log"))
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // SIGTERM makes it sleep a second
		_ = cmd.Wait()
	})
	until(t, "rsync's daemon", func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return addr
}
