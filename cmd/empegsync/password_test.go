package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// lockedModule is a daemon of Debian's whose module only u may use, with the
// password p, and our client with the place of the module and one to copy to.
type lockedModule struct {
	dir, addr string
	copies    int
}

func newLockedModule(t *testing.T) *lockedModule {
	t.Helper()
	m := &lockedModule{dir: tempDir(t)}
	must(t, os.Mkdir(m.dir+"/src", 0o755))
	must(t, os.WriteFile(m.dir+"/src/f", []byte("music"), 0o644))
	must(t, os.WriteFile(m.dir+"/secrets", []byte("u:p\nroot:other\n"), 0o600))
	must(t, os.WriteFile(m.dir+"/password", []byte("\n\r\np\nrest"), 0o600))
	config := fmt.Sprintf("use chroot = no\n[mod]\npath = %s/src\nauth users = u\nsecrets file = %[1]s/secrets\n", m.dir)
	if os.Geteuid() == 0 {
		config += "uid = 0\ngid = 0\n"
	}
	must(t, os.WriteFile(m.dir+"/rsyncd.conf", []byte(config), 0o644))
	m.addr = debianDaemon(t, m.dir+"/rsyncd.conf")
	return m
}

// pull copies the module with these variables and flags.
func (m *lockedModule) pull(t *testing.T, addr string, env []string, flags ...string) result {
	t.Helper()
	m.copies++
	dst := fmt.Sprintf("%s/dst%d", m.dir, m.copies)
	cmd := empegsync(append(append([]string{"rsync"}, flags...), "-a", "rsync://"+addr+"/mod/", dst)...)
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // nobody is at the terminal
	r := start(t, cmd).wait()
	if text, err := os.ReadFile(dst + "/f"); (err == nil && string(text) == "music") != (r.code == 0) {
		t.Errorf("code %d, %q, %v", r.code, text, err)
	}
	if strings.Contains(r.out+r.err, "secret") {
		t.Errorf("the password is shown:\n%s", r)
	}
	return r
}

// TestPassword proves a password to Debian's daemon in every version of the
// protocol and with every digest, and is turned away with a wrong one.
func TestPassword(t *testing.T) {
	t.Parallel()
	m := newLockedModule(t)
	right := []string{"RSYNC_PASSWORD=p", "USER=u"}
	for v := proto.MinVersion; v <= proto.MaxVersion; v++ {
		m.pull(t, m.addr, right, fmt.Sprint("--protocol=", v)).expect(t, 0)
	}
	for _, digest := range []string{"md4", "md5", "sha1", "sha256", "sha512", "sha512 md5", "none md4"} {
		m.pull(t, onlyDigests(t, m.addr, digest), right).expect(t, 0)
	}
	m.pull(t, onlyDigests(t, m.addr, "whirlpool"), right).contains(t, 5, "does not support")
	m.pull(t, m.addr, []string{"RSYNC_PASSWORD=secret", "USER=u"}).contains(t, 5, "@ERROR: auth failed on module mod")
	m.pull(t, m.addr, []string{"RSYNC_PASSWORD=p", "USER=", "LOGNAME="}).contains(t, 5, "@ERROR: auth failed on module mod")
	m.pull(t, m.addr, []string{"RSYNC_PASSWORD=p", "USER=a b"}).contains(t, 1, "has a space")
	m.pull(t, m.addr, []string{"USER=u"}).contains(t, 5, "--password-file")
}

// onlyDigests passes a conversation on in whose greetings the digests are
// these.
func onlyDigests(t *testing.T, addr, digests string) string {
	return listen(t, func(client *net.TCPConn) {
		daemon, err := net.Dial("tcp", addr)
		if err != nil {
			return // the client sees its connection end
		}
		defer daemon.Close()
		pass := func(to, from net.Conn) {
			r := bufio.NewReader(from)
			line, _ := r.ReadString('\n')
			line = strings.Replace(line, "sha512 sha256 sha1 md5 md4", digests, 1)
			_, _ = io.Copy(to, io.MultiReader(strings.NewReader(line), r))
			_ = to.(*net.TCPConn).CloseWrite()
		}
		go pass(daemon, client)
		pass(client, daemon)
	})
}

// TestPasswordFile: the file is read where nobody else can read it.
func TestPasswordFile(t *testing.T) {
	t.Parallel()
	m := newLockedModule(t)
	env := []string{"LOGNAME=u", "USER=", "RSYNC_PASSWORD=secret"}
	file := m.dir + "/password"
	m.pull(t, m.addr, env, "--password-file="+file).expect(t, 0)
	must(t, os.Chmod(file, 0o640))
	m.pull(t, m.addr, env, "--password-file="+file).expect(t, 0)
	for _, mode := range []os.FileMode{0o604, 0o602} {
		must(t, os.Chmod(file, mode))
		m.pull(t, m.addr, env, "--password-file="+file).contains(t, 1, "must not be other-accessible")
	}
	must(t, os.Chmod(file, 0o600))
	if os.Geteuid() == 0 {
		must(t, os.Chown(file, 1, 0))
		m.pull(t, m.addr, env, "--password-file="+file).contains(t, 1, "must be owned by root")
	}
	must(t, os.WriteFile(m.dir+"/empty", []byte("\n"), 0o600))
	m.pull(t, m.addr, env, "--password-file="+m.dir+"/empty").contains(t, 1, "failed to read a password")
	m.pull(t, m.addr, env, "--password-file="+m.dir+"/none").contains(t, 1, "could not open password file")

	cmd := empegsync("rsync", "-a", "--password-file=-", "rsync://u@"+m.addr+"/mod/", m.dir+"/stdin")
	cmd.Stdin = strings.NewReader("p\n")
	start(t, cmd).wait().expect(t, 0)
	for _, places := range [][]string{{m.dir + "/src/", m.dir + "/x"}, {"host:src/", m.dir + "/x"}, {m.dir + "/src/", "host:x"}} {
		r := call(t, append([]string{"rsync", "-a", "--password-file=" + file}, places...)...)
		r.contains(t, 1, "The --password-file option may only be used when accessing an rsync daemon.")
	}
}

// TestPasswordPrompt types a password on a terminal, which does not show it.
func TestPasswordPrompt(t *testing.T) {
	t.Parallel()
	m := newLockedModule(t)
	for i, tt := range []struct {
		typed string
		code  int
	}{{"p\n", 0}, {"secret\n", 5}, {"\x03", 20}} {
		keyboard, screen := openTerminal(t)
		cmd := empegsync("rsync", "-a", "rsync://u@"+m.addr+"/mod/", filepath.Join(m.dir, fmt.Sprint("typed", i)))
		cmd.Env = append(os.Environ(), "TERM=vt100")
		cmd.Stdin = screen
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
		p := start(t, cmd)
		shown := bufio.NewReader(keyboard)
		prompt, err := shown.ReadString(' ')
		must(t, err)
		_, err = io.WriteString(keyboard, tt.typed)
		must(t, err)
		r := p.wait()
		must(t, screen.Close())
		rest, _ := io.ReadAll(shown) // Linux ends it with an error of its own
		if prompt != "Password: " || strings.Contains(string(rest), "secret") || r.code != tt.code {
			t.Errorf("typed %q: shown %q and %q; %s", tt.typed, prompt, rest, r)
		}
	}
}

// TestHiddenAgain: a terminal whose user waits too long shows again what is
// typed.
func TestHiddenAgain(t *testing.T) {
	_, screen := openTerminal(t)
	before, err := echo(screen, nil)
	must(t, err)
	_, err = echo(screen, before)
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if p, err := askHidden(ctx, screen, "?"); err == nil {
		t.Errorf("got %q", p)
	}
	after, err := echo(screen, nil)
	must(t, err)
	if *after != *before {
		t.Errorf("%+v became %+v", before, after)
	}
}

// TestEarlyInput hands a file to the daemon's early exec; what is too long
// never leaves.
func TestEarlyInput(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	must(t, os.Mkdir(dir+"/src", 0o755))
	config := fmt.Sprintf("use chroot = no\n[mod]\npath = %s/src\nearly exec = cat >%[1]s/heard\n", dir)
	if os.Geteuid() == 0 {
		config += "uid = 0\ngid = 0\n"
	}
	must(t, os.WriteFile(dir+"/rsyncd.conf", []byte(config), 0o644))
	addr := debianDaemon(t, dir+"/rsyncd.conf")
	text := "a\n\x00b"
	must(t, os.WriteFile(dir+"/early", []byte(text), 0o644))
	must(t, os.WriteFile(dir+"/long", make([]byte, 5*1024+1), 0o644))
	call(t, "rsync", "-a", "--early-input="+dir+"/early", "rsync://"+addr+"/mod/", dir+"/dst").expect(t, 0)
	if heard, err := os.ReadFile(dir + "/heard"); err != nil || string(heard) != text {
		t.Errorf("early exec has heard %q, %v", heard, err)
	}
	call(t, "rsync", "-a", "--early-input="+dir+"/long", "rsync://"+addr+"/mod/", dir+"/dst").contains(t, 5, "is > 5120 bytes")
	out, err := exec.Command("rsync", "-a", "--early-input="+dir+"/long", "rsync://"+addr+"/mod/", dir+"/dst").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "is > 5120 bytes") {
		t.Errorf("Debian's rsync: %v, %s", err, out)
	}
}
