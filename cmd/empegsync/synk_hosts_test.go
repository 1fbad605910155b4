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

	"github.com/vishvananda/netlink"
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

// hosts is a small world for synk: machines with a network, accounts and files
// of their own, an sshd each, all on one wire. This process is the one called
// localhost, number 1.
type hosts struct {
	t    *testing.T
	dir  string
	next int
	// prepare, if not nil, changes a host's files before it starts.
	prepare func(w *hosts, host string)
	// other is an account besides the one that is used unless another is named.
	// Only root's sshd lets in anybody but whoever runs it.
	me, other string
}

// otherID is the user and group of the other account.
const otherID = 4242

// inWorld runs the test once more, alone, in a child with a network and mounts
// of its own. It returns true in that child.
func inWorld(t testing.TB) bool {
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
	args, passed := []string{"-test.run=^" + t.Name() + "$", "-test.v"}, "--- PASS: "+t.Name()
	_, bench := t.(*testing.B)
	if bench {
		args, passed = []string{"-test.run=^$", "-test.bench=^" + t.Name() + "$", "-test.benchtime=1x"}, "\nPASS\n"
	}
	cmd := exec.Command(os.Args[0], append(args, "-test.timeout=300s")...)
	cmd.Env = append(os.Environ(), worldMark+"=1")
	cmd.SysProcAttr = attr
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), passed) {
		t.Errorf("in a world of its own: %v\n%s", err, out)
	} else if testing.Verbose() || bench {
		t.Logf("%s", out)
	}
	return false
}

// newHosts makes the world, with this machine only.
func newHosts(t *testing.T) *hosts {
	t.Helper()
	me, err := user.Current()
	must(t, err)
	w := &hosts{t: t, dir: t.TempDir(), next: 2, me: me.Username, other: me.Username}
	if os.Getuid() == 0 {
		w.other = "ra"
	}
	must(t, os.Chmod(w.dir, 0o755))
	must(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	for _, name := range []string{"id", "hostkey"} {
		out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(w.dir, name)).CombinedOutput()
		if err != nil {
			t.Fatalf("ssh-keygen: %v\n%s", err, out)
		}
	}
	w.lay("localhost")
	must(t, netlink.LinkAdd(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "eth0"}}))
	must(t, w.enter("localhost", 1))
	t.Setenv("RSYNC_RSH", "")
	t.Setenv("HOME", synkHome)
	return w
}

// address gives a host addresses: IPv4, IPv6, and IPv6 of the link alone.
func address(n int) error {
	for _, name := range []string{"lo", "eth0"} {
		link, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		if err := netlink.LinkSetUp(link); err != nil {
			return err
		}
	}
	eth, err := netlink.LinkByName("eth0")
	if err != nil {
		return err
	}
	for _, a := range []string{"10.9.0.%d/24", "fd09::%d/64", "fe80::9:%d/64"} {
		addr, err := netlink.ParseAddr(fmt.Sprintf(a, n))
		if err != nil {
			return err
		}
		if addr.IP.To4() == nil {
			addr.Flags = unix.IFA_F_NODAD // or it would be usable only after a while
		}
		if err := netlink.AddrAdd(eth, addr); err != nil {
			return fmt.Errorf("give %s: %w", addr, err)
		}
	}
	return nil
}

// loopbackUp brings the loopback up.
func loopbackUp(t testing.TB) {
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
func (w *hosts) lay(name string) {
	w.t.Helper()
	for _, d := range []string{"home/z3bra", "ssh", "bin"} {
		must(w.t, os.MkdirAll(w.path(name, d), 0o755))
	}
	for from, to := range map[string]string{"id": "id-" + w.me, "id.pub": "authorized", "hostkey": "hostkey"} {
		text, err := os.ReadFile(filepath.Join(w.dir, from))
		must(w.t, err)
		must(w.t, os.WriteFile(w.path(name, "ssh", to), text, 0o600))
	}
	w.users(name)
	must(w.t, os.Chmod(w.path(name, "ssh/authorized"), 0o644))
	must(w.t, os.WriteFile(w.path(name, "ssh/ssh_config"), []byte(`Include `+filepath.Join(w.dir, "known")+`
Host *
	Port `+synkPort+`
	User `+w.me+`
	IdentityFile /etc/ssh/id-%u
	IdentitiesOnly yes
	GSSAPIAuthentication no
	KexAlgorithms curve25519-sha256
	StrictHostKeyChecking no
	UserKnownHostsFile /dev/null
	LogLevel ERROR
`), 0o644))
	must(w.t, os.WriteFile(w.path(name, "ssh/sshd_config"), []byte(`Port `+synkPort+`
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

// users writes a host's accounts. Their shell reads no files when it starts.
func (w *hosts) users(name string) {
	w.t.Helper()
	passwd := fmt.Sprintf("%s:x:%d:%d::%s:/bin/sh\nsshd:x:102:65534::/run/sshd:/usr/sbin/nologin\n", w.me, os.Getuid(), os.Getgid(), synkHome)
	shadow := w.me + ":*:19000:0:99999:7:::\n" // sshd lets nobody in whose password is locked
	if w.other != w.me {
		home := w.path(name, "home", w.other)
		must(w.t, os.Mkdir(home, 0o755))
		key, err := os.ReadFile(filepath.Join(w.dir, "id"))
		must(w.t, err)
		must(w.t, os.WriteFile(w.path(name, "ssh/id-"+w.other), key, 0o600))
		for _, f := range []string{home, w.path(name, "ssh/id-"+w.other)} {
			must(w.t, os.Chown(f, otherID, otherID))
		}
		passwd += fmt.Sprintf("%s:x:%d:%d::/home/%s:/bin/sh\n", w.other, otherID, otherID, w.other)
		shadow += w.other + ":*:19000:0:99999:7:::\n"
	}
	must(w.t, os.WriteFile(w.path(name, "passwd"), []byte(passwd), 0o644))
	must(w.t, os.WriteFile(w.path(name, "shadow"), []byte(shadow), 0o600))
}

// path is where something of a host lies for the test.
func (w *hosts) path(host string, more ...string) string {
	return filepath.Join(append([]string{w.dir, host}, more...)...)
}

// enter makes this process, whose mounts and network are its own, live on a host.
func (w *hosts) enter(name string, number int) error {
	mounts := [][2]string{{"home", "/home"}, {"ssh", "/etc/ssh"}, {"passwd", "/etc/passwd"}}
	if os.Getuid() == 0 {
		mounts = append(mounts, [2]string{"shadow", "/etc/shadow"})
	}
	for _, m := range mounts {
		if err := unix.Mount(w.path(name, m[0]), m[1], "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m[1], err)
		}
	}
	if err := address(number); err != nil || os.Getuid() != 0 {
		return err
	}
	if err := unix.Mount("tmpfs", "/run", "tmpfs", 0, ""); err != nil {
		return fmt.Errorf("mount /run: %w", err)
	}
	return os.Mkdir("/run/sshd", 0o755)
}

// TestSynkHost is no test: it becomes the sshd of a host.
func TestSynkHost(t *testing.T) {
	var dir, name string
	var number int
	if n, _ := fmt.Sscan(os.Getenv(hostVar), &number, &name, &dir); n != 3 {
		return
	}
	w := &hosts{t: t, dir: dir}
	must(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	until(t, "a wire", func() bool {
		_, err := netlink.LinkByName("eth0")
		return err == nil
	})
	must(t, w.enter(name, number))
	sshd := "/usr/sbin/sshd"
	must(t, syscall.Exec(sshd, []string{sshd, "-D", "-e", "-f", "/etc/ssh/sshd_config"}, os.Environ()))
}

// add starts a host. With synk it has the program under that name; a host
// without has what every system has.
func (w *hosts) add(name string, withSynk bool) *process {
	w.t.Helper()
	number := w.next
	w.next++
	w.lay(name)
	if withSynk {
		must(w.t, os.Symlink(os.Getenv(binaryVar), w.path(name, "bin/synk")))
	}
	if w.prepare != nil {
		w.prepare(w, name)
	}
	at := fmt.Sprintf("10.9.0.%d", number)
	w.know(name, at)
	cmd := exec.Command(os.Args[0], "-test.run=^TestSynkHost$")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %s %s", hostVar, number, name, w.dir))
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.AmbientCaps = []uintptr{capNetAdmin, capSysAdmin}
	}
	p := start(w.t, cmd)
	plug := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: fmt.Sprintf("plug%d", number)}, PeerName: "eth0", PeerNamespace: netlink.NsPid(p.Process.Pid)}
	must(w.t, netlink.LinkAdd(plug))
	eth, err := netlink.LinkByName("eth0")
	must(w.t, err)
	must(w.t, netlink.LinkSetMaster(plug, eth))
	must(w.t, netlink.LinkSetUp(plug))
	until(w.t, "sshd of "+name, func() bool {
		select {
		case <-p.ended:
			w.t.Fatalf("sshd of %s ended: %s%s", name, &p.out, &p.err)
		default:
		}
		c, err := net.DialTimeout("tcp", at+":"+synkPort, time.Second)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return p
}

// mislead has a host look for another where there is no way to.
func (w *hosts) mislead(from, to string) {
	w.t.Helper()
	config := w.path(from, "ssh/ssh_config")
	text, err := os.ReadFile(config)
	must(w.t, err)
	must(w.t, os.WriteFile(config, append([]byte("Host "+to+"\n\tHostName 192.0.2.1\n"), text...), 0o644))
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
