package main

import (
	"io"
	"os"
	"os/exec"
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

// seat is somebody at a terminal on which a program runs.
type seat struct {
	t        *testing.T
	keyboard *os.File
	p        *process
	shown    lockedBuffer
	quiet    chan struct{} // closed when nothing more can be shown
	read     int           // how much of what is shown has been looked at
}

// sit starts a program on a terminal.
func sit(t *testing.T, cmd *exec.Cmd) *seat {
	t.Helper()
	keyboard, screen := openTerminal(t)
	cmd.Stdin, cmd.Stdout = screen, screen
	s := &seat{t: t, keyboard: keyboard, p: start(t, cmd), quiet: make(chan struct{})}
	must(t, screen.Close()) // now the program has the last one
	go func() {
		defer close(s.quiet)
		_, _ = io.Copy(&s.shown, keyboard) // ends with the error of a terminal whose other side is closed
	}()
	return s
}

// waits waits until something is shown, after what was waited for before.
func (s *seat) waits(text string) {
	s.t.Helper()
	at := -1
	s.until("shown: "+text, func() bool {
		at = strings.Index(s.shown.String()[s.read:], text)
		return at >= 0
	})
	s.read += at + len(text)
}

// asked waits until the last that is shown is a question.
func (s *seat) asked(what string) {
	s.t.Helper()
	s.until(what, func() bool {
		shown := s.shown.String()
		return strings.HasSuffix(shown, ": ") && len(shown) > s.read
	})
	s.read = len(s.shown.String())
}

// until waits for a condition, which must come true before the program ends.
func (s *seat) until(what string, condition func() bool) {
	s.t.Helper()
	defer func() {
		if s.t.Failed() {
			s.t.Logf("shown:\n%q", s.shown.String())
		}
	}()
	until(s.t, what, func() bool {
		if condition() {
			return true
		}
		select {
		case <-s.quiet:
			if !condition() {
				s.t.Fatalf("it has ended before: %s\n%s", what, s.p.wait())
			}
			return true
		default:
			return false
		}
	})
}

func (s *seat) types(text string) {
	s.t.Helper()
	_, err := s.keyboard.WriteString(text)
	must(s.t, err)
}

// end waits for the program's end; it returns all that was shown.
func (s *seat) end() (string, result) {
	s.t.Helper()
	r := s.p.wait()
	<-s.quiet
	return s.shown.String(), r
}

// onTerminal pulls with its output on a terminal and returns what it shows.
func onTerminal(t *testing.T, term, addr, slave string, flags ...string) string {
	t.Helper()
	cmd := empegsync(append([]string{"pull", addr, "--root", slave}, flags...)...)
	cmd.Env = append(os.Environ(), "TERM="+term)
	shown, r := sit(t, cmd).end()
	r.expect(t, 0)
	return shown
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
