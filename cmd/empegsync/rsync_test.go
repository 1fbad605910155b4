package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/empegsync/empegsync/pkg/ownport"
)

// twin is two equal folders, one for Debian's rsync and one for ours, each with
// src and dst, a remote shell that stays here, and a daemon for both.
type twin struct {
	dir  string
	addr string
	ours string // our binary under rsync's name
}

// names of the two folders, which are those of the daemon's modules
var sides = []string{"real", "ours"}

func newTwin(t *testing.T) *twin {
	t.Helper()
	w := &twin{dir: tempDir(t)}
	w.ours = filepath.Join(w.dir, "bin", "rsync")
	must(t, os.Mkdir(filepath.Dir(w.ours), 0o755))
	must(t, os.Symlink(os.Getenv(binaryVar), w.ours))
	must(t, os.WriteFile(w.dir+"/rsh", []byte("#!/bin/sh\nshift\nexec \"$@\"\n"), 0o755))
	config := filepath.Join(w.dir, "rsyncd.conf")
	text := "use chroot = no\nread only = no\nmunge symlinks = no\n"
	if os.Geteuid() == 0 {
		text += "uid = 0\ngid = 0\n"
	}
	for _, side := range sides {
		text += fmt.Sprintf("[%s]\npath = %s/%s\ncomment = the %[1]s one\n", side, w.dir, side)
	}
	must(t, os.WriteFile(config, []byte(text), 0o644))
	w.addr = debianDaemon(t, config)
	return w
}

// debianDaemon serves a configuration by Debian's rsync, a process for each
// connection, and returns its address.
func debianDaemon(t *testing.T, config string, flags ...string) (addr string) {
	t.Helper()
	return listen(t, func(conn *net.TCPConn) {
		f, err := conn.File()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) { // as at the test's end
				t.Error(err)
			}
			return
		}
		defer f.Close()
		cmd := exec.Command("rsync", append([]string{"--daemon", "--config=" + config}, flags...)...)
		cmd.Stdin = f
		_ = cmd.Run() // how it went is the client's to say
	})
}

// fill makes the folders anew.
func (w *twin) fill(t *testing.T) {
	t.Helper()
	const then = 1_000_000_000
	for _, side := range sides {
		top := filepath.Join(w.dir, side)
		must(t, os.RemoveAll(top))
		for name, text := range map[string]string{
			"src/big": strings.Repeat("0123456789", 12345), "src/d/f": "x\n", "src/d/e/g": "some more\n", "src/empty file": "",
			"src/new": strings.Repeat("n", 32768), "src/touched": "the same", "src/old": "1",
			"dst/d/f": "y\n", "dst/gone": "gone", "dst/going/too": "gone", "dst/touched": "the same", "dst/old": "2",
		} {
			name = filepath.Join(top, name)
			must(t, os.MkdirAll(filepath.Dir(name), 0o755))
			must(t, os.WriteFile(name, []byte(text), 0o644))
		}
		must(t, os.Mkdir(top+"/src/empty", 0o700))
		must(t, os.Symlink("big", top+"/src/l"))
		old := []unix.Timespec{{Sec: then}, {Sec: then}}
		must(t, unix.UtimesNanoAt(unix.AT_FDCWD, top+"/src/l", old, unix.AT_SYMLINK_NOFOLLOW))
		for _, name := range []string{"dst/gone", "dst/going/too", "dst/going"} {
			must(t, os.Chtimes(filepath.Join(top, name), time.Unix(then, 0), time.Unix(then, 0)))
		}
		must(t, os.Chmod(top+"/dst/touched", 0o600))
		for i, name := range []string{"src/big", "src/d/f", "src/d/e/g", "src/empty file", "src/new", "src/touched", "src/old", "dst/touched", "dst/old"} {
			at := time.Unix(then+int64(i), 0)
			must(t, os.Chtimes(filepath.Join(top, name), at, at))
		}
		must(t, os.Chtimes(top+"/dst/touched", time.Unix(then+5, 0), time.Unix(then+5, 0)))
		for _, name := range []string{"src/d/e", "src/d", "src/empty", "src", "dst/d", "dst"} {
			must(t, os.Chtimes(filepath.Join(top, name), time.Unix(then, 0), time.Unix(then, 0)))
		}
	}
}

// run runs one of the two with a command line in its own folder. SHELL: stands
// for a place behind the remote shell, DAEMON: for one of the daemon.
func (w *twin) run(t *testing.T, side, line string) result {
	t.Helper()
	program := map[string]string{"real": "rsync", "ours": w.ours}[side]
	var args []string
	args = append(args, "-e", "sh "+w.dir+"/rsh")
	if strings.Contains(line, "DAEMON:") {
		args = args[:len(args)-2]
	}
	r := strings.NewReplacer("SHELL:", "host:", "DAEMON:", "rsync://"+w.addr+"/"+side+"/", "DAEMONS", "rsync://"+w.addr+"/")
	for _, word := range strings.Split(line, " ") {
		args = append(args, r.Replace(word))
	}
	cmd := exec.Command(program, args...)
	cmd.Dir = filepath.Join(w.dir, side)
	return start(t, cmd).wait()
}

// comparable takes out of an output what no two runs have in common, and puts
// deletions first, by name: when a line of the side that deletes comes through
// is up to chance.
func comparable(out string) []string {
	for _, r := range []struct{ from, to string }{
		{`[0-9.,KM]+ bytes/sec`, "RATE bytes/sec"},
		{` +[0-9.]+[kMG]B/s +[0-9:?]+`, " RATE TIME"},
		{`(sent|received) [0-9.,K]+ bytes`, "$1 N bytes"},
		{`([.]iL)s(f)`, "$1$2"}, // names are never converted here
		{`(127.0.0.1 port) \d+`, "$1 N"}, {` (real|ours)/`, " SIDE/"},
		{`speedup is [0-9.,K]+`, "speedup is S"},
		{`(Total bytes sent|Total bytes received|File list size|File list generation time|File list transfer time): .*`, "$1"},
	} {
		out = regexp.MustCompile(r.from).ReplaceAllString(out, r.to)
	}
	var deleted, rest []string
	for l := range strings.SplitSeq(strings.ReplaceAll(out, "\r", "^"), "\n") {
		if strings.Contains(l, "^") { // a line that is rewritten
			parts := strings.Split(l, "^")
			for i := range parts {
				parts[i] = strings.TrimRight(parts[i], " ")
			}
			l = strings.Join(slices.Compact(parts), "^")
		}
		if strings.Contains(l, "deleting ") || strings.Contains(l, "_del.") || strings.Contains(l, "del._") || strings.Contains(l, "|del.|") || strings.HasSuffix(l, "touched") {
			deleted = append(deleted, l)
		} else {
			rest = append(rest, l)
		}
	}
	slices.Sort(deleted)
	return append(deleted, rest...)
}

// TestRsyncOutput compares our standard output and exit code with those of
// Debian's rsync on the same job, line by line.
func TestRsyncOutput(t *testing.T) {
	t.Parallel()
	w := newTwin(t)
	for _, flags := range []string{
		"-av", "-avi --delete", "-aii", "-a --stats", "-avh --stats -I", "-a --progress --delete", "-avn --delete", "-aq --delete -v",
		"-av --delete-after", "-av --no-i-r --delete-before", "-ai --stats --no-inc-recursive", "-av --progress --no-i-r",
		"-rltv --existing", "-acv --exclude=d", "-av --delete --exclude=going", "-rlti --no-t -u --protocol=29", "-a --stats --protocol=28", "-vd -l",
	} {
		for _, way := range []string{"src/ dst/", "SHELL:src/ dst/", "src/ SHELL:dst/", "DAEMON:src/ dst/", "src/ DAEMON:dst/"} {
			w.same(t, flags+" "+way)
		}
	}
}

// TestRsyncCommandLines does the same for what is special about a line.
func TestRsyncCommandLines(t *testing.T) {
	t.Parallel()
	w := newTwin(t)
	for _, line := range []string{
		"-av src new/", "-av SHELL:src new", "-av src SHELL:new", "-av src/d src/big src/l dst", "-av SHELL:src/d :src/big new/", // folders made, several sources
		"-av src/big new", "-av src/big dst/old", "-v SHELL:src/big new", "-av src/old SHELL:new", // single files
		"-l src/", "-l SHELL:src/", "DAEMON:src/", "-a --list-only src", "-r --no-h -l SHELL:src", "-hl src/", "-av SHELL:src/big", "DAEMONS", // lists
		"-a src/ no/such/folder", "-anv src/ no/such/folder", "-anv src SHELL:no/such", "-a SHELL:src no/such/folder", "-a src SHELL:no/such/folder", "-av nothing dst/", "-av SHELL:nothing dst", "-a DAEMON:nothing dst",
		"-a SHELL:src SHELL:dst", "-a SHELL:src src dst", "-a src SHELL:src dst", "--nonsense a b", "-a src src/big", "-a src/d dst/old", "src SHELL:", "-v src dst",
		"-a --delete-before --delete-after src/ dst/", "-a --exclude-from=nothing src/ dst/", "--delete src/ dst/",
	} {
		w.same(t, line)
	}
}

// same runs both.
func (w *twin) same(t *testing.T, line string) {
	t.Run(line, func(t *testing.T) {
		w.fill(t)
		want, got := w.run(t, "real", line), w.run(t, "ours", line)
		if d := cmp.Diff(comparable(want.out), comparable(got.out)); d != "" || want.code != got.code {
			t.Errorf("-rsync +ours:\n%s\nexit codes %d and %d\nrsync says:\n%s\nours says:\n%s", d, want.code, got.code, want.err, got.err)
		}
		if got.code != 0 && !strings.Contains(got.err, fmt.Sprintf("(code %d)", got.code)) {
			t.Errorf("the error names no code:\n%s", got.err)
		}
		if d := cmp.Diff(tree(t, w.dir+"/real/dst"), tree(t, w.dir+"/ours/dst")); d != "" {
			t.Errorf("the folders differ, -rsync +ours:\n%s", d)
		}
	})
}

// tree lists a folder's files with mode and size.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	out, err := exec.Command("find", dir, "-printf", "%P %M %s %l\n").Output()
	must(t, err)
	lines := strings.Split(string(out), "\n")
	kept := lines[:0]
	for _, l := range lines {
		if !strings.Contains(l, " d") { // a folder's size is its file system's business
			kept = append(kept, l)
		}
	}
	slices.Sort(kept)
	return kept
}

// TestRsyncRefuses: what is not done is refused by name.
func TestRsyncRefuses(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"-a --copy-as=x . b": "--copy-as",
	} {
		r := call(t, append([]string{"rsync"}, strings.Fields(line)...)...)
		if r.code != 4 || r.out != "" || !strings.Contains(r.err, want) {
			t.Errorf("rsync %s: %s", line, r)
		}
	}
	if r := call(t, "rsync", "--help"); r.code != 0 || !strings.Contains(r.out, "HOST::SRC") || !strings.Contains(r.out, "--rsync-path") {
		t.Errorf("--help: %s", r)
	}
	if r := call(t, "rsync"); r.code != 1 || !strings.Contains(r.err, "Usage: rsync") {
		t.Errorf("nothing: %s", r)
	}
}

// TestRsyncDaemonOverShell serves modules behind a remote shell, to Debian's
// rsync and to ours.
func TestRsyncDaemonOverShell(t *testing.T) {
	t.Parallel()
	w := newTwin(t)
	w.fill(t)
	config := filepath.Join(w.dir, "shell.conf")
	must(t, os.WriteFile(config, fmt.Appendf(nil, "[mod]\npath = %s/real/src\ncomment = music\nuid = %d\ngid = %d\n[wrong]\npath = %[1]s/nonexistent\nuid = %[2]d\ngid = %[3]d\n",
		w.dir, os.Geteuid(), os.Getegid()), 0o644))
	shell := fmt.Sprintf("sh %s/rsh --", w.dir)
	must(t, os.WriteFile(w.dir+"/rsh", []byte("#!/bin/sh\nexec "+w.ours+" --server --daemon --config="+config+" .\n"), 0o755))
	for i, program := range []string{"rsync", w.ours} {
		list := start(t, exec.Command(program, "-e", shell, "host::")).wait()
		if list.code != 0 || !strings.Contains(list.out, "mod            \tmusic\n") {
			t.Errorf("%s, list: %s", program, list)
		}
		dst := fmt.Sprintf("%s/copy%d", w.dir, i)
		r := start(t, exec.Command(program, "-a", "-e", shell, "host::mod/", dst)).wait()
		r.expect(t, 0)
		if d := cmp.Diff(tree(t, w.dir+"/real/src"), tree(t, dst)); d != "" {
			t.Errorf("%s: -module +copy:\n%s", program, d)
		}
		if r := start(t, exec.Command(program, "-a", "-e", shell, "host::wrong/", dst)).wait(); r.code != 5 || !strings.Contains(r.err, "@ERROR") {
			t.Errorf("%s, a module without its folder: %s", program, r)
		}
	}
}

// TestRsyncDaemon is the daemon under rsync's name.
func TestRsyncDaemon(t *testing.T) {
	t.Parallel()
	w := newTwin(t)
	w.fill(t)
	config := filepath.Join(w.dir, "own.conf")
	must(t, os.WriteFile(config, fmt.Appendf(nil, "[mod]\npath = %s/real/src\nuid = %d\ngid = %d\n", w.dir, os.Geteuid(), os.Getegid()), 0o644))
	addr := ownport.HoldAddress(t)
	_, port, err := net.SplitHostPort(addr)
	must(t, err)
	p := start(t, exec.Command(w.ours, "--daemon", "--no-detach", "--config="+config, "--address=127.0.0.1", "--port="+port))
	until(t, "the daemon listens", func() bool {
		r := start(t, exec.Command("rsync", "-a", "rsync://"+addr+"/mod/", w.dir+"/copy")).wait()
		return r.code == 0
	})
	if d := cmp.Diff(tree(t, w.dir+"/real/src"), tree(t, w.dir+"/copy")); d != "" {
		t.Errorf("-module +copy:\n%s", d)
	}
	p.signal(15)
	if r := p.wait(); r.code != 0 {
		t.Errorf("stopped: %s", r)
	}
}

// TestRsyncDaemonDetaches has it go into the background: it listens when the
// command ends, whose streams it has let go of.
func TestRsyncDaemonDetaches(t *testing.T) {
	t.Parallel()
	w := newTwin(t)
	config, pidFile := filepath.Join(w.dir, "own.conf"), filepath.Join(w.dir, "pid")
	text := fmt.Appendf(nil, "pid file = %s\n[mod]\npath = /\nuid = %d\ngid = %d\n", pidFile, os.Geteuid(), os.Getegid())
	must(t, os.WriteFile(config, text, 0o644))
	addr := ownport.HoldAddress(t)
	_, port, err := net.SplitHostPort(addr)
	must(t, err)
	words := []string{"--daemon", "--config=" + config, "--address=127.0.0.1", "--port=" + port}
	start(t, exec.Command(w.ours, words...)).wait().expect(t, 0) // which waits for its pipes to be closed
	text, err = os.ReadFile(pidFile)
	must(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	must(t, err)
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	list := start(t, exec.Command("rsync", "rsync://"+addr)).wait()
	if list.code != 0 || !strings.Contains(list.out, "mod            \t") {
		t.Errorf("the list: %s", list)
	}
	r := start(t, exec.Command(w.ours, words...)).wait()
	if r.code == 0 || !strings.Contains(r.err, "in use") {
		t.Errorf("a second one: %s", r)
	}
	must(t, syscall.Kill(pid, syscall.SIGTERM))
	until(t, "the daemon has gone", func() bool {
		_, err := os.Stat(pidFile)
		return os.IsNotExist(err)
	})
}

// TestDryRunCounts: what a dry run would bring is counted as rsync counts it, by
// either side.
func TestDryRunCounts(t *testing.T) {
	t.Parallel()
	n := newNights(t)
	far := "host:" + n.src + "/"
	for _, way := range [][]string{{far, n.dst}, {n.src + "/", "host:" + n.dst}, {n.src + "/", n.dst}} {
		words := append([]string{"-an", "--stats", "-e", n.shell}, way...)
		ours, theirs := call(t, append([]string{"rsync"}, words...)...), start(t, exec.Command("rsync", words...)).wait()
		for _, line := range []string{"Number of regular files transferred: 8", "Total transferred file size: 800,000 bytes"} {
			if !strings.Contains(ours.out, line) || !strings.Contains(theirs.out, line) {
				t.Errorf("%q lacks %q: ours %s, rsync's %s", way, line, ours, theirs)
			}
		}
	}
}
