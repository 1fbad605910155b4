package daemon_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/user"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/daemon"
)

// nobody is the user as whom the worker's tests are served.
func nobody(t testing.TB) (uid, gid string) {
	u, err := user.Lookup("nobody")
	if err != nil {
		t.Fatalf("the tests need a user called nobody: %v", err)
	}
	return u.Uid, u.Gid
}

// TestWorker serves as another user. An ordinary user cannot, and says so.
func TestWorker(t *testing.T) {
	t.Parallel()
	uid, gid := nobody(t)
	p := newPlace(t).write(map[string]string{"closed/mod/public": "p", "closed/mod/private": "root's", "closed/mod/in/": "", "d/": "", "src/new": "n"})
	p.must(os.Chmod(p.path("closed/mod/private"), 0o600))
	p.must(os.Chmod(p.path("closed/mod/in"), 0o777))
	s := p.ours(p.conf(fmt.Sprintf("[mod]\npath = @DIR@/closed/mod\nread only = no\nuid = nobody\ngid = *\nlog file = @DIR@/mod.log\n"+
		"[num]\npath = @DIR@/closed/mod\nuid = %s\ngid = %s\n", uid, gid)), nil)
	if os.Geteuid() != 0 {
		out, code := p.rsync(s.addr, "@URL@/mod/")
		if code != 5 || !strings.Contains(out, "@ERROR: setgid failed") {
			t.Errorf("as an ordinary user: code %d, %s", code, out)
		}
		return
	}
	// Opened as root, as C rsync does: the folders above need not be open.
	p.must(os.Chmod(p.path("closed"), 0o700))
	out, code := p.rsync(s.addr, "-a", "@URL@/mod/", "d/")
	if code != 23 || !strings.Contains(out, "private") || p.tree("d") != "in/\npublic = \"p\"\n" {
		t.Errorf("pull: code %d, %s, got\n%s", code, out, p.tree("d"))
	}
	if out, code := p.rsync(s.addr, "-r", "@URL@/num/public", "d/again"); code != 0 || !strings.Contains(p.tree("d"), "again = \"p\"") {
		t.Errorf("by number: code %d, %s", code, out)
	}
	if out, code := p.rsync(s.addr, "-a", "src/new", "@URL@/mod/in/"); code != 0 {
		t.Errorf("push: code %d, %s", code, out)
	}
	info, err := os.Stat(p.path("closed/mod/in/new"))
	p.must(err)
	if st := info.Sys().(*syscall.Stat_t); fmt.Sprint(st.Uid) != uid || fmt.Sprint(st.Gid) != gid {
		t.Errorf("the file belongs to %d:%d, not %s:%s", st.Uid, st.Gid, uid, gid)
	}
	if out, code := p.rsync(s.addr, "-a", "src/new", "@URL@/mod/"); code == 0 {
		t.Errorf("pushed into root's folder: %s", out)
	}
	log, err := os.ReadFile(p.path("mod.log"))
	p.must(err)
	if strings.Count(string(log), "rsync to mod/in/ from localhost (127.0.0.1)\n") != 1 {
		t.Errorf("the module's log:\n%s", log)
	}
}

// TestWorkerEarly sends everything at once, so that the daemon has read more
// than the module's name when it starts the worker.
func TestWorkerEarly(t *testing.T) {
	t.Parallel()
	p := newPlace(t).write(map[string]string{"mod/public-file": "p"})
	s := p.ours(p.conf("[mod]\npath = @DIR@/mod\nuid = nobody\n"), nil)
	if os.Geteuid() != 0 {
		t.Log("an ordinary user has no workers; this shows that it is refused")
	}
	conn := dial(t, s.addr)
	send(t, conn, old("mod", "--server", "--sender", "-r", ".", "mod/")+"\x00\x00\x00\x00")
	p.must(conn.(*net.TCPConn).CloseWrite())
	answer, _ := io.ReadAll(conn)
	if os.Geteuid() != 0 {
		if !strings.Contains(string(answer), "@ERROR: set") {
			t.Errorf("answer %q", answer)
		}
		return
	}
	if !strings.Contains(string(answer), "@RSYNCD: OK\n") || !strings.Contains(string(answer), "public-file") {
		t.Errorf("answer %q", answer)
	}
}

// TestWorkerEnds: workers end with the server, and a worker that sits in its
// hello is dropped by the same deadline as everyone.
func TestWorkerEnds(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Log("an ordinary user has no workers; TestShutdown and TestHelloTimeout show the rest")
		return
	}
	p := newPlace(t).write(map[string]string{"mod/big": strings.Repeat("x", 20<<20)})
	s := p.ours(p.conf("[mod]\npath = @DIR@/mod\nuid = nobody\n"), func(s *daemon.Server) {
		s.HelloTimeout, s.Grace = 3*time.Second, 10*time.Millisecond
	})
	idle := dial(t, s.addr)
	send(t, idle, "@RSYNCD: 29\nmod\n")
	readUntil(t, idle, "@RSYNCD: OK\n")
	began := time.Now()
	if _, err := io.ReadAll(idle); err != nil || time.Since(began) > 8*time.Second {
		t.Errorf("an idle client of a worker went after %v: %v", time.Since(began), err)
	}
	busy := dial(t, s.addr)
	send(t, busy, pullOf("big", 1))
	readUntil(t, busy, "xxxxxxxx")
	began = time.Now()
	p.must(s.stop())
	if d := time.Since(began); d > 5*time.Second {
		t.Errorf("stopping took %v", d)
	}
}

// TestWorkerKilled: the last command hears of a worker that was killed what C rsync's
// has it hear.
func TestWorkerKilled(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Log("an ordinary user has no workers")
		return
	}
	p := newPlace(t).write(map[string]string{"mod/big": strings.Repeat("x", 20<<20)})
	s := p.ours(p.conf("[mod]\npath = @DIR@/mod\nuid = nobody\nlog file = @DIR@/mod.log\n"+
		"post-xfer exec = echo $RSYNC_EXIT_STATUS $RSYNC_RAW_STATUS > @DIR@/post\n"), nil)
	conn := dial(t, s.addr)
	send(t, conn, pullOf("big", 1))
	readUntil(t, conn, "xxxxxxxx")
	line := regexp.MustCompile(`\[(\d+)\] rsync on `).FindStringSubmatch(p.read("mod.log"))
	if line == nil {
		t.Fatalf("the worker has not written its line:\n%s", p.read("mod.log"))
	}
	pid, err := strconv.Atoi(line[1])
	p.must(err)
	if pid == os.Getpid() {
		t.Fatal("it is served by no worker")
	}
	p.must(syscall.Kill(pid, syscall.SIGKILL))
	eventually(p, "the last command", func() bool { return strings.HasSuffix(p.read("post"), "\n") })
	if got := p.read("post"); got != "-1 9\n" {
		t.Errorf("exit status and raw status are %q", got)
	}
}

// TestNoWorker: without workers a module of another user is refused, not
// served as root.
func TestNoWorker(t *testing.T) {
	t.Parallel()
	p := newPlace(t).write(map[string]string{"mod/f": "p", "d/": ""})
	s := p.ours(p.conf("[mod]\npath = @DIR@/mod\nuid = nobody\n"), func(s *daemon.Server) { s.Worker = nil })
	if out, code := p.rsync(s.addr, "-r", "@URL@/mod/", "d/"); code != 5 || !strings.Contains(out, "@ERROR: setuid failed") {
		t.Errorf("code %d: %s", code, out)
	}
}

func TestWorkerFails(t *testing.T) {
	t.Parallel()
	if _, err := daemon.Work(context.Background(), strings.NewReader("no job"), nil, nil); err == nil {
		t.Error("a worker without a job is content")
	}
}
