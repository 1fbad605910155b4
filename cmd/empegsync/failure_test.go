package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/ownport"
	"github.com/empegsync/empegsync/pkg/player/playertest"
)

// What goes wrong before anything is changed is told in one line and leaves
// every file alone.
func TestPullFailsUnharmed(t *testing.T) {
	other := func(t *testing.T, modules string) string {
		return serveConfig(t, fmt.Sprintf("[music]\npath = /\n%s", modules)).addr
	}
	tests := []struct {
		name  string
		addr  func(t *testing.T, master string) string
		args  []string
		code  int
		words []string
	}{
		{"nobody listens", func(t *testing.T, _ string) string { return ownport.HoldAddress(t) }, nil, 10, []string{"drive0: ", "connection refused"}},
		{"unknown host", func(*testing.T, string) string { return "no-such-host.invalid" }, nil, 10, []string{"drive0: ", "no-such-host.invalid"}},
		{"a web server", func(t *testing.T, _ string) string { return talker(t, "HTTP/1.0 400 Bad Request\r\n\r\n") }, nil,
			2, []string{"drive0: ", "HTTP/1.0 400 Bad Request"}},
		{"closes at once", func(t *testing.T, _ string) string { return talker(t, "") }, nil, 5, []string{"drive0: ", "EOF", "drive1: "}},
		{"refuses", func(t *testing.T, _ string) string { return talker(t, "@ERROR: max connections reached\n") }, nil,
			5, []string{"drive0: ", "max connections reached", "drive1: "}},
		{"says nothing", func(t *testing.T, _ string) string { return silent(t) }, []string{"--timeout=1"}, 30, []string{"drive0: ", "--timeout"}},
		{"wants a path", func(*testing.T, string) string { return "rsync://127.0.0.1/drive0" }, nil, 1, []string{"named by host and port only"}},
		{"old protocol", func(t *testing.T, m string) string { return ownport.HoldAddress(t) }, []string{"--protocol=12"}, 1, []string{"12"}},
		{"no such root", func(t *testing.T, _ string) string { return ownport.HoldAddress(t) }, []string{"--root=/nonexistent"}, 3, []string{"/nonexistent"}},
		{"no player", func(t *testing.T, _ string) string { return ownport.HoldAddress(t) }, []string{"--root=" + tempDir(t)}, 3, []string{"drive0", "--root"}},
		{"empty fids", func(t *testing.T, m string) string {
			must(t, os.RemoveAll(filepath.Join(m, "drive0/fids")))
			must(t, os.Mkdir(filepath.Join(m, "drive0/fids"), 0o755))
			must(t, os.RemoveAll(filepath.Join(m, "drive1")))
			return debian(t, m)
		}, nil, 3, []string{"drive0: ", "--allow-empty", "drive1: "}},
		{"no module", func(t *testing.T, _ string) string { return other(t, "") }, nil, 5,
			[]string{"drive0: ", "Unknown module 'drive0'", "drive1: ", "Unknown module 'drive1'"}},
		{"no fids", func(t *testing.T, m string) string {
			must(t, os.RemoveAll(filepath.Join(m, "drive0/fids")))
			must(t, os.RemoveAll(filepath.Join(m, "drive1/fids")))
			return other(t, fmt.Sprintf("[drive0]\npath = %s/drive0\n[drive1]\npath = %s/drive1\n", m, m))
		}, nil, 23, []string{"fids", "drive0: ", "drive1: "}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			master, slave := players(t, 20)
			addr := tt.addr(t, master)
			before := state(t, slave)
			r := call(t, append([]string{"pull", addr, "--root", slave}, tt.args...)...)
			if slices.Contains(tt.words, "drive1: ") { // a line for each drive at least
				r.contains(t, tt.code, tt.words...)
			} else {
				r.expect(t, tt.code, tt.words...)
			}
			untouched(t, before, slave)
			hasDatabase(t, slave, database()...)
		})
	}
}

// serveConfig serves an rsyncd.conf of this text.
func serveConfig(t testing.TB, text string) *server {
	t.Helper()
	file := filepath.Join(tempDir(t), "rsyncd.conf")
	own := fmt.Sprintf("uid = %d\ngid = %d\nuse chroot = no\n", os.Geteuid(), os.Getegid())
	must(t, os.WriteFile(file, []byte(own+text), 0o644))
	return serve(t, "--config", file)
}

// The drive that the master has is pulled even if it lacks the other.
func TestPullWithoutOneModule(t *testing.T) {
	t.Parallel()
	master, slave := players(t, 30)
	addr := serveConfig(t, fmt.Sprintf("[drive1]\npath = %s/drive1\n", master)).addr
	before := state(t, filepath.Join(slave, "drive0/fids"))
	r := call(t, "pull", addr, "--root", slave)
	r.expect(t, 5, "drive0: ", "Unknown module 'drive0'")
	untouched(t, before, filepath.Join(slave, "drive0/fids"))
	mine, theirs := contents(t, slave), contents(t, master)
	for name := range theirs {
		if strings.HasPrefix(name, "drive1/") && mine[name] != theirs[name] {
			t.Errorf("%s was not pulled", name)
		}
	}
	hasDatabase(t, slave)
}

func TestPullEmptyMaster(t *testing.T) {
	t.Parallel()
	master, slave := players(t, 30)
	for _, drive := range []string{"drive0", "drive1"} {
		fids := filepath.Join(master, drive, "fids")
		must(t, os.RemoveAll(fids))
		must(t, os.Mkdir(fids, 0o755))
	}
	addr := serve(t, "--root", master).addr
	before := state(t, slave)
	r := call(t, "pull", addr, "--root", slave)
	r.contains(t, 3, "drive0: the master's folder fids is empty", "drive1: the master's folder fids is empty")
	untouched(t, before, slave)
	call(t, "pull", addr, "--root", slave, "--allow-empty").expect(t, 0)
	equal(t, master, slave)
	if n := len(contents(t, slave)); n != 0 {
		t.Errorf("%d files are left", n)
	}
	hasDatabase(t, slave)
}

// inList is how many bytes a master sends until it is in the midst of its list,
// so that its client has not begun.
const inList = 300

// Two at a time would delete each other's files.
func TestPullTwoAtATime(t *testing.T) {
	t.Parallel()
	master, slave := players(t, 30)
	addr := serve(t, "--root", master).addr
	g := gate(t, addr, inList)
	first := start(t, empegsync("pull", g.addr, "--root", slave))
	g.stopped(t, first)
	before := state(t, slave)
	holder := fmt.Sprintf("(process %d)", first.Process.Pid)
	call(t, "pull", addr, "--root", slave).expect(t, 5, "another pull or reindex is at work", holder)
	call(t, "reindex", "--root", slave).expect(t, 1, "another pull or reindex is at work", holder)
	untouched(t, before, slave)
	g.release()
	first.wait().expect(t, 0)
	equal(t, master, slave)
}

// unreadable starts a daemon that cannot read files of mode 0, not even if the
// tests run as root.
func unreadable(t *testing.T, master string) string {
	t.Helper()
	cmd := empegsync("serve", "--address", "127.0.0.1:0", "--root", master)
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		for dir := filepath.Dir(master); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
			must(t, os.Chmod(dir, 0o755))
		}
	}
	return serveBy(t, cmd).addr
}

// What the master cannot read is told, the rest arrives, and nothing is deleted
// on account of it.
func TestPullUnreadable(t *testing.T) {
	t.Run("file", func(t *testing.T) {
		t.Parallel()
		master, slave := players(t, 30)
		fid := anyFid(t, master, "drive0")
		must(t, os.RemoveAll(filepath.Join(slave, fid))) // it may be new on the master
		unreadableFile := filepath.Join(master, fid)
		must(t, os.Chmod(unreadableFile, 0))
		addr := unreadable(t, master)
		r := call(t, "pull", addr, "--root", slave)
		r.contains(t, 23, strings.TrimPrefix(fid, "drive0/fids/"), "ermission denied")
		if _, err := os.Stat(filepath.Join(slave, fid)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the unreadable file: %v", err)
		}
		mended(t, unreadableFile, 0o644, addr, master, slave)
	})
	t.Run("folder", func(t *testing.T) {
		t.Parallel()
		master, slave := players(t, 30)
		folder := filepath.Join(master, "drive1/fids/_00000")
		must(t, os.Chmod(folder, 0))
		copied := filepath.Join(slave, "drive1/fids/_00000") // its mode is copied, too
		t.Cleanup(func() { must(t, errors.Join(os.Chmod(folder, 0o755), os.Chmod(copied, 0o755))) })
		before := contents(t, slave)
		addr := unreadable(t, master)
		r := call(t, "pull", addr, "--root", slave)
		r.contains(t, 23, "_00000", "ermission denied")
		must(t, os.Chmod(copied, 0o755))
		now := contents(t, slave)
		for name := range before {
			if _, still := now[name]; !still && strings.HasPrefix(name, "drive1/") {
				t.Errorf("%s was deleted", name)
			}
		}
		mended(t, folder, 0o755, addr, master, slave)
	})
}

// mended pulls once more when the master can be read.
func mended(t *testing.T, name string, mode fs.FileMode, addr, master, slave string) {
	t.Helper()
	must(t, os.Chmod(name, mode))
	call(t, "pull", addr, "--root", slave).expect(t, 0)
	equal(t, master, slave)
}

// The master's music changes between its list and the transfer, or during it:
// no file is torn, and the next pull puts it right.
func TestPullWhileMasterChanges(t *testing.T) {
	big := func(player string) string { return filepath.Join(player, "drive0/fids/_00ffe/ff0") }
	early, midway := inList, 700_000 // bytes from the master; the latter is in the big file's data
	tests := []struct {
		name   string
		after  int
		change func(file string) error
		codes  []int
	}{
		{"vanishes", early, os.Remove, []int{24}},
		{"grows", early, func(f string) error { return resize(f, 1_200_000) }, []int{0}},
		{"shrinks", early, func(f string) error { return resize(f, 10_000) }, []int{0}},
		{"is replaced", early, func(f string) error { return rewrite(f, 1_000_000, 'b') }, []int{0}},
		{"vanishes midway", midway, os.Remove, []int{0}},
		{"grows midway", midway, func(f string) error { return resize(f, 1_200_000) }, []int{0}},
		{"shrinks midway", midway, func(f string) error { return resize(f, 500_000) }, []int{0, 23}},
		{"is rewritten midway", midway, func(f string) error { return rewrite(f, 1_000_000, 'b') }, []int{0, 23}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			master, slave := players(t, 20)
			must(t, os.MkdirAll(filepath.Dir(big(master)), 0o755))
			must(t, rewrite(big(master), 1_000_000, 'a'))
			addr := serve(t, "--root", master).addr
			g := gate(t, addr, tt.after)
			p := start(t, empegsync("pull", g.addr, "--root", slave))
			g.stopped(t, p)
			must(t, tt.change(big(master)))
			later(t, big(master), filepath.Dir(big(master)))
			g.release()
			r := p.wait()
			if r.code != tt.codes[0] && r.code != tt.codes[len(tt.codes)-1] {
				t.Errorf("exit code not of %v: %s", tt.codes, r)
			}
			if text, err := os.ReadFile(big(slave)); err == nil && strings.Contains(string(text), "ab") {
				t.Errorf("the file is torn: %d bytes, 'b' from %d", len(text), strings.IndexByte(string(text), 'b'))
			}
			noLeftovers(t, slave)
			call(t, "pull", addr, "--root", slave).expect(t, 0)
			equal(t, master, slave)
			if _, err := playertest.Start(slave); err != nil {
				t.Error(err)
			}
		})
	}
}

// later gives what there is of the names another time: rsync compares seconds.
func later(t *testing.T, names ...string) {
	t.Helper()
	at := time.Now().Add(time.Hour)
	for _, name := range names {
		if err := os.Chtimes(name, at, at); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
}

// resize makes a file longer or shorter.
func resize(file string, size int64) error { return os.Truncate(file, size) }

// rewrite writes a file anew, in its place.
func rewrite(file string, size int, letter byte) error {
	text := make([]byte, size)
	for i := range text {
		text[i] = letter
	}
	return os.WriteFile(file, text, 0o644)
}
