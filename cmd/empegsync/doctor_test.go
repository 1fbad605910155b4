package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// sshHost is Debian's sshd on this machine, with a key for each case.
type sshHost struct {
	t    *testing.T
	dir  string
	port int
	keys strings.Builder
}

// account adds a key. command is what each of its logins runs, in which
// $SSH_ORIGINAL_COMMAND is what the client wants; "" for just that. The returned
// words are a remote shell with that key.
func (h *sshHost) account(name, command string) string {
	h.t.Helper()
	key := filepath.Join(h.dir, name)
	out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key).CombinedOutput()
	if err != nil {
		h.t.Fatalf("%v\n%s", err, out)
	}
	public, err := os.ReadFile(key + ".pub")
	must(h.t, err)
	if command != "" {
		must(h.t, os.WriteFile(key+".sh", []byte(command), 0o644))
		fmt.Fprintf(&h.keys, "command=\"exec sh %s.sh\" ", key)
	}
	h.keys.Write(public)
	must(h.t, os.WriteFile(h.dir+"/authorized_keys", []byte(h.keys.String()), 0o600))
	return fmt.Sprintf("ssh -F none -p %d -i %s -o IdentitiesOnly=yes -o IdentityAgent=none -o KexAlgorithms=curve25519-sha256 -o UserKnownHostsFile=%s/known_hosts", h.port, key, h.dir)
}

// newSSHHost starts it.
func newSSHHost(t *testing.T) *sshHost {
	t.Helper()
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o755))
	probe, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	h := &sshHost{t: t, dir: dir, port: probe.Addr().(*net.TCPAddr).Port}
	probe.Close()
	if os.Getuid() == 0 {
		must(t, os.MkdirAll("/run/sshd", 0o755)) // where it locks its helper up
	}
	h.account("host", "")
	h.keys.Reset()
	public, err := os.ReadFile(dir + "/host.pub")
	must(t, err)
	must(t, os.WriteFile(dir+"/known_hosts", fmt.Appendf(nil, "[127.0.0.1]:%d %s", h.port, public), 0o644))
	must(t, os.WriteFile(dir+"/config", fmt.Appendf(nil, "Port %d\nListenAddress 127.0.0.1\nHostKey %s/host\nAuthorizedKeysFile %s/authorized_keys\n"+
		"PidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin yes\nPasswordAuthentication no\nMaxStartups 100\n", h.port, dir, dir), 0o644))
	p := start(t, exec.Command("/usr/sbin/sshd", "-D", "-e", "-f", dir+"/config"))
	until(t, "sshd listens", func() bool {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", h.port))
		if err == nil {
			c.Close()
		}
		select {
		case <-p.ended:
			t.Fatalf("sshd has ended:\n%s", &p.err)
		default:
		}
		return err == nil
	})
	return h
}

// TestUncleanShells has the doctor and a transfer name what is wrong with eight
// kinds of shells, and with one that is as it should be.
func TestUncleanShells(t *testing.T) {
	t.Parallel()
	h := newSSHHost(t)
	n := newNights(t)
	home := filepath.Join(h.dir, "home")
	must(t, os.MkdirAll(home+"/bin", 0o755))
	must(t, os.WriteFile(home+"/.bashrc", []byte("umask 022\necho Welcome to the kitchen\n"), 0o644))
	must(t, os.WriteFile(home+"/.profile", []byte("cat \"$HOME/motd\"\n"), 0o644))
	must(t, os.WriteFile(home+"/motd", []byte("The kitchen is closed on Sundays.\n"), 0o644))
	for _, program := range []string{"sh", "cat", "date"} {
		where, err := exec.LookPath(program)
		must(t, err)
		must(t, os.Symlink(where, home+"/bin/"+program))
	}
	config := filepath.Join(h.dir, "rsyncd.conf")
	must(t, os.WriteFile(config, fmt.Appendf(nil, "[music]\npath = %s\nuse chroot = no\nuid = %d\ngid = %d\n", n.src, os.Getuid(), os.Getgid()), 0o644))
	begin := "HOME=" + home + "; export HOME\n"
	const run = "eval \"$SSH_ORIGINAL_COMMAND\"\n"
	for _, c := range []struct {
		name, command string
		rsh           string   // further words of the remote shell
		args          []string // of both
		works         bool     // for the doctor
		doctor        []string
		transfer      []string // nil: it works
	}{
		{"clean", "", "", nil, true, []string{"ok       round trip", "protocol 32", "a backup would work"}, nil},
		{"motd", begin + ". $HOME/.profile\n" + run, "", nil, false,
			[]string{"ok       login", "failed   shell", "closed on Sundays", home + "/.profile there, line 1: cat", "motd"},
			[]string{"is your shell clean?", "closed on Sundays", "prints at each login", ".profile"}},
		{"bashrc", begin + ". $HOME/.bashrc\n" + run, "", nil, false,
			[]string{"failed   shell", "Welcome to the kitchen", home + "/.bashrc there, line 2: echo Welcome"},
			[]string{"is your shell clean?", "Welcome to the kitchen", "prints at each login", ".bashrc"}},
		{"nologin", "exec /usr/sbin/nologin\n", "", nil, false, []string{"failed   login", "no shell to log in with", "chsh"}, []string{"no shell to log in with", "chsh"}},
		{"terminal", "", " -tt", nil, false, []string{"failed   shell", "terminal", "RequestTTY no"}, []string{"terminal", "RequestTTY no"}},
		{"missing", "PATH=" + home + "/bin\n" + run, "", nil, false, []string{"ok       shell", "failed   rsync", "there is no rsync where", "--rsync-path"},
			[]string{"There is no rsync where", "--rsync-path"}},
		{"wrong path", "", "", []string{"--rsync-path=/opt/none/rsync"}, false, []string{"failed   rsync", "at /opt/none/rsync there, but there is one at /", "say --rsync-path=/"},
			[]string{"at /opt/none/rsync there", "--rsync-path"}},
		{"rrsync", "echo 'rrsync error: option -a is not allowed' >&2\nexit 1\n", "", nil, false,
			[]string{"ok       forced", "failed   protocol", "forced command has refused", "option -a is not allowed"},
			[]string{"forced command has refused", "option -a is not allowed", "authorized_keys"}},
		{"rrsync that allows", "exec " + lookUp(t, "rrsync") + " -ro " + n.src + "\n", "", nil, true, []string{"ok       forced", "ok       protocol", "a backup would work"}, nil},
		{"daemon", "exec rsync --server --daemon --config=" + config + " .\n", "", nil, true,
			[]string{"ok       daemon", "write two colons", "its modules: music"}, []string{"daemon's greeting", "HOST::MODULE/PATH"}},
	} {
		shell := h.account(strings.ReplaceAll(c.name, " ", "-"), c.command) + c.rsh
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			visit := append([]string{"doctor", "-e", shell, "127.0.0.1"}, c.args...)
			r := call(t, visit...)
			if (r.code == 0) != c.works {
				t.Errorf("the doctor: %s", r)
			}
			for _, w := range c.doctor {
				if !strings.Contains(r.out, w) {
					t.Errorf("the doctor does not say %q: %s", w, r)
				}
			}
			from := n.src + "/"
			if strings.HasPrefix(c.name, "rrsync") {
				from = ""
			}
			r = call(t, append(append([]string{"rsync", "-a", "-e", shell}, c.args...), "127.0.0.1:"+from, t.TempDir())...)
			if (r.code == 0) != (c.transfer == nil) {
				t.Errorf("the transfer: %s", r)
			}
			for _, w := range c.transfer {
				if !strings.Contains(r.err, w) {
					t.Errorf("the transfer does not say %q: %s", w, r)
				}
			}
			var report struct {
				OK     bool
				Checks []struct{ Name, State, Says, Fix string }
			}
			if c.name != "nologin" && c.name != "daemon" {
				return // logins cost time; one that fails and one that works will do
			}
			j := call(t, append(visit, "--json")...)
			if err := json.Unmarshal([]byte(j.out), &report); err != nil || report.OK != c.works || len(report.Checks) == 0 {
				t.Errorf("as JSON: %v: %s", err, j)
			}
			for _, check := range report.Checks {
				if check.State == "failed" && check.Fix == "" {
					t.Errorf("nothing to change is named for %+v", check)
				}
			}
		})
	}
}

func lookUp(t *testing.T, program string) string {
	t.Helper()
	where, err := exec.LookPath(program)
	must(t, err)
	return where
}

// TestDoctorRefused: hosts that cannot be reached, and what is no host.
func TestDoctorRefused(t *testing.T) {
	t.Parallel()
	h := newSSHHost(t)
	stranger := h.account("stranger", "")
	must(t, os.WriteFile(h.dir+"/authorized_keys", nil, 0o600))
	call(t, "doctor", "-e", stranger, "127.0.0.1").contains(t, 1)
	for _, c := range []struct{ shell, want string }{
		{stranger, "accepts no key"},
		{strings.Replace(stranger, "known_hosts", "nobody_known", 1), "known_hosts"},
		{fmt.Sprintf("ssh -F none -p %d", unusedPort(t)), "no connection"},
	} {
		if r := call(t, "doctor", "-e", c.shell, "127.0.0.1"); r.code != 1 || !strings.Contains(r.out, c.want) || !strings.Contains(r.out, "-> ") {
			t.Errorf("want %q: %s", c.want, r)
		}
	}
	for _, bad := range []string{"host:", "rsync://host", "a/b", ""} {
		call(t, "doctor", bad).contains(t, 2, "host")
	}
	call(t, "doctor", "-e", "/nonexistent/shell", "h").expect(t, 1, "/nonexistent/shell", "--rsh")
}

func unusedPort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
