package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestServeReload: a hangup has the configuration read again, by a daemon that
// has no terminal; a broken one changes nothing and is told of.
func TestServeReload(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	file, log := filepath.Join(dir, "rsyncd.conf"), filepath.Join(dir, "log")
	write := func(text string) {
		must(t, os.WriteFile(file, []byte("log file = "+log+"\nuse chroot = no\n"+text), 0o644))
	}
	write("[one]\npath = " + dir + "\n")
	cmd := empegsync("serve", "--address", "127.0.0.1:0", "--config", file)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	s := serveBy(t, cmd)
	list := func() string { return rsync(t, "/", "rsync://"+s.addr+"/").out }
	if got := list(); !strings.HasPrefix(got, "one") {
		t.Fatalf("at first: %q", got)
	}
	logged := func(want string) func() bool {
		return func() bool {
			text, _ := os.ReadFile(log)
			return strings.Contains(string(text), want)
		}
	}
	write("[two]\npath = " + dir + "\n")
	s.signal(syscall.SIGHUP)
	until(t, "the new configuration", logged("has been read again"))
	if got := list(); !strings.HasPrefix(got, "two") {
		t.Errorf("after a change: %q", got)
	}
	for text, want := range map[string]string{"[three]\nread onyl = no\n": file + ":4", "[three]\npath = /\nauth digest = none\n": "auth digest"} {
		write(text)
		s.signal(syscall.SIGHUP)
		until(t, "why not", logged(want))
		if got := list(); !strings.HasPrefix(got, "two") {
			t.Errorf("after a mistake: %q", got)
		}
	}
	s.signal(syscall.SIGTERM)
	s.wait().expect(t, 0)
}

// TestServeCheck: the whole configuration, and what is dangerous in it.
func TestServeCheck(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	file := filepath.Join(dir, "rsyncd.conf")
	const text = "max connections = 5\nuse chroot = yes\nread only = yes\nuid = nobody\ngid = nobody\nhosts allow =\nhosts deny  = *\npath = /\ncomment = the tree\n[portage]\nexclude = /distfiles /packages\n[up]\nread only = no\n"
	must(t, os.WriteFile(file, []byte(text), 0o644))
	r := call(t, "serve", "--check", "--config", file)
	for _, want := range []string{"[portage]\n", "\tmax connections = 5\n", "\thosts deny = *\n", "\texclude = /distfiles /packages\n", "\tuid = nobody\n"} {
		if !strings.Contains(r.out, want) {
			t.Errorf("lacks %q: %s", want, r)
		}
	}
	for _, want := range []string{file + `:6: "hosts allow" is empty`, file + ":12: module [up]: can be written to without a password"} {
		if r.code != 0 || !strings.Contains(r.err, want) {
			t.Errorf("does not warn that %q: %s", want, r)
		}
	}
	must(t, os.WriteFile(file, []byte(text+"auth digest = crc\n"), 0o644))
	call(t, "serve", "--check", "--config", file).expect(t, 1, file+":12", "auth digest")
}
