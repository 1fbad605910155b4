package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/empegsync/empegsync/pkg/console/consoletest"
)

// columns is the width of the tests' terminal: narrower than a progress line.
const columns = 44

// openTerminal makes a terminal that passes on what is written to it as it is.
// Closing the screen ends the reading of its other side, the keyboard.
func openTerminal(t *testing.T) (keyboard, screen *os.File) {
	t.Helper()
	keyboard, screen = consoletest.PTY(t)
	fd := int(screen.Fd())
	mode, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	must(t, err)
	mode.Oflag &^= unix.OPOST // else every line end gets a \r
	must(t, unix.IoctlSetTermios(fd, unix.TCSETS, mode))
	must(t, unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns}))
	return keyboard, screen
}

// onTerminal pulls with its output on a terminal and returns what it shows.
func onTerminal(t *testing.T, term, addr, slave string, flags ...string) string {
	t.Helper()
	keyboard, screen := openTerminal(t)
	cmd := empegsync(append([]string{"pull", addr, "--root", slave}, flags...)...)
	cmd.Env = append(os.Environ(), "TERM="+term)
	cmd.Stdout = screen
	p := start(t, cmd)
	must(t, screen.Close()) // now the program has the last one
	shown, err := io.ReadAll(keyboard)
	if err != nil && !strings.Contains(err.Error(), "input/output error") { // what Linux says when a terminal's other side is closed
		t.Error(err)
	}
	p.wait().expect(t, 0)
	return string(shown)
}

// Progress is one line that is rewritten on a terminal, and nothing in a pipe
// or on a terminal that cannot do that.
func TestProgress(t *testing.T) {
	live := regexp.MustCompile(`^drive[01]  +\d+%  [\d,]+ of [\d,]+ files`)
	tests := []struct {
		term  string
		flags []string
		live  bool
	}{
		{"vt100", nil, true},
		{"vt100", []string{"-v"}, true},
		{"vt100", []string{"-q"}, false},
		{"dumb", []string{"-v"}, false},
		{"pipe", []string{"-v"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.term+strings.Join(tt.flags, ""), func(t *testing.T) {
			t.Parallel()
			master, slave := players(t, 20)
			must(t, os.MkdirAll(filepath.Join(master, "drive0/fids/_00ffe"), 0o755))
			must(t, rewrite(filepath.Join(master, "drive0/fids/_00ffe/ff0"), 300_000, 'a'))
			addr := slow(t, serve(t, "--root", master).addr, 150_000).addr // for some seconds
			shown := ""
			if tt.term == "pipe" {
				r := call(t, append([]string{"pull", addr, "--root", slave}, tt.flags...)...)
				r.expect(t, 0)
				shown = r.out
			} else {
				shown = onTerminal(t, tt.term, addr, slave, tt.flags...)
			}
			equal(t, master, slave)
			found := false
			for _, part := range strings.FieldsFunc(shown, func(r rune) bool { return r == '\r' || r == '\n' }) {
				found = found || live.MatchString(part)
				if tt.live && live.MatchString(part) && len(part) >= columns {
					t.Errorf("a live line of %d columns: %q", len(part), part)
				}
			}
			if found != tt.live || strings.Contains(shown, "\r") != tt.live {
				t.Errorf("live line %v, want %v:\n%q", found, tt.live, shown)
			}
			names := strings.Contains(shown, "\nfids/_00ffe/ff0\n") || strings.Contains(shown, "\rfids/_00ffe/ff0\n")
			if names != strings.Contains(strings.Join(tt.flags, ""), "v") {
				t.Errorf("names shown: %v\n%q", names, shown)
			}
			if said := strings.Contains(shown, "drive1: "); said == (strings.Join(tt.flags, "") == "-q") {
				t.Errorf("the totals:\n%q", shown)
			}
		})
	}
}
