package vmtest

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/empegsync/empegsync/pkg/player/playertest"
	"github.com/empegsync/empegsync/tools/mkboard/board"
)

// TestVM shows on emulated boards, from power-on, what players go through. The
// small board with much music takes as long as all others, and runs beside them;
// its part of the account comes last.
func TestVM(t *testing.T) {
	l := newLab(t)
	var account bytes.Buffer
	aside := l.part(&account)
	var small sync.WaitGroup
	small.Go(func() { t.Run("Memory", func(t *testing.T) { memory(t, aside) }) })
	for _, step := range []struct {
		name string
		run  func(*testing.T, *lab)
	}{
		{"FirstBoot", firstBoot},
		{"TwoBoards", twoBoards},
		{"PowerCut", powerCut},
	} {
		t.Run(step.name, func(t *testing.T) { step.run(t, l) })
	}
	small.Wait()
	fmt.Fprintf(l.out, "%s", &account)
	l.title("The boards have used %.0f s of processor time", (l.work() + aside.work()).Seconds())
}

// twoBoards: a slave pulls both drives from a master on one virtual network.
func twoBoards(t *testing.T, l *lab) {
	l.title("Two boards on one network: the slave becomes as the master is")
	sockets := t.TempDir()
	a, b := filepath.Join(sockets, "a"), filepath.Join(sockets, "b")
	music := playertest.Options{Fids: 60, Seed: 7}
	master := l.newRig(t, "master", rigOptions{music: music, mutate: true, disks: board.DiskOptions{Address: "10.0.2.15"}})
	slave := l.newRig(t, "slave", rigOptions{music: music, disks: board.DiskOptions{Address: "10.0.2.16"}})
	master.switchOn(board.Options{Cable: board.Cable{Ours: a, Theirs: b}})
	slave.switchOn(board.Options{Cable: board.Cable{Ours: b, Theirs: a}})
	master.play()
	master.install("--role master")
	slave.play()
	slave.install("--role slave --master 10.0.2.15")
	master.expect(`listening on`)
	slave.play()

	slave.quit()
	slave.run("empegsync pull -v")
	slave.drivesReadOnly()

	l.title("The slave's player starts on writable drives, rebuilds and saves")
	slave.run("rwm")
	slave.must(slave.m.Type("exit"))
	slave.expect(`^player: .* database rebuilt`)
	slave.expect(`^player: saved the database`)
	slave.play()
	slave.quit()
	slave.drivesReadOnly()

	l.title("From now on it loads its database")
	slave.must(slave.m.Type("exit"))
	slave.expect(`^player: .* database loaded`)
	slave.play()
	for _, r := range []*rig{master, slave} {
		r.quit()
		r.switchOff()
		r.must(board.Check(t.Context(), r.disks))
	}
	if err := playertest.Compare(master.dump(), slave.dump()); err != nil {
		t.Error(err)
	}
	l.note("the fids of both boards are equal: names, bytes, modes and times")
}

// drivesReadOnly looks at how the drives are mounted.
func (r *rig) drivesReadOnly() {
	r.t.Helper()
	n := 0
	for line := range strings.Lines(r.run("cat /proc/mounts")) {
		f := strings.Fields(line)
		if len(f) < 4 || !strings.HasPrefix(f[1], "/drive") {
			continue
		}
		n++
		if !strings.HasPrefix(f[3]+",", "ro,") {
			r.t.Errorf("%s: %s is left writable: %s", r.name, f[1], f[3])
		}
	}
	if n != 2 {
		r.t.Errorf("%s: %d drives are mounted, want 2", r.name, n)
	}
}
