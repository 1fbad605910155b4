package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/empegsync/empegsync/pkg/console/consoletest"
	"github.com/empegsync/empegsync/pkg/install"
	"github.com/empegsync/empegsync/pkg/ownspace"
)

// onConsole has somebody at a terminal bring a program over a line.
func onConsole(t *testing.T, l *consoletest.Line, program string, flags ...string) *seat {
	t.Helper()
	return sit(t, empegsync(append([]string{"console", "--port", l.Port(), "--program", program, "--root", l.Root}, flags...)...))
}

// atPlayer waits until the terminal is the player's console, and leaves.
func (s *seat) atPlayer() (string, result) {
	s.t.Helper()
	s.waits("connected; ")
	s.waits("the player plays")
	s.types("~.")
	return s.end()
}

// The whole job, as somebody sees it who has a player on a cable: the program
// arrives, is installed, asks, and runs; the player plays in the end.
func TestConsole(t *testing.T) {
	t.Parallel()
	root, _ := players(t, 12)
	withPlayer(t, root)
	l := consoletest.Start(t, root)
	s := onConsole(t, l, os.Getenv(binaryVar))
	s.waits("the player answers, at 115200 baud")
	s.waits("100%")
	s.waits("write /empeg/bin/player (the boot hook")
	s.waits("Its name in the network [kitchen]: ")
	for _, answer := range []string{"den\r", "\r", "\r", "\r", "\r", "yes\r"} {
		s.types(answer)
		if answer != "yes\r" {
			s.asked("the question after " + answer)
		}
	}
	s.waits("Written.")
	s.waits("starting the player (exit)")
	shown, r := s.atPlayer()
	r.expect(t, 0)
	text, err := os.ReadFile(filepath.Join(root, install.Config))
	if err != nil || !strings.Contains(string(text), "\nhostname = den\n") {
		t.Errorf("the configuration: %v\n%s\nshown:\n%s", err, text, shown)
	}
	if _, err := os.Stat(filepath.Join(root, "empeg/bin/empegsync/player")); err != nil {
		t.Error(err)
	}
	if left, err := filepath.Glob(filepath.Join(root, "drive0/empegsync/empegsync-new*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if shells, err := os.ReadFile(filepath.Join(root, "shells")); err != nil || len(shells) == 0 {
		t.Errorf("the shell has not ended: %q, %v", shells, err)
	}
}

// Lines that are not as they should be: slow, noisy, dropped.
func TestConsoleOnBadLines(t *testing.T) {
	t.Parallel()
	setUp := func(t *testing.T) (*consoletest.Line, string) {
		t.Parallel()
		root := tempDir(t)
		return consoletest.Start(t, root), consoletest.Program(t, root, 40_000)
	}
	t.Run("4800 baud", func(t *testing.T) {
		l, program := setUp(t)
		l.Speed.Store(4800)
		s := onConsole(t, l, program)
		s.waits("the player answers, at 4800 baud")
		s.waits("Its name: ")
		s.types("den\n")
		_, r := s.atPlayer()
		r.expect(t, 0)
		l.Arrived(t, program)
		if name, err := os.ReadFile(filepath.Join(l.Root, "named")); err != nil || string(name) != "den\n" {
			t.Errorf("setup was told %q, %v", name, err)
		}
	})
	t.Run("noise", func(t *testing.T) {
		l, program := setUp(t)
		l.Noise.Store(4000)
		l.NoiseTo.Store(4000)
		s := onConsole(t, l, program, "--baud", "115200", "--no-setup")
		s.waits("connected; ")
		s.types("~.")
		_, r := s.end()
		r.expect(t, 0)
		l.Arrived(t, program)
	})
	t.Run("a drop", func(t *testing.T) {
		l, program := setUp(t)
		l.Cut.Store(20_000)
		_, r := onConsole(t, l, program).end()
		r.expect(t, 1, "the line has dropped", "run this again to go on")
		l.Cut.Store(0)
		l.Plug(t)
		s := onConsole(t, l, program, "--no-setup")
		s.waits("going on with the program")
		_, r = s.atPlayer()
		r.expect(t, 0)
		l.Arrived(t, program)
	})
	t.Run("nobody", func(t *testing.T) {
		t.Parallel()
		_, far := consoletest.PTY(t)
		shown, r := sit(t, empegsync("console", "--port", far.Name(), "--baud", "115200", "--program", os.Args[0])).end()
		r.expect(t, 1, "nothing answers", "is the player on")
		if !strings.Contains(shown, "nobody answers an empty line") {
			t.Errorf("shown:\n%s", shown)
		}
	})
}

// A terminal only: nothing is installed, and the line is for one program.
func TestConsoleTerminal(t *testing.T) {
	t.Parallel()
	l := consoletest.Start(t, tempDir(t))
	s := sit(t, empegsync("console", "--port", l.Port(), "--terminal"))
	s.waits("connected; ")
	call(t, "console", "--port", l.Port(), "--terminal").expect(t, 1, "in use by another program")
	s.types("q\r")
	s.waits("empeg:/")
	s.types("echo ~~ $((6 * 7))\r")
	s.waits("42")
	s.types("exit\r")
	s.waits("the player plays")
	s.types("\r~.")
	_, r := s.end()
	r.expect(t, 0)
}

// What cannot run the program gets none, and plays again.
func TestConsoleToAnOldPlayer(t *testing.T) {
	t.Parallel()
	l := consoletest.Start(t, tempDir(t))
	must(t, os.WriteFile(filepath.Join(l.Root, "proc/cpuinfo"), []byte("Processor : Intel StrongARM-1100 rev 9 (v4l)\n"), 0o644))
	shown, r := onConsole(t, l, consoletest.Program(t, l.Root, 1000)).end()
	r.expect(t, 1, "ARMv4", "Nothing was copied")
	if !strings.Contains(strings.ReplaceAll(shown, "\r\n", "\n"), install.StockAdvice) {
		t.Errorf("shown:\n%s", shown)
	}
	until(t, "the player plays again", func() bool {
		shells, err := os.ReadFile(filepath.Join(l.Root, "shells"))
		return err == nil && len(shells) > 0
	})
}

// A disk that is too full is told before anything is sent; one that fills up
// meanwhile ends the transfer, and with room again it goes on.
func TestConsoleOnAFullDisk(t *testing.T) {
	t.Parallel()
	if !ownspace.Enter(t, 0) {
		return
	}
	root := tempDir(t)
	drive := filepath.Join(root, "drive0")
	mountTmpfs(t, drive, "mode=755,size=1100k")
	l := consoletest.Start(t, root)
	program := consoletest.Program(t, root, 300_000)
	_, r := onConsole(t, l, program).end()
	r.expect(t, 1, "drive0 has", "KB free", "KB are needed")

	resize := func(kb int) {
		must(t, unix.Mount("", drive, "", unix.MS_REMOUNT|unix.MS_NOSUID, fmt.Sprintf("size=%dk", kb)))
	}
	resize(8000)
	filler := filepath.Join(drive, "filler")
	s := onConsole(t, l, program, "--no-setup")
	s.waits("sending the program")
	f, err := os.Create(filler)
	must(t, err)
	for err == nil {
		_, err = f.Write(make([]byte, 1<<16))
	}
	must(t, f.Close())
	shown, r := s.end()
	r.contains(t, 1, "could not be sent")
	must(t, os.Remove(filler))
	if _, err := os.Stat(filepath.Join(drive, "empegsync/empegsync")); err == nil {
		t.Errorf("it was laid down on a full disk:\n%s", shown)
	}
	s = onConsole(t, l, program, "--no-setup")
	_, r = s.atPlayer()
	r.expect(t, 0)
	l.Arrived(t, program)

}
