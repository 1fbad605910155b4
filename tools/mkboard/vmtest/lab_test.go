package vmtest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/player/playertest"
	"github.com/empegsync/empegsync/tools/mkboard/board"
)

// stepTime bounds one step. It is only ever used up by a board that hangs.
const stepTime = 20 * time.Minute

// lab is where boards are built and run.
type lab struct {
	base      *board.Base
	empegsync string // the ARM binary
	dir       string
	start     time.Time
	out       io.Writer // the account of what happens; safe for concurrent use
	used      *atomic.Int64
}

// part is the same lab with an account of its own.
func (l *lab) part(out io.Writer) *lab {
	p := *l
	p.out, p.used = &lockedWriter{w: out}, new(atomic.Int64)
	return &p
}

// work is how much processor time the boards have used that are off.
func (l *lab) work() time.Duration { return time.Duration(l.used.Load()) }

func newLab(t *testing.T) *lab {
	t.Helper()
	packages, boardinit, binary := os.Getenv("BOARD_PACKAGES"), os.Getenv("BOARD_INIT"), os.Getenv("EMPEGSYNC_ARM")
	if packages == "" || boardinit == "" || binary == "" {
		t.Skip("scripts/vmtest.sh runs this test: it needs BOARD_PACKAGES, BOARD_INIT and EMPEGSYNC_ARM")
	}
	l := &lab{empegsync: binary, dir: t.TempDir(), start: time.Now(), out: &lockedWriter{w: os.Stdout}, used: new(atomic.Int64)}
	recipe, err := board.ReadRecipe("../../../firmware/board/recipe")
	if err != nil {
		t.Fatal(err)
	}
	if l.base, err = board.BuildBase(t.Context(), recipe, packages, boardinit, l.dir); err != nil {
		t.Fatal(err)
	}
	return l
}

// title tells what comes.
func (l *lab) title(format string, args ...any) {
	fmt.Fprintf(l.out, "\n== %5.1f s  %s\n", time.Since(l.start).Seconds(), fmt.Sprintf(format, args...))
}

// note tells what was found.
func (l *lab) note(format string, args ...any) {
	fmt.Fprintf(l.out, "-- %s\n", fmt.Sprintf(format, args...))
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (w *lockedWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.w.Write(b)
}

// prefixed puts a board's name before its lines.
type prefixed struct {
	prefix string
	w      io.Writer
}

func (p prefixed) Write(b []byte) (int, error) {
	var out bytes.Buffer
	for line := range bytes.Lines(b) {
		out.WriteString(p.prefix)
		out.Write(line)
	}
	_, err := p.w.Write(out.Bytes())
	return len(b), err
}

// rig is a player with its disks, and its board while that runs.
type rig struct {
	*lab
	t      *testing.T
	name   string
	player string // as laid out by playertest
	disks  board.Disks
	m      *board.Machine
}

// rigOptions say what a rig is made of.
type rigOptions struct {
	music  playertest.Options
	mutate bool // a day of edits
	disks  board.DiskOptions
}

// arrival is where the binary lies that somebody has brought onto the player and
// not yet installed.
const arrival = "/drive0/new"

// newRig lays out a player.
func (l *lab) newRig(t *testing.T, name string, o rigOptions) *rig {
	t.Helper()
	r := &rig{lab: l, t: t, name: name, player: filepath.Join(t.TempDir(), name)}
	o.music.Name = name
	r.must(playertest.Build(r.player, o.music))
	if o.mutate {
		day, err := playertest.Mutate(r.player, 1)
		r.must(err)
		l.note("%s: a day of edits: %v", name, day)
	}
	binary, err := os.ReadFile(l.empegsync)
	r.must(err)
	r.must(os.WriteFile(filepath.Join(r.player, arrival), binary, 0o755))
	disks, err := l.base.Disks(t.Context(), r.player, t.TempDir(), o.disks)
	r.must(err)
	r.disks = disks
	return r
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatalf("%s: %v", r.name, err)
	}
}

// switchOn starts the board; it ends with the test at the latest.
func (r *rig) switchOn(o board.Options) {
	r.t.Helper()
	o.Log = prefixed{fmt.Sprintf("%-7s| ", r.name), r.out}
	m, err := board.Start(r.t.Context(), r.base, r.disks, o)
	r.must(err)
	r.m = m
	r.t.Cleanup(m.Cut)
}

// expect waits for the console to say something.
func (r *rig) expect(pattern string) []string {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), stepTime)
	defer cancel()
	match, err := r.m.Expect(ctx, pattern)
	r.must(err)
	return match
}

// expectAll waits for the console to say several things, in whatever order.
func (r *rig) expectAll(patterns ...string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), stepTime)
	defer cancel()
	r.must(r.m.ExpectAll(ctx, patterns...))
}

// run runs a command in the board's shell; it must succeed.
func (r *rig) run(command string) string {
	r.t.Helper()
	out, code := r.try(command)
	if code != 0 {
		r.t.Fatalf("%s: %s: exit code %d\n%s", r.name, command, code, out)
	}
	return out
}

// try runs a command in the board's shell.
func (r *rig) try(command string) (string, int) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), stepTime)
	defer cancel()
	out, code, err := r.m.Run(ctx, command)
	r.must(err)
	return out, code
}

// play waits until the player plays.
func (r *rig) play() {
	r.t.Helper()
	r.expect(`^player: playing\n`)
}

// install has the player's owner install empegsync at the console, and start the
// player again.
func (r *rig) install(flags string) {
	r.t.Helper()
	r.quit()
	r.run(arrival + " install " + flags)
	r.must(r.m.Type("exit"))
}

// quit quits the player for the shell.
func (r *rig) quit() {
	r.t.Helper()
	r.must(r.m.Type("q"))
	r.expect(`^init: the player has ended with exit code 0\n`)
	r.expect(board.Prompt)
}

// switchOff shuts the board down in order.
func (r *rig) switchOff() {
	r.t.Helper()
	r.must(r.m.Type("halt"))
	ctx, cancel := context.WithTimeout(r.t.Context(), stepTime)
	defer cancel()
	r.must(r.m.WaitOff(ctx))
	r.cutPower()
}

// cutPower takes the power away.
func (r *rig) cutPower() {
	r.m.Cut()
	r.used.Add(int64(r.m.Work()))
	r.m = nil
}

// dump copies what is on the drives to a folder of this machine.
func (r *rig) dump() string {
	r.t.Helper()
	dir := r.t.TempDir()
	r.must(board.Dump(r.t.Context(), r.disks, dir, "v3"))
	return dir
}

// freeAddress is a port of this machine that nobody uses at this moment.
func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}
