package console

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/console/consoletest"
)

// onboard prepares the whole job on a line.
func onboard(l *consoletest.Line, link *Link, program string, said *[]string) *Onboard {
	return &Onboard{
		Link: link, Program: program, Root: l.Root,
		Check: func(cpuinfo, version string) error {
			if !strings.Contains(cpuinfo, "5TEJ") || !strings.Contains(version, "6.1.0") {
				return fmt.Errorf("a strange player: %q, %q", cpuinfo, version)
			}
			return nil
		},
		Say: func(s string) { *said = append(*said, s) },
		Progress: func(done, total int64, _ time.Duration) {
			if done == total {
				*said = append(*said, "all sent")
			}
		},
	}
}

func TestOnboard(t *testing.T) {
	t.Parallel()
	l := newLine(t)
	_, link := open(t, l)
	toShell(t, link)
	program := consoletest.Program(t, l.Root, 100_000)
	var said []string
	o := onboard(l, link, program, &said)
	o.Args = "--role slave"
	if err := o.Run(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(said, "\n"))
	}
	l.Arrived(t, program)
	all := strings.Join(said, "\n")
	for _, want := range []string{"sending the program", "checking length and sum", "empegsync test", "--role slave"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not said:\n%s", want, all)
		}
	}
	if _, err := os.Stat(filepath.Join(l.Root, "mounts")); err == nil {
		t.Error("a writable drive was remounted")
	}
}

// Noise on the line, in either direction, makes both sides repeat; nothing wrong is
// laid down, and no command becomes another one.
func TestOnboardWithNoise(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		from, to int64 // the player
	}{{"from the player", 700, 0}, {"to the player", 0, 4000}, {"both", 4000, 4000}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := newLine(t)
			_, link := open(t, l)
			toShell(t, link)
			program := consoletest.Program(t, l.Root, 60_000)
			before, err := os.ReadDir(l.Root)
			must(t, err)
			l.Noise.Store(tt.from)
			l.NoiseTo.Store(tt.to)
			var said []string
			if err := onboard(l, link, program, &said).Run(t.Context()); err != nil {
				t.Fatalf("%v\n%s", err, strings.Join(said, "\n"))
			}
			l.Arrived(t, program)
			after, err := os.ReadDir(l.Root)
			if err != nil || len(after) != len(before) {
				t.Errorf("in the root: %v, before %v; %v", after, before, err)
			}
		})
	}
}

// A line that drops leaves what has come over; with the line back, it goes on from
// there.
func TestOnboardGoesOnAfterADrop(t *testing.T) {
	t.Parallel()
	l := newLine(t)
	_, link := open(t, l)
	toShell(t, link)
	program := consoletest.Program(t, l.Root, 400_000)
	l.Cut.Store(200_000)
	var said []string
	err := onboard(l, link, program, &said).Run(t.Context())
	if !errors.Is(err, ErrDropped) || !strings.Contains(err.Error(), "run this again") {
		t.Fatalf("with the cable out: %v", err)
	}
	there, err := filepath.Glob(filepath.Join(l.Root, "drive0/empegsync/*.gz"))
	if err != nil || len(there) != 1 {
		t.Fatalf("what has come over: %v, %v", there, err)
	}
	l.Cut.Store(0)
	l.Plug(t)
	port, link := open(t, l)
	if _, _, err := link.Find(t.Context(), Speeds(), port.SetSpeed); err != nil {
		t.Fatal(err)
	}
	toShell(t, link)
	said = nil
	if err := onboard(l, link, program, &said).Run(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(said, "\n"))
	}
	l.Arrived(t, program)
	if all := strings.Join(said, "\n"); !strings.Contains(all, "going on with the program") {
		t.Errorf("it begins anew:\n%s", all)
	}
	if l.Passed() > 330_000 {
		t.Errorf("%d bytes were sent to go on", l.Passed())
	}
}

// A full disk is told before anything is sent, or when it fills up meanwhile; a
// read-only drive is read-only in the end.
func TestOnboardOnAFullDisk(t *testing.T) {
	t.Parallel()
	l := newLine(t)
	_, link := open(t, l)
	toShell(t, link)
	program := consoletest.Program(t, l.Root, 50_000)
	bin := filepath.Join(l.Root, "bin")
	fake := func(name, text string) {
		must(t, os.Remove(filepath.Join(bin, name)))
		must(t, os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+text), 0o755))
	}
	fake("df", "echo 'Filesystem 1024-blocks Used Available Capacity Mounted on'\necho '/dev/hda4 100 90 10 90% /drive0'\n")
	var said []string
	err := onboard(l, link, program, &said).Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "drive0 has 10 KB free") {
		t.Errorf("a full disk: %v", err)
	}
	fake("df", "echo '/dev/hda4 100000 90 90000 9% /drive0'\n")
	fake("gzip", "case $1 in -dc) echo 'gzip: stdout: No space left on device'; exit 1 ;; esac\nexec "+mustLook(t, "gzip")+" \"$@\"\n")
	err = onboard(l, link, program, &said).Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "could not be unpacked: ") {
		t.Errorf("a disk that fills up: %v", err)
	}
	left, err := filepath.Glob(filepath.Join(l.Root, "drive0/empegsync/*"))
	if err != nil || len(left) != 1 || !strings.HasSuffix(left[0], ".gz") {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func mustLook(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	must(t, err)
	return path
}

// What does not run there, and what cannot, is told; the drive is as it was.
func TestOnboardRefuses(t *testing.T) {
	t.Parallel()
	l := newLine(t)
	_, link := open(t, l)
	toShell(t, link)
	program := filepath.Join(t.TempDir(), "program")
	must(t, os.WriteFile(program, []byte("#!/bin/sh\necho Illegal instruction\nexit 132\n"), 0o755))
	var said []string
	o := onboard(l, link, program, &said)
	if err := o.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "does not run on the player") || !strings.Contains(err.Error(), "132") {
		t.Errorf("a program that does not run: %v", err)
	}
	if left, err := os.ReadDir(filepath.Join(l.Root, "drive0/empegsync")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	no := errors.New("too old")
	o.Check = func(string, string) error { return no }
	if err := o.Run(t.Context()); !errors.Is(err, no) {
		t.Errorf("a player that is too old: %v", err)
	}
}
