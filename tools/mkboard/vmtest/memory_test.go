package vmtest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/empegsync/empegsync/pkg/player/playertest"
	"github.com/empegsync/empegsync/tools/mkboard/board"
)

// What a board of the smallest kind must manage.
const (
	smallMB    = 56 // Debian's kernel leaves some 18 MB of it to programs, and does not boot with 48
	manyFids   = 20_000
	mostMemory = 16 << 10 // kB, of the daemon and a pull together
)

// memory: a small board pulls a lot of music, and serves it.
func memory(t *testing.T, l *lab) {
	l.title("A board with %d MB pulls and serves %d fids", smallMB, manyFids)
	body := filepath.Join(t.TempDir(), "tune.wav")
	if err := os.WriteFile(body, make([]byte, 700), 0o644); err != nil {
		t.Fatal(err)
	}
	music := playertest.Options{Fids: manyFids / 2, Seed: 3, Bodies: []string{body}} // two files each
	master := filepath.Join(t.TempDir(), "master")
	if err := playertest.Build(master, music); err != nil {
		t.Fatal(err)
	}
	music.Fids = 12
	r := l.newRig(t, "small", rigOptions{music: music, disks: board.DiskOptions{DriveMB: 64, Address: board.HostedAddress}})
	forward := freeAddress(t)
	r.switchOn(board.Options{MemoryMB: smallMB, Forward: forward})
	r.play()
	h := newHostMaster(t, master)
	r.install("--role both --master " + h.address())
	daemon := r.expect(`started as process (\d+)`)[1]
	r.expect(`listening on`)
	r.quit()
	r.run("grep Mem /proc/meminfo")

	pull := number(t, r.run("peak empegsync pull -q"), `peak=(\d+)`)
	l.title("It serves them to Debian's rsync")
	copied := filepath.Join(t.TempDir(), "copy")
	for _, drive := range []string{"drive0", "drive1"} {
		r.must(os.MkdirAll(filepath.Join(copied, drive), 0o755))
		ctx, cancel := context.WithTimeout(t.Context(), stepTime)
		out, err := exec.CommandContext(ctx, "rsync", "-a", "rsync://"+forward+"/"+drive+"/fids", filepath.Join(copied, drive)).CombinedOutput()
		cancel()
		if err != nil {
			t.Fatalf("rsync from the board: %v\n%s", err, out)
		}
	}
	if err := playertest.Compare(master, copied); err != nil {
		t.Error(err)
	}
	status := r.run("cat /proc/" + daemon + "/status")
	// What it has allocated stays its own for minutes. The pull's peak has the pages
	// of the program in it, which lie in memory once for both.
	served := number(t, status, `RssAnon:\s+(\d+)`)
	l.note("resident memory: the daemon %d kB of its own (%d kB at most with the program's pages), the pull %d kB at most, with the program's pages; together %d kB of %d",
		served, number(t, status, `VmHWM:\s+(\d+)`), pull, served+pull, mostMemory)
	if served+pull > mostMemory {
		t.Errorf("the daemon and a pull use %d kB, want at most %d", served+pull, mostMemory)
	}
	if swap := r.run("cat /proc/swaps"); strings.Count(swap, "\n") != 1 {
		t.Errorf("the board swaps: %s", swap)
	}
	r.switchOff()
}

// number finds a number in a text.
func number(t *testing.T, text, pattern string) int {
	t.Helper()
	match := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if match == nil {
		t.Fatalf("no %s in:\n%s", pattern, text)
	}
	n, err := strconv.Atoi(match[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
