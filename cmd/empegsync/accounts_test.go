package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// accountsPort needs no root.
const accountsPort = "2222"

// accounts is Debian's sshd on a machine of the test's own, see
// inWorld, with accounts that nobody else knows: they stand in an /etc/passwd that
// ends with the test. All of them have one user id and a folder below /home.
type accounts struct {
	t        testing.TB
	dir      string // of the test, for what is not an account's
	uid, gid int
	keys     map[string]string // authorized_keys, by account
}

// newAccounts makes accounts with a shell each, and starts sshd.
func newAccounts(t testing.TB, shells map[string]string) *accounts {
	t.Helper()
	a := &accounts{t: t, dir: tempDir(t), uid: os.Getuid(), gid: os.Getgid(), keys: map[string]string{}}
	if a.uid == 0 {
		a.uid, a.gid = 4242, 4242
	}
	must(t, os.Chmod(a.dir, 0o755))
	must(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	loopbackUp(t)
	a.passwd(shells)
	for _, d := range []string{"home", "ssh", "run", "run/sshd"} {
		must(t, os.MkdirAll(filepath.Join(a.dir, d), 0o755))
	}
	for _, m := range []string{"home:/home", "ssh:/etc/ssh", "run:/run", "passwd:/etc/passwd", "shadow:/etc/shadow", "motd:/etc/motd"} {
		from, to, _ := strings.Cut(m, ":")
		if to == "/etc/shadow" && os.Getuid() != 0 {
			continue // only root's sshd looks there
		}
		if err := unix.Mount(filepath.Join(a.dir, from), to, "", unix.MS_BIND, ""); err != nil {
			t.Fatalf("mount %s: %v", to, err)
		}
	}
	must(t, os.Mkdir("/run/tmp", 0o755))
	a.own("/run/tmp")
	for name := range shells {
		must(t, os.MkdirAll("/home/"+name+"/.ssh", 0o755))
		a.own("/home/" + name)
	}
	a.serve()
	return a
}

// passwd writes what the system knows of users.
func (a *accounts) passwd(shells map[string]string) {
	a.t.Helper()
	users := fmt.Sprintf("root:x:0:0::%s/root:/bin/sh\nsshd:x:102:65534::/run/sshd:/usr/sbin/nologin\nnobody:x:65534:65534::/:/usr/sbin/nologin\n", a.dir)
	secrets := "root:*:19000:0:99999:7:::\n" // an account that is locked is not let in
	for name, shell := range shells {
		users += fmt.Sprintf("%s:x:%d:%d::/home/%s:%s\n", name, a.uid, a.gid, name, shell)
		secrets += name + ":*:19000:0:99999:7:::\n"
	}
	for name, text := range map[string]string{"passwd": users, "shadow": secrets, "motd": "The kitchen is closed on Sundays.\n"} {
		must(a.t, os.WriteFile(filepath.Join(a.dir, name), []byte(text), 0o644))
	}
}

// serve starts sshd.
func (a *accounts) serve() {
	a.t.Helper()
	a.keygen("/etc/ssh/hostkey")
	public, err := os.ReadFile("/etc/ssh/hostkey.pub")
	must(a.t, err)
	must(a.t, os.WriteFile("/etc/ssh/ssh_known_hosts", append([]byte("* "), public...), 0o644))
	must(a.t, os.WriteFile("/etc/ssh/sshd_config", []byte("ListenAddress 127.0.0.1:"+accountsPort+"\nHostKey /etc/ssh/hostkey\nAuthorizedKeysFile /etc/ssh/%u.keys\n"+
		"PermitRootLogin forced-commands-only\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nStrictModes no\nUsePAM no\n"+
		"SetEnv TMPDIR=/run/tmp\nPidFile none\nMaxStartups 100\nMaxSessions 100\nLogLevel ERROR\n"), 0o644))
	p := start(a.t, exec.Command("/usr/sbin/sshd", "-D", "-e"))
	until(a.t, "sshd listens", func() bool {
		select {
		case <-p.ended:
			a.t.Fatalf("sshd has ended:\n%s", &p.err)
		default:
		}
		c, err := net.Dial("tcp", "127.0.0.1:"+accountsPort)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

func (a *accounts) keygen(name string) {
	a.t.Helper()
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", name).CombinedOutput(); err != nil {
		a.t.Fatalf("ssh-keygen: %v\n%s", err, out)
	}
}

// host lets clients in under the name of a host, with a key of its own, for which
// options stand in authorized_keys, and with more lines in ssh_config.
func (a *accounts) host(name, user, options string, more ...string) {
	a.t.Helper()
	key := filepath.Join(a.dir, "key of "+name)
	a.keygen(key)
	public, err := os.ReadFile(key + ".pub")
	must(a.t, err)
	a.keys[user] += options + " " + string(public)
	must(a.t, os.WriteFile("/etc/ssh/"+user+".keys", []byte(a.keys[user]), 0o644))
	f, err := os.OpenFile("/etc/ssh/ssh_config", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	must(a.t, err)
	_, err = fmt.Fprintf(f, "Host %s\n\tHostName 127.0.0.1\n\tPort %s\n\tUser %s\n\tIdentityFile \"%s\"\n\tIdentitiesOnly yes\n\tIdentityAgent none\n"+
		"\tKexAlgorithms curve25519-sha256\n\tControlPath /run/%s\n\t%s\n", name, accountsPort, user, key, name, strings.Join(more, "\n\t"))
	must(a.t, err)
	must(a.t, f.Close())
}

// connect has all that goes to a host from now on share one connection, so that
// many short sessions cost little.
func (a *accounts) connect(name string) {
	a.t.Helper()
	p := start(a.t, exec.Command("ssh", "-M", "-N", name))
	until(a.t, "the connection to "+name, func() bool {
		select {
		case <-p.ended:
			a.t.Fatalf("ssh has ended:\n%s", &p.err)
		default:
		}
		_, err := os.Lstat("/run/" + name)
		return err == nil
	})
}

// write makes a file of an account, with the folders above it.
func (a *accounts) write(name, text string) {
	a.t.Helper()
	must(a.t, os.MkdirAll(filepath.Dir(name), 0o755))
	must(a.t, os.WriteFile(name, []byte(text), 0o644))
	a.own(filepath.Dir(name))
	a.own(name)
}

func (a *accounts) own(name string) {
	a.t.Helper()
	if os.Getuid() == 0 {
		must(a.t, os.Lchown(name, a.uid, a.gid))
	}
}

// run runs a program in the test's folder.
func (a *accounts) run(words ...string) result {
	a.t.Helper()
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Dir = a.dir
	return start(a.t, cmd).wait()
}
