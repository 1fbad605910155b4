package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/ownport"
	"github.com/empegsync/empegsync/pkg/rsync/client"
	"github.com/empegsync/empegsync/pkg/rsync/conf"
	"github.com/empegsync/empegsync/pkg/rsync/daemon"
	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
	"github.com/empegsync/empegsync/pkg/rsync/server"
	"github.com/empegsync/empegsync/pkg/rsync/session"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
)

// patience is how long a run may take before it is taken for one that hangs, on
// a machine that does much else.
const patience = 4 * time.Minute

// sandbox has a source and a destination folder, and something that serves one
// of them as the module "mod".
type sandbox struct {
	t        testing.TB
	dir      string
	src, dst string
	addr     string // host:port of the daemon
	log      *lockedBuffer
}

func newSandbox(t testing.TB) *sandbox {
	t.Helper()
	dir := t.TempDir()
	s := &sandbox{t: t, dir: dir, src: filepath.Join(dir, "src"), dst: filepath.Join(dir, "dst"), log: &lockedBuffer{}}
	for _, d := range []string{s.src, s.dst} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// ours serves path with our daemon.
func (s *sandbox) ours(path string, extra ...string) {
	s.t.Helper()
	text := fmt.Sprintf("uid = %d\ngid = %d\nmunge symlinks = no\n[mod]\npath = %s\nread only = no\nuse chroot = no\n%s\n", os.Geteuid(), os.Getegid(), path, strings.Join(extra, "\n"))
	cfg, err := conf.Parse("rsyncd.conf", []byte(text), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	s.addr = ln.Addr().String()
	srv := &daemon.Server{Config: cfg, Log: slog.New(slog.NewTextHandler(s.log, nil)), Umask: 0o022, Grace: time.Second}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx, ln) }()
	s.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Errorf("daemon: %v", err)
		}
		if s.t.Failed() {
			s.t.Logf("daemon's log:\n%s", s.log.String())
		}
	})
}

// debian serves path with Debian's rsync.
func (s *sandbox) debian(path string, extra ...string) {
	s.t.Helper()
	port := ownport.Hold(s.t)
	s.addr = fmt.Sprintf("127.0.0.1:%d", port)
	cfg := filepath.Join(s.dir, "rsyncd.conf")
	text := fmt.Sprintf("munge symlinks = no\nlog file = %s/rsyncd.log\n[mod]\npath = %s\nread only = no\nuse chroot = no\n%s\n",
		s.dir, path, strings.Join(extra, "\n"))
	if os.Geteuid() == 0 { // others may not even ask for what they are
		text = "uid = 0\ngid = 0\n" + text
	}
	if err := os.WriteFile(cfg, []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command("rsync", "--daemon", "--no-detach", "--address=127.0.0.1", fmt.Sprintf("--port=%d", port), "--config="+cfg)
	cmd.Stderr = s.log
	if err := cmd.Start(); err != nil {
		s.t.Fatalf("the tests need rsync (scripts/deps.sh installs it): %v", err)
	}
	s.t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
		if s.t.Failed() {
			log, _ := os.ReadFile(filepath.Join(s.dir, "rsyncd.log"))
			s.t.Logf("rsync's log:\n%s%s", log, s.log.String())
		}
	})
	waitListening(s.t, s.addr)
}

func waitListening(t testing.TB, addr string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("nothing listens on %s", addr)
}

// rsync runs Debian's rsync and returns its output and exit code.
func (s *sandbox) rsync(args ...string) (string, int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "rsync", args...)
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		s.t.Fatalf("rsync %s hangs; so far:\n%s", strings.Join(args, " "), out)
	}
	var ee *exec.ExitError
	if err != nil && !errors.As(err, &ee) {
		s.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func (s *sandbox) url(path string) string { return "rsync://" + s.addr + "/mod" + path }

// run runs our client with an rsync command line: options, then source and
// destination, one of which is a module of the sandbox.
func (s *sandbox) run(args ...string) (*recorder, transfer.Stats, error) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	opt, err := options.Parse(args)
	if err != nil {
		s.t.Fatal(err)
	}
	rec := &recorder{}
	c := &client.Client{Options: opt, Umask: 0o022, Observer: rec, Say: func(string) {}, Agreed: func(a session.Agreed) { rec.caps = a.Caps }}
	var froms []client.Remote
	for _, a := range opt.Args[:len(opt.Args)-1] {
		if r, ok, err := client.ParseRemote(a); err != nil {
			s.t.Fatal(err)
		} else if ok {
			froms = append(froms, r)
		}
	}
	last := opt.Args[len(opt.Args)-1]
	if len(froms) > 0 {
		st, err := c.Pull(ctx, froms, transfer.Dest{Root: s.root("/"), Path: last})
		return rec, st, err
	}
	to, ok, err := client.ParseRemote(last)
	if err != nil || !ok {
		s.t.Fatalf("%q: %v", last, err)
	}
	sources, done, err := server.OpenSources(opt.Args[:len(opt.Args)-1], opt)
	if err != nil {
		s.t.Fatal(err)
	}
	defer done()
	st, err := c.Push(ctx, sources, to)
	return rec, st, err
}

func (s *sandbox) root(p string) *rootfs.Root {
	s.t.Helper()
	r, err := rootfs.Open(p)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { r.Close() })
	return r
}

// recorder is an observer that keeps what it hears.
type recorder struct {
	lockedBuffer
	caps proto.Caps // what the two sides have agreed on
}

func (r *recorder) Listed(int, bool) {}
func (r *recorder) Item(e *filelist.Entry, f proto.Item) {
	fmt.Fprintf(r, "item %04x %s\n", f, e.Path())
}
func (r *recorder) Data(*filelist.Entry, int64)   {}
func (r *recorder) Deleted(p string, mode uint32) { fmt.Fprintf(r, "deleted %s\n", p) }
func (r *recorder) Message(tag proto.Tag, text string) {
	fmt.Fprintf(r, "message %d %s\n", tag, text)
}

// write makes a file with content and time.
func (s *sandbox) write(path string, content []byte, mtime int64) {
	s.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		s.t.Fatal(err)
	}
	at := time.Unix(mtime, 123_456_789)
	if err := os.Chtimes(path, at, at); err != nil {
		s.t.Fatal(err)
	}
}

// snapshot describes everything in a tree, a line a file; names of one file
// say which of them comes first.
func snapshot(t testing.TB, root string) string {
	t.Helper()
	lines, err := describe(root)
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// describe is snapshot for a tree in which somebody may still be at work.
func describe(root string) (string, error) {
	var lines []string
	first := map[uint64]string{}
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, p)
		info, err := d.Info()
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		line := fmt.Sprintf("%-30s %v %d:%d %d", rel, info.Mode(), st.Uid, st.Gid, info.ModTime().Unix())
		switch {
		case info.Mode().IsRegular():
			data, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" %d bytes %x", len(data), sum(data))
			if name, ok := first[st.Ino]; ok {
				line += " the same as " + name
			}
			first[st.Ino] = rel
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(p)
			if err != nil {
				return err
			}
			line += " -> " + target
		case info.Mode()&fs.ModeDevice != 0:
			line += fmt.Sprintf(" dev %x", st.Rdev)
		}
		lines = append(lines, line)
		return nil
	})
	sort.Strings(lines)
	return strings.Join(lines, "\n"), err
}

func sum(p []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, b := range p {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return h
}

// sameTrees fails the test if the two trees differ, and shows where.
func sameTrees(t testing.TB, want, got string) {
	t.Helper()
	a, b := strings.Split(snapshot(t, want), "\n"), strings.Split(snapshot(t, got), "\n")
	in := func(l string, list []string) bool {
		i := sort.SearchStrings(list, l)
		return i < len(list) && list[i] == l
	}
	var diff []string
	for _, l := range a {
		if !in(l, b) {
			diff = append(diff, "- "+l)
		}
	}
	for _, l := range b {
		if !in(l, a) {
			diff = append(diff, "+ "+l)
		}
	}
	if len(diff) > 0 {
		t.Errorf("the trees differ (- is %s, + is %s):\n%s", want, got, strings.Join(diff[:min(len(diff), 20)], "\n"))
	}
}

// lockedBuffer is a buffer for several writers.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

var _ io.Writer = (*lockedBuffer)(nil)
