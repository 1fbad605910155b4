package vmtest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/player/playertest"
	"github.com/empegsync/empegsync/tools/mkboard/board"
)

// Two boards lose their power at the same time, on two processors; each so often.
const (
	cutLanes   = 2
	cutsInLane = 5
)

// powerCut: a slave's machine loses its power at random moments of a pull.
func powerCut(t *testing.T, l *lab) {
	seed := uint64(time.Now().UnixNano())
	l.title("Power cuts: %d boards lose theirs %d times each while they pull (seed %d)", cutLanes, cutsInLane, seed)
	var cuts atomic.Int32
	t.Run("lanes", func(t *testing.T) {
		for lane := range cutLanes {
			t.Run(fmt.Sprint(lane), func(t *testing.T) {
				t.Parallel()
				c := newCutter(t, l, lane, seed)
				for range cutsInLane {
					c.round()
					cuts.Add(1)
				}
				c.last()
			})
		}
	})
	l.note("%d power cuts in the middle of a pull: every file system sound, no fid torn, no database that lies, every next pull well", cuts.Load())
}

// cutter is one board that is mistreated.
type cutter struct {
	*rig
	rng    *rand.Rand
	master string // its player
	host   *hostMaster
	days   uint64
}

func newCutter(t *testing.T, l *lab, lane int, seed uint64) *cutter {
	t.Helper()
	music := playertest.Options{Fids: 80, Seed: 11}
	c := &cutter{rng: rand.New(rand.NewPCG(seed, uint64(lane))), master: filepath.Join(t.TempDir(), "master")}
	if err := playertest.Build(c.master, music); err != nil {
		t.Fatal(err)
	}
	c.rig = l.newRig(t, fmt.Sprintf("slave%d", lane), rigOptions{music: music, disks: board.DiskOptions{Address: board.HostedAddress}})
	c.host = newHostMaster(t, c.master)
	return c
}

// round brings the slave up to date, changes the master, and cuts the power while
// the slave pulls. Then it looks at the disks.
func (c *cutter) round() {
	c.t.Helper()
	for {
		c.converge()
		before := c.dump()
		for range 2 {
			c.days++
			_, err := playertest.Mutate(c.master, c.days)
			c.must(err)
		}
		if c.cut(before) {
			c.look(before)
			return
		}
		// The pull was quicker; that proves nothing.
	}
}

// converge boots the board, pulls to the end, and has the player rebuild and save
// its database.
func (c *cutter) converge() {
	c.t.Helper()
	if c.m == nil {
		c.switchOn(board.Options{})
		c.play()
		c.quit()
	}
	c.run(arrival + " pull -q " + c.host.address())
	c.run("rwm")
	c.must(c.m.Type("exit"))
	c.play()
	c.quit()
	c.drivesReadOnly()
}

// cut pulls and cuts the power at a random moment: when the master has sent so and
// so many bytes, or so and so long after it has sent all. It reports whether the
// pull was cut off in its middle.
func (c *cutter) cut(before string) bool {
	c.t.Helper()
	all := changed(c.t, before, c.master)
	at := c.rng.Int64N(all)
	if c.rng.IntN(4) == 0 {
		at = c.rng.Int64N(1000) // about when the first change is made
	}
	moment := make(chan struct{})
	var sent atomic.Int64
	c.host.watch(func(n int) {
		if now := sent.Add(int64(n)); now > at && now-int64(n) <= at {
			close(moment)
		}
	})
	defer c.host.watch(nil)
	c.must(c.m.Type(arrival + " pull -q " + c.host.address() + `; echo "exit=$?"`))
	ended := make(chan struct{})
	var err error // why the pull did not end
	m := c.m
	go func() {
		defer close(ended)
		_, err = m.Expect(c.t.Context(), `^exit=\d+\n`)
	}()
	linger := time.Duration(c.rng.IntN(400)) * time.Millisecond
	select {
	case <-moment:
		select {
		case <-ended: // the master's last bytes
		case <-time.After(linger):
		}
	case <-ended:
	}
	c.cutPower()
	<-ended
	c.note("%s: power cut when about %d of %d bytes had come, and %v later", c.name, at, all, linger)
	return errors.Is(err, board.ErrPowerOff)
}

// look examines the disks as they were left.
func (c *cutter) look(before string) {
	c.t.Helper()
	c.must(board.Check(c.t.Context(), c.disks))
	now := c.dump()
	old, next, got := fidsOf(c.t, before), fidsOf(c.t, c.master), fidsOf(c.t, now)
	arrived, temps := 0, 0
	for name, content := range got {
		wasThere, isOld := old[name]
		comes, isNew := next[name]
		switch {
		case isNew && bytes.Equal(content, comes):
			if !isOld || !bytes.Equal(content, wasThere) {
				arrived++
			}
		case isOld && bytes.Equal(content, wasThere):
		case strings.HasPrefix(filepath.Base(name), "."):
			temps++
		default:
			c.t.Errorf("%s: %s is torn: %d bytes, neither what it was nor what the master has", c.name, name, len(content))
		}
	}
	for name := range old {
		_, still := got[name]
		if _, comes := next[name]; comes && !still {
			c.t.Errorf("%s: %s is gone, but the master has it", c.name, name)
		}
	}
	database := playertest.DatabaseFiles(now)
	if _, err := playertest.Start(now); err != nil {
		c.t.Errorf("%s: after the cut: %v", c.name, err)
	}
	c.note("%s: sound; %d fids of the new day, %d temporary files, database files: %s", c.name, arrived, temps, strings.Join(database, " "))
}

// last shows that the slave comes to the master's state in the end.
func (c *cutter) last() {
	c.t.Helper()
	c.converge()
	c.switchOff()
	c.must(board.Check(c.t.Context(), c.disks))
	dump := c.dump()
	if err := playertest.Compare(c.master, dump); err != nil {
		c.t.Errorf("%s: %v", c.name, err)
	}
	left, err := playertest.TempLeftovers(dump)
	c.must(err)
	if len(left) > 0 {
		c.t.Errorf("%s: temporary files are left: %v", c.name, left)
	}
	if r, err := playertest.Start(dump); err != nil || r.Rebuilt {
		c.t.Errorf("%s: the database in the end: %v, %v", c.name, r, err)
	}
}

// fidsOf reads all that lies in the fids folders of a player, by name.
func fidsOf(t *testing.T, player string) map[string][]byte {
	t.Helper()
	out := make(map[string][]byte)
	for _, drive := range []string{"drive0", "drive1"} {
		err := filepath.WalkDir(filepath.Join(player, drive, "fids"), func(name string, de fs.DirEntry, err error) error {
			if err != nil || de.IsDir() {
				return err
			}
			rel, err := filepath.Rel(player, name)
			if err == nil {
				out[rel], err = os.ReadFile(name)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// changed is roughly how much a pull has to fetch, in bytes.
func changed(t *testing.T, slave, master string) int64 {
	t.Helper()
	have := fidsOf(t, slave)
	all := fidsOf(t, master)
	var n int64 = 1
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !bytes.Equal(have[name], all[name]) {
			n += int64(len(all[name]))
		}
	}
	return n
}
