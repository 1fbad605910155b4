package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	worldMark   = "EMPEGSYNC_TEST_WORLD"
	hostVar     = "EMPEGSYNC_TEST_HOST"
	synkPort    = "2222"
	synkHome    = "/home/z3bra"
	capNetAdmin = 12
	capSysAdmin = 21
)

// hosts is a small world for synk: machines with a file system of their own at
// /home and /etc/ssh, an sshd each, and addresses on one loopback. This process
// is the one called localhost.
type hosts struct {
	t    *testing.T
	dir  string
	next int
	// prepare, if not nil, changes a host's files before it starts.
	prepare func(w *hosts, host string)
}

// inWorld runs the test once more, alone, in a child with a network and mounts
// of its own. It returns true in that child.
func inWorld(t *testing.T) bool {
	t.Helper()
	if os.Getenv(worldMark) != "" {
		return true
	}
	attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET}
	if uid, gid := os.Getuid(), os.Getgid(); uid != 0 { // sshd serves whoever runs it, so that is whom it has to be
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: gid, HostID: gid, Size: 1}}
		attr.AmbientCaps = []uintptr{capNetAdmin, capSysAdmin}
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=300s")
	cmd.Env = append(os.Environ(), worldMark+"=1")
	cmd.SysProcAttr = attr
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("in a world of its own: %v\n%s", err, out)
	} else if testing.Verbose() {
		t.Logf("%s", out)
	}
	return false
}

// newHosts makes the world, with this machine only.
func newHosts(t *testing.T) *hosts {
	t.Helper()
	w := &hosts{t: t, dir: t.TempDir(), next: 2}
	must(t, os.Chmod(w.dir, 0o755))
	must(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	loopbackUp(t)
	for _, name := range []string{"id", "hostkey"} {
		out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(w.dir, name)).CombinedOutput()
		if err != nil {
			t.Fatalf("ssh-keygen: %v\n%s", err, out)
		}
	}
	w.lay("localhost", "")
	must(t, w.enter("localhost"))
	t.Setenv("RSYNC_RSH", "")
	return w
}

// loopbackUp brings the loopback up.
func loopbackUp(t *testing.T) {
	t.Helper()
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	must(t, err)
	defer unix.Close(s)
	ifr, err := unix.NewIfreq("lo")
	must(t, err)
	ifr.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	must(t, unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, ifr))
}

// lay makes a host's folders. Whoever it knows is in its ssh_config.
func (w *hosts) lay(name, address string) {
	w.t.Helper()
	for _, d := range []string{"home/z3bra", "ssh", "bin"} {
		must(w.t, os.MkdirAll(w.path(name, d), 0o755))
	}
	for from, to := range map[string]string{"id": "id", "id.pub": "authorized", "hostkey": "hostkey"} {
		text, err := os.ReadFile(filepath.Join(w.dir, from))
		must(w.t, err)
		must(w.t, os.WriteFile(w.path(name, "ssh", to), text, 0o600))
	}
	me, err := user.Current()
	must(w.t, err)
	must(w.t, os.WriteFile(w.path(name, "ssh/ssh_config"), []byte(`Include `+filepath.Join(w.dir, "known")+`
Host *
	Port `+synkPort+`
	User `+me.Username+`
	IdentityFile /etc/ssh/id
	IdentitiesOnly yes
	GSSAPIAuthentication no
	StrictHostKeyChecking no
	UserKnownHostsFile /dev/null
	LogLevel ERROR
`), 0o644))
	must(w.t, os.WriteFile(w.path(name, "ssh/sshd_config"), []byte(`ListenAddress `+address+`
Port `+synkPort+`
HostKey /etc/ssh/hostkey
AuthorizedKeysFile /etc/ssh/authorized
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
UsePAM no
PidFile none
MaxStartups 100
SetEnv PATH=`+w.path(name, "bin")+`:/usr/bin:/bin
LogLevel ERROR
`), 0o644))
}

// path is where something of a host lies for the test.
func (w *hosts) path(host string, more ...string) string {
	return filepath.Join(append([]string{w.dir, host}, more...)...)
}

// enter makes this process, whose mounts are its own, live on a host.
func (w *hosts) enter(name string) error {
	for _, m := range [][2]string{{"home", "/home"}, {"ssh", "/etc/ssh"}} {
		if err := unix.Mount(w.path(name, m[0]), m[1], "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m[1], err)
		}
	}
	if os.Getuid() != 0 {
		return nil
	}
	shadow := w.path(name, "shadow") // sshd lets nobody in whose password is locked
	if err := os.WriteFile(shadow, []byte("root:*:19000:0:99999:7:::\n"), 0o600); err != nil {
		return err
	}
	if err := unix.Mount(shadow, "/etc/shadow", "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount /etc/shadow: %w", err)
	}
	if err := unix.Mount("tmpfs", "/run", "tmpfs", 0, ""); err != nil {
		return fmt.Errorf("mount /run: %w", err)
	}
	return os.Mkdir("/run/sshd", 0o755)
}

// TestSynkHost is no test: it becomes the sshd of a host.
func TestSynkHost(t *testing.T) {
	dir, name, ok := strings.Cut(os.Getenv(hostVar), "|")
	if !ok {
		return
	}
	w := &hosts{t: t, dir: dir}
	must(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	must(t, w.enter(name))
	sshd := "/usr/sbin/sshd"
	must(t, syscall.Exec(sshd, []string{sshd, "-D", "-e", "-f", "/etc/ssh/sshd_config"}, os.Environ()))
}

// add starts a host. With synk it has the program under that name; a host
// without has what every system has.
func (w *hosts) add(name string, withSynk bool) *process {
	w.t.Helper()
	address := fmt.Sprintf("127.0.0.%d", w.next)
	w.next++
	w.lay(name, address)
	if withSynk {
		must(w.t, os.Symlink(os.Getenv(binaryVar), w.path(name, "bin/synk")))
	}
	if w.prepare != nil {
		w.prepare(w, name)
	}
	w.know(name, address)
	cmd := exec.Command(os.Args[0], "-test.run=^TestSynkHost$")
	cmd.Env = append(os.Environ(), hostVar+"="+w.dir+"|"+name)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.AmbientCaps = []uintptr{capSysAdmin}
	}
	p := start(w.t, cmd)
	until(w.t, "sshd of "+name, func() bool {
		select {
		case <-p.ended:
			w.t.Fatalf("sshd of %s ended: %s%s", name, &p.out, &p.err)
		default:
		}
		c, err := net.DialTimeout("tcp", address+":"+synkPort, time.Second)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return p
}

// know tells all hosts where one is.
func (w *hosts) know(name, address string) {
	w.t.Helper()
	f, err := os.OpenFile(filepath.Join(w.dir, "known"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	must(w.t, err)
	_, err = fmt.Fprintf(f, "Host %s\n\tHostName %s\n", name, address)
	must(w.t, err)
	must(w.t, f.Close())
}

// put writes a file on a host. Times are seconds since 1970.
func (w *hosts) put(host, path, text string, mtime float64) {
	w.t.Helper()
	name := w.path(host, path)
	must(w.t, os.MkdirAll(filepath.Dir(name), 0o755))
	must(w.t, os.WriteFile(name, []byte(text), 0o644))
	at := time.Unix(0, int64(mtime*1e9))
	must(w.t, os.Chtimes(name, at, at))
}

// has fails the test unless these hosts all have this text; "" for no file.
func (w *hosts) has(path, text string, hosts ...string) {
	w.t.Helper()
	for _, h := range hosts {
		got, err := os.ReadFile(w.path(h, path))
		if text == "" && os.IsNotExist(err) {
			continue
		}
		if err != nil || string(got) != text {
			w.t.Errorf("%s has %q of %s (%v), want %q", h, got, path, err, text)
		}
	}
}
