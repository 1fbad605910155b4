package console

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/console/consoletest"
)

// patience is how long a test waits for what must happen.
const patience = 60 * time.Second

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newLine is a cable to a player.
func newLine(t *testing.T) *consoletest.Line {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	return consoletest.Start(t, root)
}

// open opens the PC's side.
func open(t *testing.T, l *consoletest.Line) (*Port, *Link) {
	t.Helper()
	port, err := OpenPort(l.Port(), 115200)
	must(t, err)
	t.Cleanup(func() { port.Close() })
	link := NewLink(port)
	link.Times = Times{Probe: 400 * time.Millisecond, Quit: patience, Command: 5 * time.Second}
	return port, link
}

// toShell gets to the player's shell, as the verb does.
func toShell(t *testing.T, link *Link) {
	t.Helper()
	must(t, link.Quit(t.Context()))
	if state, err := link.Look(t.Context()); err != nil || state != Shell {
		t.Fatalf("state %v, %v", state, err)
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	for _, speed := range []int{115200, 4800} {
		t.Run(fmt.Sprint(speed), func(t *testing.T) {
			t.Parallel()
			l := newLine(t)
			l.Speed.Store(int64(speed))
			port, link := open(t, l)
			state, at, err := link.Find(t.Context(), Speeds(), port.SetSpeed)
			if err != nil || state != Playing || at != speed {
				t.Fatalf("state %v at %d, %v", state, at, err)
			}
			toShell(t, link)
			state, at, err = link.Find(t.Context(), []int{speed}, port.SetSpeed)
			if err != nil || state != Shell || at != speed {
				t.Errorf("state %v at %d, %v", state, at, err)
			}
		})
	}
	t.Run("nobody", func(t *testing.T) {
		t.Parallel()
		_, far := consoletest.PTY(t)
		port, err := OpenPort(far.Name(), 4800)
		must(t, err)
		defer port.Close()
		link := NewLink(port)
		link.Times = Times{Probe: 50 * time.Millisecond, Quit: time.Millisecond, Command: time.Second}
		if state, _, err := link.Find(t.Context(), Speeds(), port.SetSpeed); err != nil || state != Silent {
			t.Errorf("state %v, %v", state, err)
		}
		if err := link.Quit(t.Context()); !errors.Is(err, ErrSilent) {
			t.Errorf("quit: %v", err)
		}
	})
}

func TestRun(t *testing.T) {
	t.Parallel()
	l := newLine(t)
	_, link := open(t, l)
	toShell(t, link)
	res, err := link.Run(t.Context(), "echo one; echo two; (exit 3)", 0)
	if err != nil || res.Code != 3 || strings.Join(strings.Fields(res.Output), " ") != "one two" {
		t.Errorf("%q, code %d, %v", res.Output, res.Code, err)
	}
	if _, err := link.Do(t.Context(), "false", 0); err == nil {
		t.Error("false succeeds")
	}
	if _, err := link.Do(t.Context(), "no-such-program", 0); err == nil || !strings.Contains(err.Error(), "does not know it") {
		t.Errorf("a command that is not there: %v", err)
	}
	l.Noise.Store(60) // nearly every line has a wrong letter
	for i := range 5 {
		if _, err := link.Run(t.Context(), "true", time.Second); err != nil && !errors.Is(err, ErrSilent) {
			t.Errorf("with noise, %d: %v", i, err)
		}
	}
	l.Noise.Store(0)
	if _, err := link.Do(t.Context(), "true", 0); err != nil {
		t.Errorf("after the noise: %v", err)
	}
}
