//go:build !board

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// As http-replicator's own script starts it: root, with --daemon, --log, --pid and
// --user together, and names from the folder it stands in. The command ends when
// the cache listens, whose streams it has let go of; the cache is the other user's,
// and so are its log, which only root could make, and the files.
func TestCacheDaemon(t *testing.T) {
	t.Parallel()
	const nobody, path = 65534, "/distfiles/logrotate-3.7.8.tar.gz"
	dir := tempDir(t)
	must(t, os.Chmod(filepath.Dir(dir), 0o755)) // a test's folder is shut to others
	must(t, os.Mkdir(dir+"/cache", 0o755))
	owner := os.Getuid()
	if owner == 0 {
		owner = nobody
		must(t, os.Chown(dir+"/cache", nobody, nobody))
	}
	must(t, os.WriteFile(dir+"/conf", []byte("port = 0\naddress = 127.0.0.1\nprivate hosts = 127.0.0.1\nmanifests = none\nmin free = 0\naccess log = asked\n"), 0o644))
	must(t, os.WriteFile(dir+"/confd", fmt.Appendf(nil, "GENERAL_OPTS=\"--dir cache --user %d\"\nDAEMON_OPTS=\"--daemon --log log --pid pid\"\n", owner), 0o644))
	body := bytes.Repeat([]byte("0123456789abcdef"), 5000)
	up := newOrigin(t, map[string][]byte{path: body})

	run := func() result {
		cmd := empegsync("cache", "--confd", "confd", "--config", "conf")
		cmd.Dir = dir
		return start(t, cmd).wait() // which waits for its pipes to be closed
	}
	first := run()
	text, err := os.ReadFile(dir + "/pid")
	must(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	must(t, err)
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	rest, ok := strings.CutPrefix(first.out, fmt.Sprintf("process %d is listening on ", pid))
	at, _, _ := strings.Cut(rest, ",")
	if !ok || first.code != 0 {
		t.Fatalf("the command says %s", first)
	}
	if got, _, err := fetched(proxied(&server{addr: at}), up.URL+path); err != nil || !bytes.Equal(got, body) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	for name, want := range map[string]string{"cache" + path: "0123456789", "log": "starting, listening on", "asked": "GET " + up.URL + path} {
		// Each is there a moment after the answer.
		until(t, name+" with "+want, func() bool {
			got, err := os.ReadFile(filepath.Join(dir, name))
			return err == nil && strings.Contains(string(got), want)
		})
		var st syscall.Stat_t
		must(t, syscall.Stat(filepath.Join(dir, name), &st))
		if int(st.Uid) != owner {
			t.Errorf("%s belongs to %d", name, st.Uid)
		}
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if want := fmt.Sprintf("\nUid:\t%d\t%[1]d\t%[1]d\t%[1]d\n", owner); err != nil || !strings.Contains(string(status), want) {
		t.Errorf("%v: %s", err, status)
	}
	if cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid)); err != nil || cwd != "/" {
		t.Errorf("it stays in %s, %v", cwd, err)
	}
	if second := run(); second.code == 0 || !strings.Contains(second.err, fmt.Sprintf("names process %d", pid)) {
		t.Errorf("a second one: %s", second)
	}
	must(t, syscall.Kill(pid, syscall.SIGTERM))
	until(t, "its end", func() bool {
		text, err := os.ReadFile(dir + "/log")
		return err == nil && strings.Contains(string(text), "msg=stopped")
	})
	must(t, os.RemoveAll(dir+"/pid")) // which lies in root's folder
	must(t, os.Chmod(dir+"/log", 0))  // root's own, or nobody's
	must(t, os.Chown(dir+"/log", os.Getuid(), os.Getgid()))
	if third := run(); third.code == 0 || !strings.Contains(third.err, "log file cannot be written") {
		t.Errorf("with a log that it may not write: %s", third)
	}
}
