package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/empegsync/empegsync/pkg/ownspace"
)

// Without a file there are the drives that exist, read only.
func TestServeDefault(t *testing.T) {
	t.Parallel()
	master, _ := players(t, 20)
	s := serve(t, "--root", master)
	if !strings.HasSuffix(s.said, ", serving the drives read only\n") {
		t.Errorf("says %q", s.said)
	}
	r := rsync(t, "/", "rsync://"+s.addr+"/")
	if got := strings.Fields(r.out); r.code != 0 || len(got) != 8 || got[0] != "drive0" || got[4] != "drive1" {
		t.Errorf("list: %s", r)
	}
	before := state(t, master)
	file := filepath.Join(tempDir(t), "file")
	must(t, os.WriteFile(file, []byte("x"), 0o644))
	r = rsync(t, "/", "-a", file, "rsync://"+s.addr+"/drive0/fids/")
	if r.code == 0 || !strings.Contains(r.err, "read only") {
		t.Errorf("push to a read-only module: %s", r)
	}
	r = rsync(t, "/", "-a", "--delete", filepath.Dir(file)+"/", "rsync://"+s.addr+"/drive0/fids/")
	if r.code == 0 {
		t.Errorf("deletion in a read-only module: %s", r)
	}
	untouched(t, before, master)
	notBusy(t, s, master)
	if err := os.RemoveAll(filepath.Join(master, "drive1")); err != nil {
		t.Fatal(err)
	}
	if r := call(t, "serve", "--root", master, "--check"); r.code != 0 || strings.Contains(r.out, "drive1") || !strings.Contains(r.out, "drive0") {
		t.Errorf("--check with one drive: %s", r)
	}
	call(t, "serve", "--root", tempDir(t), "--address", "127.0.0.1:0").expect(t, 1, "nothing to serve", "etc/rsyncd.conf")
}

// notBusy fails the test if the daemon would keep a drive from being remounted
// read-only: by its working directory or by an open file that is not allowed.
func notBusy(t *testing.T, s *server, player string, allowed ...string) {
	t.Helper()
	proc := fmt.Sprintf("/proc/%d", s.Process.Pid)
	if cwd, err := os.Readlink(proc + "/cwd"); err != nil || cwd != "/" {
		t.Errorf("working directory %q, %v", cwd, err)
	}
	fds, err := os.ReadDir(proc + "/fd")
	must(t, err)
	for _, fd := range fds {
		name, err := os.Readlink(proc + "/fd/" + fd.Name())
		if err != nil {
			continue // closed meanwhile
		}
		if strings.HasPrefix(name, player) && (len(allowed) == 0 || name != allowed[0]) {
			t.Errorf("keeps %s open", name)
		}
	}
}

// documentConf is the document's configuration as it stands, but for its paths.
func documentConf(player string) string {
	return strings.ReplaceAll(`log file = /drive0/rsyncd.log
pid file = /drive0/rsyncd.pid
uid = root
gid = root

[drive0]
    path = /drive0
    use chroot = no
    read only = no

[drive1]
    path = /drive1
    use chroot = no
    read only = no`, "/drive", player+"/drive")
}

// The document's daemon: its log, its pid file, both directions.
func TestServeDocument(t *testing.T) {
	t.Parallel()
	if !ownspace.Enter(t, 0) { // where uid = root can be had
		return
	}
	master, slave := players(t, 20)
	file := filepath.Join(master, "etc/rsyncd.conf")
	must(t, os.WriteFile(file, []byte(documentConf(master)), 0o644))
	s := serve(t, "--root", master)
	if !strings.Contains(s.said, "serving the modules of "+file) {
		t.Errorf("says %q", s.said)
	}
	log, pid := filepath.Join(master, "drive0/rsyncd.log"), filepath.Join(master, "drive0/rsyncd.pid")
	if text, err := os.ReadFile(pid); err != nil || strings.TrimSpace(string(text)) != strconv.Itoa(s.Process.Pid) {
		t.Errorf("pid file %q, %v", text, err)
	}
	notBusy(t, s, master, log)
	for _, drive := range []string{"drive0", "drive1"} {
		r := rsync(t, filepath.Join(slave, drive), "-auv", "--delete", "rsync://"+s.addr+"/"+drive+"/fids", ".")
		if r.code != 0 || r.err != "" {
			t.Errorf("pull: %s", r)
		}
	}
	equal(t, master, slave)
	// The other way round, as the document's daemon on the destination allows.
	must(t, os.Remove(filepath.Join(slave, anyFid(t, slave, "drive1"))))
	if r := rsync(t, slave, "-a", "--delete", "drive1/fids", "rsync://"+s.addr+"/drive1"); r.code != 0 || r.err != "" {
		t.Errorf("push: %s", r)
	}
	equal(t, master, slave)

	// Another one, with the same files, while the first runs.
	call(t, "serve", "--root", master, "--address", "127.0.0.1:0").expect(t, 1, pid, strconv.Itoa(s.Process.Pid), "running")
	s.signal(syscall.SIGTERM)
	s.wait().expect(t, 0)
	if _, err := os.Stat(pid); !os.IsNotExist(err) {
		t.Errorf("the pid file after the end: %v", err)
	}
	text, err := os.ReadFile(log)
	must(t, err)
	for _, want := range []string{"starting, listening on " + s.addr, "rsync on drive0/fids", "rsync to drive1", "stopped"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the log lacks %q:\n%s", want, text)
		}
	}
	// A pid file that a power cut has left behind.
	gone := exec.Command("true")
	must(t, gone.Run())
	must(t, os.WriteFile(pid, fmt.Appendln(nil, gone.Process.Pid), 0o644))
	s = serve(t, "--root", master)
	if text, err := os.ReadFile(pid); err != nil || strings.TrimSpace(string(text)) != strconv.Itoa(s.Process.Pid) {
		t.Errorf("pid file %q, %v", text, err)
	}
}

// What cannot be served as asked is an error that names its place.
func TestServeConfigErrors(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	file := filepath.Join(dir, "rsyncd.conf")
	tests := []struct {
		name, text string
		words      []string
	}{
		{"unknown", "[drive0]\npath = /\nuse chrot = no\n", []string{file + ":3", "use chrot"}},
		{"unsupported", "port = 0\n[drive0]\npath = /\nname = x\n", []string{file + ":4", `"name"`}},
		{"no value of its kind", "[drive0]\npath = /\nread only = perhaps\n", []string{file + ":3", "read only", "perhaps"}},
		{"a module without a path", "[drive0]\ncomment = x\n", []string{"drive0", "path"}},
		{"no folder for the pid", "pid file = " + dir + "/none/pid\n[drive0]\npath = /\n", []string{"pid file", dir + "/none"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			must(t, os.WriteFile(file, []byte(tt.text), 0o644))
			r := call(t, "serve", "--config", file, "--address", "127.0.0.1:0")
			r.expect(t, 1, tt.words...)
			if r.out != "" {
				t.Errorf("says that it serves: %s", r.out)
			}
		})
	}
	call(t, "serve", "--config", dir+"/none").expect(t, 1, dir+"/none")
}

// A log that cannot be written is no reason not to serve, but one to say so.
func TestServeWithoutLog(t *testing.T) {
	t.Parallel()
	master, slave := players(t, 12)
	log := filepath.Join(master, "none/log")
	s := serveConfig(t, fmt.Sprintf("log file = %s\n[drive0]\npath = %s/drive0\n[drive1]\npath = %[2]s/drive1\n", log, master))
	call(t, "pull", s.addr, "--root", slave).expect(t, 0)
	equal(t, master, slave)
	s.signal(syscall.SIGTERM)
	if r := s.wait(); r.code != 0 || !strings.Contains(r.err, log) || !strings.Contains(r.err, "rsync on drive1/fids") {
		t.Errorf("serve without its log: %s", r)
	}
}

func TestServePortTaken(t *testing.T) {
	t.Parallel()
	master, _ := players(t, 12)
	s := serve(t, "--root", master)
	call(t, "serve", "--root", master, "--address", s.addr).expect(t, 1, "listen on "+s.addr, "in use", "running already")
}

// A daemon that is told to stop takes nobody new, lets the running transfer
// end, and ends itself well.
func TestServeStops(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(fmt.Sprint(sig), func(t *testing.T) {
			t.Parallel()
			master, slave := players(t, 20)
			// One drive: a second one would be a new connection.
			must(t, os.RemoveAll(filepath.Join(slave, "drive1")))
			s := serve(t, "--root", master)
			g := gate(t, s.addr, 20_000)
			p := start(t, empegsync("pull", g.addr, "--root", slave))
			g.stopped(t, p)
			s.signal(sig)
			until(t, "the daemon closes its port", func() bool { return refuses(s.addr) })
			select {
			case <-s.ended:
				t.Error("the daemon has ended before its transfer")
			default:
			}
			g.release()
			p.wait().expect(t, 0)
			if r := s.wait(); r.code != 0 {
				t.Errorf("serve: %s", r)
			}
			noLeftovers(t, slave)
			mine, theirs := contents(t, slave), contents(t, master)
			for name := range theirs {
				if strings.HasPrefix(name, "drive0/") && mine[name] != theirs[name] {
					t.Errorf("%s has not arrived", name)
				}
			}
		})
	}
}

// Whoever starts it with nohup wants it to outlive the terminal.
func TestServeNohup(t *testing.T) {
	t.Parallel()
	master, _ := players(t, 12)
	plain := empegsync("serve", "--address", "127.0.0.1:0", "--root", master)
	nohup := exec.Command("sh", append([]string{"-c", `trap "" HUP; exec "$0" "$@"`}, plain.Args...)...)
	for want, s := range map[bool]*server{false: serveBy(t, plain), true: serveBy(t, nohup)} {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.Process.Pid))
		must(t, err)
		_, after, _ := strings.Cut(string(status), "SigIgn:")
		mask, err := strconv.ParseUint(strings.Fields(after)[0], 16, 64)
		must(t, err)
		if got := mask&(1<<(syscall.SIGHUP-1)) != 0; got != want {
			t.Errorf("a hangup is ignored: %v, want %v", got, want)
		}
	}
}

// A daemon that gives up root once it listens.
func TestServeAsSomebody(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	file := filepath.Join(dir, "conf")
	must(t, os.WriteFile(file, []byte("daemon uid = nonesuch\n[m]\npath = /tmp\n"), 0o644))
	r := call(t, "serve", "--config", file, "--address", "127.0.0.1:0")
	if r.code == 0 || !strings.Contains(r.err, "nonesuch") {
		t.Errorf("a user who is not there: %s", r)
	}
	if os.Geteuid() != 0 {
		return // nobody else can become somebody
	}
	must(t, os.WriteFile(file, []byte("daemon uid = nobody\ndaemon gid = 65534\n[m]\npath = "+dir+"\nuse chroot = no\n"), 0o644))
	must(t, os.Chmod(dir, 0o755))
	must(t, os.Chmod(filepath.Dir(dir), 0o755))
	s := serve(t, "--config", file)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.Process.Pid))
	must(t, err)
	for _, want := range []string{"Uid:\t65534\t65534\t65534\t65534", "Gid:\t65534\t65534\t65534\t65534", "Groups:\t65534 \n"} {
		if !strings.Contains(string(status), want) {
			t.Errorf("the daemon's status lacks %q:\n%s", want, status)
		}
	}
	if r := rsync(t, dir, "rsync://"+s.addr+"/m/"); r.code != 0 || !strings.Contains(r.out, "conf") {
		t.Errorf("a listing: %s", r)
	}
}
