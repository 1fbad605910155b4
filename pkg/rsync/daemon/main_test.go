package daemon_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/empegsync/empegsync/pkg/memdir"
	"github.com/empegsync/empegsync/pkg/ownport"
	"github.com/empegsync/empegsync/pkg/rsync/conf"
	"github.com/empegsync/empegsync/pkg/rsync/daemon"
)

// TestMain lets the test binary be the worker that daemon.Spawn starts, and
// the process with few file descriptors of TestFewDescriptors.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 {
		switch os.Args[1] {
		case "worker":
			os.Exit(beWorker())
		case "few-descriptors":
			os.Exit(beShortOfDescriptors())
		}
	}
	memdir.Main(m)
}

func beWorker() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	f := os.NewFile(3, "connection")
	conn, err := net.FileConn(f)
	f.Close()
	if err == nil {
		defer conn.Close()
		var exit int
		if exit, err = daemon.Work(ctx, os.Stdin, conn, slog.New(daemon.NewLogHandler(os.Stderr))); err == nil {
			return exit
		}
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// place is a temporary folder with what a test needs.
type place struct {
	testing.TB
	dir string
}

func newPlace(t testing.TB) *place {
	dir := t.TempDir()
	// Other users, as whom workers run, must get to it.
	for d := dir; d != "/" && os.Chmod(d, 0o755) == nil && d != filepath.Dir(filepath.Dir(dir)); d = filepath.Dir(d) {
	}
	return &place{t, dir}
}

// path is a name in the place.
func (p *place) path(name string) string { return filepath.Join(p.dir, name) }

// write makes files; a name that ends in a slash is a folder, and a text that
// begins with "-> " a link. Names are relative to the place.
func (p *place) write(files map[string]string) *place {
	p.Helper()
	for name, text := range files {
		full := p.path(name)
		if strings.HasSuffix(name, "/") {
			p.must(os.MkdirAll(full, 0o755))
			continue
		}
		p.must(os.MkdirAll(filepath.Dir(full), 0o755))
		if target, ok := strings.CutPrefix(text, "-> "); ok {
			p.must(os.Symlink(target, full))
			continue
		}
		p.must(os.WriteFile(full, []byte(text), 0o644))
		p.must(os.Chtimes(full, time.Unix(1e9, 0), time.Unix(1e9, 0)))
	}
	return p
}

func (p *place) must(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

// conf fills a configuration in: @DIR@ is the place. Root serves as root unless
// the text says otherwise.
func (p *place) conf(text string) string {
	head := "use chroot = no\nmunge symlinks = unset\n"
	if os.Geteuid() == 0 {
		head += "uid = 0\ngid = 0\n"
	}
	return head + strings.ReplaceAll(text, "@DIR@", p.dir)
}

// server is a daemon of ours under test.
type server struct {
	addr string
	ln   net.Listener
	log  *buffer
	stop func() error // ends it and returns what Serve did
}

// ours serves a configuration; change may set fields of the server.
func (p *place) ours(text string, change func(*daemon.Server)) *server {
	p.Helper()
	cfg, err := conf.Parse("rsyncd.conf", []byte(text), nil)
	p.must(err)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	p.must(err)
	s := &server{addr: ln.Addr().String(), ln: ln, log: &buffer{}}
	srv := &daemon.Server{Config: cfg, Log: slog.New(daemon.NewLogHandler(s.log)), Umask: 0o022, Grace: time.Second}
	srv.Worker = func(ctx context.Context, conn *os.File, job daemon.Job) error {
		return daemon.Spawn(ctx, conn, job, s.log, "worker")
	}
	if change != nil {
		change(srv)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx, ln) }()
	s.stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	p.Cleanup(func() {
		if err := s.stop(); err != nil {
			p.Errorf("Serve: %v", err)
		}
		if log := s.log.String(); strings.Contains(log, "fault of this program") {
			p.Errorf("a session panicked:\n%s", log)
		} else if p.Failed() {
			p.Logf("our daemon's log:\n%s", log)
		}
	})
	return s
}

// debian serves a configuration with Debian's rsync and returns its address.
func (p *place) debian(text string) string {
	p.Helper()
	addr := ownport.HoldAddress(p)
	_, port, _ := net.SplitHostPort(addr)
	file := p.path("rsyncd.conf")
	p.must(os.WriteFile(file, []byte("log file = "+p.path("rsyncd.log")+"\n"+text), 0o644))
	cmd := exec.Command("rsync", "--daemon", "--no-detach", "--address=127.0.0.1", "--port="+port, "--config="+file)
	if err := cmd.Start(); err != nil {
		p.Fatalf("the tests need rsync (scripts/deps.sh installs it): %v", err)
	}
	p.Cleanup(func() {
		_ = cmd.Process.Kill() // SIGTERM makes it sleep a second
		_ = cmd.Wait()
		if p.Failed() {
			log, _ := os.ReadFile(p.path("rsyncd.log"))
			p.Logf("rsync's log:\n%s", log)
		}
	})
	for range 1000 {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
			return addr
		}
		time.Sleep(10 * time.Millisecond)
	}
	p.Fatalf("rsync does not listen on %s", addr)
	return ""
}

// rsync runs Debian's client; @URL@ in its arguments is rsync://addr.
func (p *place) rsync(addr string, args ...string) (string, int) {
	p.Helper()
	return p.rsyncAs("", addr, args...)
}

// read returns what a file holds, "" if it is not there.
func (p *place) read(name string) string {
	text, _ := os.ReadFile(p.path(name))
	return string(text)
}

// rsyncAs is rsync with a password.
func (p *place) rsyncAs(password, addr string, args ...string) (string, int) {
	p.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	full := make([]string, len(args))
	for i, a := range args {
		full[i] = strings.ReplaceAll(strings.ReplaceAll(a, "@URL@", "rsync://"+addr), "@DIR@", p.dir)
	}
	cmd := exec.CommandContext(ctx, "rsync", full...)
	cmd.Dir = p.dir
	if password != "" {
		cmd.Env = append(os.Environ(), "RSYNC_PASSWORD="+password)
	}
	out, err := cmd.CombinedOutput()
	var ee *exec.ExitError
	switch {
	case ctx.Err() != nil:
		p.Fatalf("rsync %q hangs; so far:\n%s", full, out)
	case err != nil && !errors.As(err, &ee):
		p.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// tree describes what is in a folder, a line a file.
func (p *place) tree(name string) string {
	p.Helper()
	var b strings.Builder
	root := p.path(name)
	err := filepath.WalkDir(root, func(full string, d fs.DirEntry, err error) error {
		if err != nil || full == root {
			return err
		}
		rel, _ := filepath.Rel(root, full)
		switch {
		case d.IsDir():
			rel += "/"
		case d.Type() == fs.ModeSymlink:
			target, err := os.Readlink(full)
			if err != nil {
				return err
			}
			rel += " -> " + target
		default:
			text, err := os.ReadFile(full)
			if err != nil {
				return err
			}
			rel += fmt.Sprintf(" = %.40q", text)
		}
		fmt.Fprintln(&b, rel)
		return nil
	})
	p.must(err)
	return b.String()
}

// buffer is a bytes.Buffer for several goroutines.
type buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// eventually waits for something to become true.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if f() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

// withMotd gives the server the message of the day in the place.
func withMotd(p *place) func(*daemon.Server) {
	return func(s *daemon.Server) {
		s.Motd = func() string {
			text, _ := os.ReadFile(p.path("motd"))
			return string(text) + "\n"
		}
	}
}

// modes is tree with the permission bits of files and folders in front.
func (p *place) modes(name string) string {
	p.Helper()
	var b strings.Builder
	for line := range strings.Lines(p.tree(name)) {
		file, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " = ")
		info, err := os.Lstat(filepath.Join(p.path(name), strings.Split(file, " -> ")[0]))
		if err != nil || info.Mode().Type() == fs.ModeSymlink {
			b.WriteString(line)
			continue
		}
		fmt.Fprintf(&b, "%v %s", info.Mode(), line)
	}
	return b.String()
}

// lchtimes gives a link the time of the other files.
func lchtimes(name string) error {
	ts := []unix.Timespec{{Sec: 1e9}, {Sec: 1e9}}
	return unix.UtimesNanoAt(unix.AT_FDCWD, name, ts, unix.AT_SYMLINK_NOFOLLOW)
}
