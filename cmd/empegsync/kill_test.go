package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/player/playertest"
)

// killFixture is a slave whose music is to change altogether.
type killFixture struct {
	dir, master, slave string // slave is laid out anew before each kill
	old                string // what the slave is a copy of
	before, after      map[string]string
	direct, slowed     string // addresses of the master
}

// newKillFixture makes most files differ, many with the same names: a torn or
// mixed file could not pass for either version.
func newKillFixture(t *testing.T) *killFixture {
	dir := tempDir(t)
	k := &killFixture{
		dir: dir, master: filepath.Join(dir, "master"), slave: filepath.Join(dir, "slave"), old: filepath.Join(dir, "old"),
	}
	sound := filepath.Join(dir, "body.wav")
	build := func(player string, seed uint64) {
		// Short bodies: many files in little time are what a kill may hit.
		rng := rand.New(rand.NewPCG(seed, 1))
		body := make([]byte, 6000)
		for i := range body {
			body[i] = byte(rng.Uint32())
		}
		must(t, os.WriteFile(sound, body, 0o644))
		name := map[bool]string{true: "kitchen", false: "car"}[player == k.master]
		must(t, playertest.Build(player, playertest.Options{Name: name, Fids: 150, Seed: seed, Bodies: []string{sound}}))
	}
	build(k.master, 1)
	_, err := playertest.Mutate(k.master, 1)
	must(t, err)
	build(k.old, 2)
	older(t, k.old)
	k.before, k.after = contents(t, k.old), contents(t, k.master)
	k.direct = serve(t, "--root", k.master).addr
	k.slowed = slow(t, k.direct, 4<<20).addr
	return k
}

// older makes a player's files a day older, so that none is up to date.
func older(t *testing.T, player string) {
	t.Helper()
	for name := range contents(t, player) {
		name = filepath.Join(player, name)
		info, err := os.Stat(name)
		must(t, err)
		at := info.ModTime().Add(-24 * time.Hour)
		must(t, os.Chtimes(name, at, at))
	}
}

func (k *killFixture) reset(t *testing.T) {
	t.Helper()
	must(t, os.RemoveAll(k.slave))
	clone(t, k.old, k.slave)
}

func (k *killFixture) pull(addr string) []string {
	return []string{"pull", addr, "--root", k.slave, "-q"}
}

// whole checks what a killed pull must leave under the files' final names: the
// old version or the new one, and a database that does not lie. It reports how
// many files differ from the old version.
func (k *killFixture) whole(t *testing.T) (changed int) {
	t.Helper()
	now := contents(t, k.slave)
	for name, text := range now {
		if base := filepath.Base(name); strings.HasPrefix(base, ".") {
			continue // a temporary name; the player looks at no such
		}
		old, hadOld := k.before[name]
		new, isNew := k.after[name]
		switch {
		case hadOld && text == old:
		case isNew && text == new:
			changed++
		default:
			t.Errorf("%s is torn: %d bytes, neither the old version (%d) nor the new one (%d)", name, len(text), len(old), len(new))
		}
	}
	for name := range k.before {
		if _, still := now[name]; still {
			continue
		}
		changed++
		if _, wanted := k.after[name]; wanted {
			t.Errorf("%s is lost", name)
		}
	}
	if left := playertest.DatabaseFiles(k.slave); changed > 0 && len(left) > 0 {
		t.Errorf("%d files have changed, but the database is still there: %q", changed, left)
	}
	if report, err := playertest.Start(k.slave); err != nil {
		t.Errorf("the player's start: %v, %v", report, err)
	}
	return changed
}

// rerun pulls undisturbed: nothing of the accident may remain.
func (k *killFixture) rerun(t *testing.T) {
	t.Helper()
	call(t, k.pull(k.direct)...).expect(t, 0)
	equal(t, k.master, k.slave)
	if report, err := playertest.Start(k.slave); err != nil {
		t.Errorf("the player's start: %v, %v", report, err)
	}
}

// A pull is killed at moments spread by chance over its whole length, as a
// power cut would.
func TestPullKilled(t *testing.T) {
	t.Parallel()
	const kills, most = 22, 60
	k := newKillFixture(t)
	k.reset(t)
	begin := time.Now()
	call(t, k.pull(k.slowed)...).expect(t, 0)
	length := time.Since(begin)
	equal(t, k.master, k.slave)

	killed, midway := 0, 0
	for try := 0; killed < kills && try < most && !t.Failed(); try++ {
		k.reset(t)
		// One moment from each stretch of the run, so that none is left out.
		moment := time.Duration((float64(killed) + rand.Float64()) / kills * float64(length))
		p := start(t, empegsync(k.pull(k.slowed)...))
		time.Sleep(moment)
		p.signal(syscall.SIGKILL)
		if r := p.wait(); r.code != -1 {
			r.expect(t, 0) // it was quicker this time
			length = length * 9 / 10
			continue
		}
		killed++
		changed := k.whole(t)
		if changed > 0 && playertest.Compare(k.master, k.slave) != nil {
			midway++
		}
		k.rerun(t)
		if t.Failed() {
			t.Logf("killed %v after the start, of %v; %d files had changed", moment, length, changed)
		}
	}
	if killed < 20 || midway < 5 {
		t.Errorf("only %d pulls were killed, %d of them midway", killed, midway)
	}
	t.Logf("%d pulls of %v killed, %d of them midway", killed, length, midway)
}

// stopAt pulls through a gate that closes after a third of the data.
func (k *killFixture) stopAt(t *testing.T, addr string) (*process, *proxy) {
	t.Helper()
	k.reset(t)
	g := gate(t, addr, 250<<10)
	p := start(t, empegsync("pull", g.addr, "--root", k.slave))
	g.stopped(t, p)
	return p, g
}

// The master dies, or the connection: one line, the right code, and a rerun
// makes all well.
func TestPullLosesTheMaster(t *testing.T) {
	t.Parallel()
	k := newKillFixture(t)
	doomed := serve(t, "--root", k.master)
	p, g := k.stopAt(t, doomed.addr)
	doomed.signal(syscall.SIGKILL)
	doomed.wait()
	g.cut()
	r := p.wait()
	r.expect(t, 12, "drive0: ")
	noLeftovers(t, k.slave)
	if k.whole(t) == 0 {
		t.Error("the master died before anything was changed: the test shows nothing")
	}
	k.rerun(t)
}

// A pull that is told to stop tidies up.
func TestPullTerminated(t *testing.T) {
	t.Parallel()
	k := newKillFixture(t)
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(fmt.Sprint(sig), func(t *testing.T) {
			p, _ := k.stopAt(t, k.direct)
			p.signal(sig)
			p.wait().expect(t, 20, "drive0: ")
			noLeftovers(t, k.slave)
			k.whole(t)
			k.rerun(t)
		})
	}
}
