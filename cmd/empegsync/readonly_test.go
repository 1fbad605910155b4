package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/empegsync/empegsync/pkg/ownport"
	"github.com/empegsync/empegsync/pkg/ownspace"
)

// mountTmpfs mounts a file system of its own, for as long as the test runs.
func mountTmpfs(t *testing.T, dir, options string) {
	t.Helper()
	must(t, os.MkdirAll(dir, 0o755))
	if err := unix.Mount("none", dir, "tmpfs", unix.MS_NOSUID, options); err != nil {
		t.Fatalf("mount a tmpfs on %s: %v", dir, err)
	}
	t.Cleanup(func() { must(t, unix.Unmount(dir, unix.MNT_DETACH)) })
}

// ownFileSystem moves a folder to a file system of its own.
func ownFileSystem(t *testing.T, dir string) {
	t.Helper()
	aside := dir + ".aside"
	must(t, os.Rename(dir, aside))
	mountTmpfs(t, dir, "mode=755")
	clone(t, aside+"/.", dir)
	must(t, os.RemoveAll(aside))
}

func readOnly(t *testing.T, dirs ...string) {
	t.Helper()
	for _, dir := range dirs {
		must(t, unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY|unix.MS_NOSUID, ""))
	}
}

func isReadOnly(t *testing.T, dir string) bool {
	t.Helper()
	var st unix.Statfs_t
	must(t, unix.Statfs(dir, &st))
	return st.Flags&unix.ST_RDONLY != 0
}

// wantReadOnly fails the test unless a write really is refused.
func wantReadOnly(t *testing.T, when string, dirs ...string) {
	t.Helper()
	for _, dir := range dirs {
		if !isReadOnly(t, dir) || !strings.Contains(errText(os.WriteFile(filepath.Join(dir, "x"), nil, 0o644)), "read-only") {
			t.Errorf("%s %s is writable", when, dir)
		}
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// mountedPlayers is two players, the slave's drives each a file system of its own.
func mountedPlayers(t *testing.T) (master, slave string, drives []string) {
	t.Helper()
	master, slave = players(t, 40)
	drives = []string{filepath.Join(slave, "drive0"), filepath.Join(slave, "drive1")}
	for _, d := range drives {
		ownFileSystem(t, d)
	}
	return master, slave, drives
}

// The drives are writable for as long as a pull or a reindex needs it, and
// read-only again however that ends.
func TestReadOnlyDrives(t *testing.T) {
	t.Parallel()
	if !ownspace.Enter(t, 0) {
		return
	}
	master, slave, drives := mountedPlayers(t)
	readOnly(t, drives...)
	doomed := serve(t, "--root", master)
	before := state(t, slave)

	call(t, "pull", doomed.addr, "--root", slave, "-n").expect(t, 0)
	call(t, "reindex", "--root", slave, "-n").expect(t, 0)
	wantReadOnly(t, "after -n", drives...)
	call(t, "pull", ownport.HoldAddress(t), "--root", slave).expect(t, 10, "connection refused")
	wantReadOnly(t, "after a failure", drives...)
	untouched(t, before, slave)

	stopMidway(t, doomed, slave, func(p *process, _ *proxy) { p.signal(syscall.SIGTERM) }, 20)
	wantReadOnly(t, "after SIGTERM", drives...)
	stopMidway(t, doomed, slave, func(_ *process, g *proxy) {
		doomed.signal(syscall.SIGKILL)
		doomed.wait()
		g.cut()
	}, 12)
	wantReadOnly(t, "after the master's death", drives...)
	noLeftovers(t, slave)

	addr := serve(t, "--root", master).addr
	call(t, "pull", addr, "--root", slave).expect(t, 0)
	equal(t, master, slave)
	hasDatabase(t, slave)
	wantReadOnly(t, "after a pull", drives...)
	before = state(t, slave)
	call(t, "pull", addr, "--root", slave).expect(t, 0)
	untouched(t, before, slave)
	wantReadOnly(t, "after a second pull", drives...)

	must(t, unix.Mount("", drives[0], "", unix.MS_REMOUNT|unix.MS_NOSUID, ""))
	starts(t, slave, true)
	readOnly(t, drives[0])
	call(t, "reindex", "--root", slave).expect(t, 0)
	hasDatabase(t, slave)
	wantReadOnly(t, "after reindex", drives...)
}

// stopMidway pulls, makes sure that drive0 is writable meanwhile, and has the
// pull end before its time.
func stopMidway(t *testing.T, master *server, slave string, stop func(*process, *proxy), code int) {
	t.Helper()
	g := gate(t, master.addr, 20_000)
	p := start(t, empegsync("pull", g.addr, "--root", slave))
	g.stopped(t, p)
	if isReadOnly(t, filepath.Join(slave, "drive0")) {
		t.Error("drive0 is read-only in the midst of a pull")
	}
	stop(p, g)
	p.wait().expect(t, code, "drive0: ")
}

// A drive that stays busy is told, with the name of who keeps it busy, and a
// truthful exit code.
func TestReadOnlyDriveBusy(t *testing.T) {
	t.Parallel()
	if !ownspace.Enter(t, 0) {
		return
	}
	master, slave := players(t, 20)
	drive := filepath.Join(slave, "drive0")
	ownFileSystem(t, drive)
	readOnly(t, drive)
	g := gate(t, serve(t, "--root", master).addr, inList)
	p := start(t, empegsync("pull", g.addr, "--root", slave, "--no-reindex"))
	g.stopped(t, p)
	log, err := os.Create(filepath.Join(drive, "rsyncd.log"))
	must(t, err)
	g.release()
	r := p.wait()
	r.contains(t, 11, "drive0: ", "read-only", "rsyncd.log")
	must(t, log.Close())
	must(t, os.Remove(log.Name()))
	equal(t, master, slave)
}

// A full disk tears nothing, and the next pull goes on.
func TestPullFullDisk(t *testing.T) {
	t.Parallel()
	if !ownspace.Enter(t, 0) {
		return
	}
	master, slave := players(t, 40)
	tune := filepath.Join(master, "drive0/fids/_00ffe/ff0")
	must(t, os.MkdirAll(filepath.Dir(tune), 0o755))
	must(t, rewrite(tune, 5_000_000, 'a'))
	before, after := contents(t, slave), contents(t, master)
	addr := serve(t, "--root", master).addr
	drive := filepath.Join(slave, "drive0")
	ownFileSystem(t, drive)
	fill(t, drive)
	r := call(t, "pull", addr, "--root", slave)
	r.expect(t, 11, "drive0: ", "full")
	noLeftovers(t, slave)
	for name, text := range contents(t, slave) {
		if text != before[name] && text != after[name] {
			t.Errorf("%s is torn", name)
		}
	}
	must(t, os.Remove(filepath.Join(drive, "filler")))
	call(t, "pull", addr, "--root", slave).expect(t, 0)
	equal(t, master, slave)
	hasDatabase(t, slave)
}

// fill leaves little room on a tmpfs: less than the music that is to come, even
// if what goes is gone before.
func fill(t *testing.T, dir string) {
	t.Helper()
	var st unix.Statfs_t
	must(t, unix.Statfs(dir, &st))
	used := int64(st.Blocks-st.Bfree) * int64(st.Bsize)
	const filler, room = 6 << 20, 40 << 10
	must(t, os.WriteFile(filepath.Join(dir, "filler"), make([]byte, filler), 0o644))
	limit := fmt.Sprintf("size=%d", used+filler+room)
	must(t, unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_NOSUID, limit))
}
