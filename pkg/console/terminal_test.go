package console

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/empegsync/empegsync/pkg/console/consoletest"
)

// lines reads all lines of what is typed, until an error.
func lines(t *testing.T, typed string) ([]string, error) {
	t.Helper()
	term, err := NewTerminal(t.Context(), strings.NewReader(typed), io.Discard)
	must(t, err)
	var out []string
	for {
		line, err := term.ReadLine(false)
		if err != nil {
			return out, err
		}
		out = append(out, line)
	}
}

func TestReadLine(t *testing.T) {
	tests := []struct {
		name, typed string
		want        []string
		err         error
	}{
		{"LF", "a\nb\n", []string{"a", "b"}, io.EOF},
		{"CR", "a\rb\r", []string{"a", "b"}, io.EOF},
		{"CR LF", "a\r\nb\r\n", []string{"a", "b"}, io.EOF},
		{"CR NUL", "a\r\x00b\r\x00", []string{"a", "b"}, io.EOF},
		{"empty lines", "\r\n\r\n", []string{"", ""}, io.EOF},
		{"CR CR", "\r\r", []string{"", ""}, io.EOF},
		{"blanks", "  a b  \n", []string{"a b"}, io.EOF},
		{"backspace", "kitxh\b\bchen\n", []string{"kitchen"}, io.EOF},
		{"delete", "ax\x7fb\n", []string{"ab"}, io.EOF},
		{"backspace beyond the beginning", "\b\b\x7fa\n", []string{"a"}, io.EOF},
		{"^U", "nonsense\x15a\n", []string{"a"}, io.EOF},
		{"noise", "\x00\xff\x80k\xfei\x01t\x0e\n", []string{"kit"}, io.EOF},
		{"arrow keys", "a\x1b[Ab\x1bOPc\x1b[3~d\n", []string{"abcd"}, io.EOF},
		{"^C", "abc\x03def\n", nil, ErrInterrupted},
		{"^D", "a\n\x04b\n", []string{"a"}, io.EOF},
		{"^D in a line", "a\x04b\n", []string{"ab"}, io.EOF},
		{"too long", strings.Repeat("x", 5000) + "\n", []string{strings.Repeat("x", longestLine)}, io.EOF},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := lines(t, tt.typed)
			if diff := cmp.Diff(tt.want, got); diff != "" || !errors.Is(err, tt.err) {
				t.Errorf("error %v; lines (-want +got):\n%s", err, diff)
			}
		})
	}
}

// On a terminal the echo is ours: what is shown is what is kept, passwords are
// stars, and in the end the terminal is as it was.
func TestTerminalEchoes(t *testing.T) {
	near, far := consoletest.PTY(t)
	before, err := unix.IoctlGetTermios(int(far.Fd()), unix.TCGETS)
	must(t, err)
	term, err := NewTerminal(t.Context(), far, far)
	must(t, err)
	// Typed before anybody reads, as by somebody who knows the questions.
	_, err = near.WriteString("ki\xfftx\bchen\r\nsecret\r")
	must(t, err)
	term.Print("Name: ")
	name, err := term.ReadLine(false)
	must(t, err)
	term.Print("Password: ")
	word, err := term.ReadLine(true)
	must(t, err)
	term.Print("done\n")
	if name != "kitchen" || word != "secret" {
		t.Errorf("read %q and %q", name, word)
	}
	must(t, term.Close())
	after, err := unix.IoctlGetTermios(int(far.Fd()), unix.TCGETS)
	must(t, err)
	if *before != *after {
		t.Errorf("the terminal's settings: %+v, were %+v", after, before)
	}
	var shown bytes.Buffer
	buf := make([]byte, 256)
	for !strings.Contains(shown.String(), "done") {
		n, err := near.Read(buf)
		must(t, err)
		shown.Write(buf[:n])
	}
	got := strings.ReplaceAll(shown.String(), "\r\r\n", "\r\n")
	want := "Name: kitx\b \bchen\r\nPassword: ******\r\ndone\r\n"
	if !strings.HasPrefix(want, got) || !strings.Contains(got, "done") {
		t.Errorf("shown %q, want %q", got, want)
	}
}

// FuzzReadLine types anything: every line is text that a terminal can show.
func FuzzReadLine(f *testing.F) {
	f.Add([]byte("kitchen\r\n"))
	f.Add([]byte("a\x1b[3~\x7f\x15\x03"))
	f.Fuzz(func(t *testing.T, typed []byte) {
		term, err := NewTerminal(t.Context(), bytes.NewReader(typed), io.Discard)
		must(t, err)
		for {
			line, err := term.ReadLine(false)
			if err != nil {
				return
			}
			if len(line) > longestLine || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Errorf("line %q", line)
			}
		}
	})
}
