package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/ownspace"
)

// nights is a source and a folder for its backups.
type nights struct {
	t        *testing.T
	src, dst string
	shell    string // a remote shell that runs everything here
}

func newNights(t *testing.T) *nights {
	t.Helper()
	dir := t.TempDir()
	n := &nights{t: t, src: filepath.Join(dir, "src"), dst: filepath.Join(dir, "backups"), shell: "sh " + filepath.Join(dir, "rsh")}
	must(t, os.MkdirAll(n.src+"/d", 0o755))
	must(t, os.Mkdir(n.dst, 0o700))
	must(t, os.WriteFile(filepath.Join(dir, "rsh"), []byte("shift\nexec \"$@\"\n"), 0o644))
	for i := range 8 {
		n.write(fmt.Sprint("d/f", i), bytes.Repeat([]byte{byte(i)}, 100_000))
	}
	return n
}

func (n *nights) write(name string, data []byte) {
	n.t.Helper()
	must(n.t, os.WriteFile(filepath.Join(n.src, name), data, 0o644))
}

// source is the source as a machine behind the shell has it.
func (n *nights) source() []string { return []string{"-e", n.shell, "host:" + n.src + "/", n.dst} }

func (n *nights) backup(args ...string) result {
	n.t.Helper()
	return call(n.t, append([]string{"backup"}, args...)...)
}

func (n *nights) list(prefix string) []string {
	n.t.Helper()
	found, err := filepath.Glob(n.dst + "/" + prefix + "*")
	must(n.t, err)
	return found
}

func fileNumber(t testing.TB, name string) uint64 {
	t.Helper()
	info, err := os.Lstat(name)
	must(t, err)
	return info.Sys().(*syscall.Stat_t).Ino
}

func (n *nights) same() {
	n.t.Helper()
	if out, err := exec.Command("diff", "-r", n.src, n.dst+"/latest/").CombinedOutput(); err != nil {
		n.t.Errorf("%v\n%s", err, out)
	}
}

// TestBackupKilled kills a backup in the middle: nothing that is there changes,
// and the next run goes on with the files that had come.
func TestBackupKilled(t *testing.T) {
	t.Parallel()
	n := newNights(t)
	n.backup(n.source()...).expect(t, 0)
	before, err := os.Readlink(n.dst + "/latest")
	must(t, err)
	for i := range 8 {
		n.write(fmt.Sprint("d/new", i), bytes.Repeat([]byte{byte(i), 1}, 60_000))
	}
	p := start(t, empegsync(append([]string{"backup", "-M--bwlimit=200"}, n.source()...)...))
	until(t, "a second file has come", func() bool { return len(n.list(".unfinished-*/d/new")) > 1 })
	p.signal(syscall.SIGKILL)
	if r := p.wait(); r.code != -1 {
		t.Fatal(r)
	}
	if now, err := os.Readlink(n.dst + "/latest"); err != nil || now != before || len(n.list("2")) != 1 {
		t.Fatalf("latest is %q, was %q; %v", now, before, n.list("2"))
	}
	came := n.list(".unfinished-*/d/new")
	number := fileNumber(t, came[0])
	// The rsync at the other end may notice later that nobody listens.
	r := n.backup(append(n.source(), "--keep=last=1", "--verify")...)
	r.expect(t, 0)
	for _, want := range []string{"an unfinished run had brought", "verified: 16 files", "deleted: " + before, "snapshots: 1 kept, 1 deleted"} {
		if !strings.Contains(r.out, want) {
			t.Errorf("lacks %q: %s", want, r)
		}
	}
	if got := fileNumber(t, n.dst+"/latest/d/"+filepath.Base(came[0])); got != number {
		t.Errorf("%s was brought again", filepath.Base(came[0]))
	}
	n.same()
	if left := slices.Concat(n.list(".unfinished"), n.list(".pruning")); len(left) > 0 {
		t.Errorf("left over: %q", left)
	}
}

// TestBackupDiskFull: a full disk is an exit code and a reason; nothing old goes
// to make room, and with room again the run is gone on with.
func TestBackupDiskFull(t *testing.T) {
	if !ownspace.Enter(t, 0) {
		return
	}
	n := newNights(t)
	must(t, syscall.Mount("backups", n.dst, "tmpfs", 0, "size=1M,mode=700"))
	defer syscall.Unmount(n.dst, syscall.MNT_DETACH)
	n.backup(n.source()...).expect(t, 0)
	n.write("large", bytes.Repeat([]byte("more"), 100_000))
	r := n.backup(append(n.source(), "--keep=last=1")...)
	r.contains(t, 11, "the disk is full")
	if len(n.list("2")) != 1 || len(n.list(".unfinished-")) != 1 {
		t.Errorf("%q %q", n.list("2"), n.list(".unfinished"))
	}
	must(t, syscall.Mount("backups", n.dst, "tmpfs", syscall.MS_REMOUNT, "size=4M,mode=700"))
	n.backup(append(n.source(), "--keep=last=1")...).expect(t, 0)
	n.same()
	if len(n.list("2")) != 1 || len(n.list(".unfinished-")) != 0 {
		t.Errorf("%q %q", n.list("2"), n.list(".unfinished"))
	}
}

// TestBackupFlags: rules keep the order of the command line, wrong flags touch
// nothing, and what is scheduled is what was said.
func TestBackupFlags(t *testing.T) {
	t.Parallel()
	n := newNights(t)
	r := n.backup(append([]string{"--include=f1", "--exclude=f[12]", "--include=f2", "--filter=- f3"}, n.source()...)...)
	r.expect(t, 0)
	var names []string
	for _, f := range n.list("latest/d/") {
		names = append(names, filepath.Base(f))
	}
	if want := []string{"f0", "f1", "f4", "f5", "f6", "f7"}; !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
	r = n.backup("schedule", "--keep=daily=7", "--exclude=b", "--include=a", "--exclude=c", "--no-hard-links", "host:/", n.dst)
	r.expect(t, 0)
	if want := "backup --keep=daily=7 --no-hard-links --timeout=600 --exclude=b --include=a --exclude=c -- host:/ " + n.dst; !strings.Contains(r.out, want) {
		t.Errorf("lacks %q: %s", want, r)
	}
	r = n.backup("list", n.dst, "--keep=daily=2")
	r.expect(t, 0)
	if !strings.Contains(r.out, time.Now().Format(" 2006-01-")) || !strings.Contains(r.out, "; latest; keep: daily 1 of 2\n") {
		t.Error(r)
	}
	for line, want := range map[string]string{
		n.src:                                    "<dest>",
		n.src + " host:/x":                       "on another machine",
		n.src + " " + n.dst + "/x":               "does not exist",
		"--keep=daily " + n.src + " " + n.dst:    "daily=7",
		"--verify -n " + n.src + " " + n.dst:     "--verify",
		"list " + n.dst + "/x":                   "does not exist",
		"schedule " + n.src + " relative":        "whole path",
		"schedule --at=9 " + n.src + " " + n.dst: "--at",
	} {
		if r := n.backup(strings.Fields(line)...); r.code == 0 || !strings.Contains(r.err, want) {
			t.Errorf("backup %s: want %q: %s", line, want, r)
		}
	}
	if got := len(n.list("2")); got != 1 {
		t.Errorf("%d snapshots", got)
	}
}
