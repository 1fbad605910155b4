package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/empegsync/empegsync/pkg/ownspace"
	"github.com/empegsync/empegsync/pkg/player/playertest"
)

// playing makes it look as if the player program ran below root.
func playing(t *testing.T, root string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Join(root, "proc/77"), 0o755))
	must(t, os.WriteFile(filepath.Join(root, "proc/77/cmdline"), []byte("/empeg/bin/player\x00"), 0o644))
}

// hijack is what answers behind /proc/empeg_notify: the console's shell, and the
// player that it starts and quits.
type hijack struct {
	said     lockedBuffer
	report   chan playertest.Report
	writable bool // drive0, when the player has started again
}

// newHijack plays a Hijack kernel's part for the player below root.
func newHijack(t *testing.T, root string) *hijack {
	t.Helper()
	notify := filepath.Join(root, "proc/empeg_notify")
	must(t, unix.Mkfifo(notify, 0o600))
	fifo, err := os.OpenFile(notify, os.O_RDWR, 0) // both ends, so that it stays open
	must(t, err)
	t.Cleanup(func() { fifo.Close() })
	h := &hijack{report: make(chan playertest.Report, 1)}
	go func() {
		buf := make([]byte, 256)
		for {
			n, err := fifo.Read(buf)
			if err != nil {
				return
			}
			for line := range strings.Lines(string(buf[:n])) {
				_, _ = h.said.Write([]byte(line)) // never fails
				switch line {
				case "SERIAL=q\n":
					if err := os.RemoveAll(filepath.Join(root, "proc/77")); err != nil {
						t.Error(err)
					}
				case "SERIAL=exit\n":
					h.start(t, root)
				}
			}
		}
	}()
	return h
}

// start is the player's start: it loads or rebuilds, and saves if it can.
func (h *hijack) start(t *testing.T, root string) {
	var st unix.Statfs_t
	if err := unix.Statfs(filepath.Join(root, "drive0"), &st); err != nil {
		t.Error(err)
	}
	h.writable = st.Flags&unix.ST_RDONLY == 0
	playing(t, root)
	report, err := playertest.Start(root)
	if err != nil {
		t.Error(err)
	}
	h.report <- report
}

// A player that plays from read-only drives is asked to leave before the first
// change, and starts again when all is done; it can save what it rebuilds, and the
// drives are read-only in the end. Where it cannot be asked, nothing is touched.
func TestPullFromAPlayingPlayer(t *testing.T) {
	t.Parallel()
	if !ownspace.Enter(t, 0) {
		return
	}
	master, slave, drives := mountedPlayers(t)
	playing(t, slave)
	readOnly(t, drives...)
	addr := serve(t, "--root", master).addr
	before := state(t, slave)
	call(t, "pull", addr, "--root", slave).expect(t, 11, "drive0: ", "cannot be asked", "--while-playing")
	untouched(t, before, slave)
	wantReadOnly(t, "after a refusal", drives...)

	h := newHijack(t, slave)
	r := call(t, "pull", addr, "--root", slave)
	r.expect(t, 0)
	report := <-h.report
	if !h.writable || !report.Rebuilt || !report.Saved {
		t.Errorf("the player started with drive0 writable %v: %v", h.writable, report)
	}
	equal(t, master, slave)
	wantReadOnly(t, "after a pull", drives...)
	if got, want := h.said.String(), "POPUP 10 syncing\nSERIAL=q\nSERIAL=exit\n"; got != want {
		t.Errorf("the player was told %q, want %q", got, want)
	}
	if !strings.Contains(r.out, "starting the player again") || strings.Contains(r.out, "On its serial console type") {
		t.Errorf("pull: %s", r)
	}
	// When nothing changes, the music plays on.
	call(t, "pull", addr, "--root", slave).expect(t, 0)
	if got := h.said.String(); strings.Count(got, "SERIAL") != 2 {
		t.Errorf("the player was told %q although nothing has changed", got)
	}
}

// A pull that fails leaves neither a writable drive nor a silent player.
func TestFailedPullStartsThePlayerAgain(t *testing.T) {
	t.Parallel()
	if !ownspace.Enter(t, 0) {
		return
	}
	master, slave := players(t, 40)
	drive := filepath.Join(slave, "drive0")
	ownFileSystem(t, drive)
	playing(t, slave)
	readOnly(t, drive)
	h := newHijack(t, slave)
	doomed := serve(t, "--root", master)
	g := gate(t, doomed.addr, 20_000)
	p := start(t, empegsync("pull", g.addr, "--root", slave))
	g.stopped(t, p)
	doomed.signal(unix.SIGKILL)
	doomed.wait()
	g.cut()
	p.wait().expect(t, 12, "drive0: ")
	if report := <-h.report; !report.Saved {
		t.Errorf("the player: %v", report)
	}
	wantReadOnly(t, "after a failed pull", drive)
}
