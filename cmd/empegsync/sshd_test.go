package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sshd is Debian's OpenSSH for one test, with keys and users' lines of its own.
type sshd struct {
	t   testing.TB
	dir string
	ssh string // the command line of a client
}

// startSSHD serves on a port of loopback, for the user who runs the tests.
func startSSHD(t testing.TB) *sshd {
	t.Helper()
	dir := tempDir(t)
	s := &sshd{t: t, dir: dir}
	for _, name := range []string{"host", "key", "other"} {
		out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", filepath.Join(dir, name)).CombinedOutput()
		if err != nil {
			t.Fatalf("ssh-keygen: %v\n%s", err, out)
		}
	}
	program := "/usr/sbin/sshd"
	if os.Geteuid() == 0 {
		must(t, os.MkdirAll("/run/sshd", 0o755)) // sshd's own empty folder
	}
	config := fmt.Sprintf("HostKey %s/host\nAuthorizedKeysFile %s/keys\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"+
		"KbdInteractiveAuthentication no\nPermitRootLogin forced-commands-only\nPidFile none\nLogLevel ERROR\n", dir, dir)
	must(t, os.WriteFile(dir+"/config", []byte(config), 0o600))
	out, err := exec.Command(program, "-t", "-f", dir+"/config").CombinedOutput()
	if err != nil {
		t.Fatalf("sshd -t: %v\n%s", err, out)
	}
	addr := listen(t, func(conn *net.TCPConn) {
		f, err := conn.File()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) { // as at the test's end
				t.Error(err)
			}
			return
		}
		defer f.Close()
		cmd := exec.Command(program, "-i", "-e", "-f", dir+"/config")
		cmd.Stdin, cmd.Stdout = f, f
		_ = cmd.Run() // it ends with its client
	})
	_, port, err := net.SplitHostPort(addr)
	must(t, err)
	who, err := user.Current()
	must(t, err)
	s.ssh = fmt.Sprintf("ssh -F none -T -o HostName=127.0.0.1 -p %s -l %s -i %s/key -o IdentitiesOnly=yes -o IdentityAgent=none -o BatchMode=yes "+
		"-o StrictHostKeyChecking=no -o UserKnownHostsFile=%s/known -o LogLevel=ERROR", port, who.Username, dir, dir)
	return s
}

// authorize gives the key its line, as the verb makes it.
func (s *sshd) authorize(args ...string) {
	s.t.Helper()
	must(s.t, os.RemoveAll(s.dir+"/keys"))
	r := call(s.t, append([]string{"authorize", "--key", s.dir + "/key.pub", "--file", s.dir + "/keys", "--write", "--yes"}, args...)...)
	if r.code != 0 {
		s.t.Fatal(r)
	}
}

// run has an rsync go through ssh.
func (s *sshd) run(program string, args ...string) result {
	s.t.Helper()
	cmd := exec.Command(program, append([]string{"-e", s.ssh}, args...)...)
	cmd.Dir = s.dir
	return start(s.t, cmd).wait()
}

// TestKeysOverSSH: the lines that authorize writes, used by Debian's rsync and
// ours through a real sshd.
func TestKeysOverSSH(t *testing.T) {
	t.Parallel()
	s := startSSHD(t)
	k := newKey(t)
	for _, program := range []string{"rsync", k.ours} {
		k.write("served/it's \"a b\" $x", "odd")
		served := k.served
		s.authorize("--ro", "--log", k.dir+"/got.log", served)
		for _, protocol := range []string{"--protocol=27", "--protocol=32"} {
			dst, err := os.MkdirTemp(k.dir, "got")
			must(t, err)
			s.run(program, protocol, "-az", "--numeric-ids", "--delete", "host:/", dst+"/").expect(t, 0)
			if d := cmp.Diff(k.gotten(served), k.gotten(dst)); d != "" {
				t.Errorf("%s %s, -want +got:\n%s", program, protocol, d)
			}
		}
		s.run(program, "-a", k.dir+"/src/", "host:in").contains(t, 4, "may only read")
		odd := k.dir + "/served/it's \"a b\" $x.d"
		must(t, os.MkdirAll(odd, 0o755))
		s.authorize("--append", "--no-read", odd)
		s.run(program, "-a", k.dir+"/src/", "host:").expect(t, 0)
		k.write("src/a", "newer a "+filepath.Base(filepath.Dir(program)))
		r := s.run(program, "-a", k.dir+"/src/", "host:")
		r.expect(t, 0)
		if !strings.Contains(r.out, "backed up a to /.versions/") {
			t.Errorf("the client does not hear what was put aside:\n%s", r)
		}
		if kept, err := filepath.Glob(strings.ReplaceAll(odd, "[", "?") + "/.versions/*/a"); err != nil || len(kept) != 1 {
			t.Errorf("kept: %q, %v", kept, err)
		}
		out, err := exec.Command("sh", "-c", s.ssh+" host true").CombinedOutput()
		if err != nil || len(out) > 0 {
			t.Errorf("ssh host true: %v, %q", err, out)
		}
		must(t, os.RemoveAll(odd))
		k.write("src/a", "new a")
	}
	for way, n := range map[string]int{" 127.0.0.1 pull ": 4, " 127.0.0.1 push files=0": 2} {
		// The last line may come after the client has gone.
		until(t, fmt.Sprintf("%d lines with %q in the log", n, way), func() bool { return strings.Count(k.read("got.log"), way) == n })
	}
	k.unhurt("")
}

// TestForcedDaemonOverSSH: the forced command of a daemon for one connection,
// with Debian's rsync and ours on both sides.
func TestForcedDaemonOverSSH(t *testing.T) {
	t.Parallel()
	s := startSSHD(t)
	k := newKey(t)
	config := fmt.Sprintf("max connections = 1\nlock file = %s/lock\nuse chroot = no\n[system]\npath = %s\nlist = false\nuid = %d\ngid = %d\n",
		k.dir, k.served, os.Geteuid(), os.Getegid())
	k.write("got.conf", config)
	s.authorize("--module", k.dir+"/got.conf")
	want := k.gotten(k.served)
	for _, program := range []string{"rsync", k.ours} {
		dst, err := os.MkdirTemp(k.dir, "got")
		must(t, err)
		s.run(program, "-avzx", "--numeric-ids", "--delete", "host::system/", dst+"/").expect(t, 0)
		if d := cmp.Diff(want, k.gotten(dst)); d != "" {
			t.Errorf("%s, -want +got:\n%s", program, d)
		}
		if r := s.run(program, "host::"); r.code != 0 || strings.Contains(r.out, "system") {
			t.Errorf("the list of modules: %s", r)
		}
		s.run(program, "-a", k.dir+"/src/", "host::system/").contains(t, 1, "read only")
	}
}

// TestAuthorizeKeepsTheFile: what is there stays, with mode and owner; the same
// key is not added again; a link is not followed.
func TestAuthorizeKeepsTheFile(t *testing.T) {
	t.Parallel()
	s := startSSHD(t)
	k := newKey(t)
	file := s.dir + "/home/.ssh/authorized_keys"
	must(t, os.MkdirAll(filepath.Dir(file), 0o700))
	other, err := os.ReadFile(s.dir + "/other.pub")
	must(t, err)
	old := "# mine\nno-pty,command=\"echo \\\" \" " + strings.TrimSpace(string(other))
	must(t, os.WriteFile(file, []byte(old), 0o640))
	must(t, os.Chmod(file, 0o640))
	if os.Geteuid() == 0 {
		must(t, os.Chown(file, 1234, 1235))
	}
	before, err := os.Stat(file)
	must(t, err)
	add := func(key string, more ...string) result {
		return call(t, append([]string{"authorize", "--key", s.dir + "/" + key + ".pub", "--file", file, "--write", "--yes", "--ro", k.served}, more...)...)
	}
	add("key").expect(t, 0)
	add("key").expect(t, 1, "already, in line 3")
	add("other").expect(t, 1, "already, in line 2")
	text, err := os.ReadFile(file)
	must(t, err)
	rest, ok := strings.CutPrefix(string(text), old+"\n")
	if !ok || !strings.HasPrefix(rest, `restrict,command="`) || strings.Count(rest, "\n") != 1 {
		t.Errorf("the file is now:\n%s", text)
	}
	after, err := os.Stat(file)
	must(t, err)
	if before.Mode() != after.Mode() || fmt.Sprint(owner(before)) != fmt.Sprint(owner(after)) {
		t.Errorf("mode and owner: %v %v, were %v %v", after.Mode(), owner(after), before.Mode(), owner(before))
	}
	names, err := os.ReadDir(filepath.Dir(file))
	if must(t, err); len(names) != 1 {
		t.Errorf("left behind: %v", names)
	}
	must(t, os.Rename(file, file+".real"))
	must(t, os.Symlink(file+".real", file))
	must(t, os.WriteFile(file+".real", nil, 0o600))
	add("key").expect(t, 1, "link")
	ask := empegsync("authorize", "--key", s.dir+"/key.pub", "--file", s.dir+"/new", "--write", "--ro", k.served)
	ask.Stdin = strings.NewReader("n\n")
	start(t, ask).wait().expect(t, 1, "nothing was written")
	call(t, "authorize", "--key", s.dir+"/key", "--ro", k.served).expect(t, 1, "no public key")
	call(t, "authorize", "--key", s.dir+"/key.pub", "--file", k.served+"/keys", "--wo", k.served).expect(t, 1, "folder of its own")
	call(t, "authorize", "--key", s.dir+"/key.pub", k.served).expect(t, 2, "--ro, --wo")
	if _, err := os.Stat(s.dir + "/new"); err == nil {
		t.Error("a line was written that nobody wanted")
	}
}

// owner is whose file it is.
func owner(info os.FileInfo) [2]uint32 {
	st := info.Sys().(*syscall.Stat_t)
	return [2]uint32{st.Uid, st.Gid}
}
