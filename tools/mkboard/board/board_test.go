package board

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestReadRecipe(t *testing.T) {
	r, err := ReadRecipe("../../../firmware/board/recipe")
	if err != nil {
		t.Fatal(err)
	}
	if r.Kernel == "" || len(r.Modules) == 0 || len(r.Programs) < 2 || len(r.Links) < 20 {
		t.Errorf("%+v", r)
	}
	for text, want := range map[string]string{
		"kernel linux-image-armmp\nlink busybox\n": "line 2",
		"kernel\n":                     "line 1",
		"# nothing\n":                  "no kernel",
		"kernel a-b\nprogram bin/sh\n": `"program bin/sh"`,
	} {
		file := filepath.Join(t.TempDir(), "recipe")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadRecipe(file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestLoadOrder(t *testing.T) {
	have := map[string]module{
		"ext4": {needs: []string{"jbd2", "mbcache", "crc16"}}, "jbd2": {needs: []string{"crc16"}}, "mbcache": {}, "crc16": {},
		"virtio_rng": {needs: []string{"rng_core"}},
	}
	got, err := loadOrder(have, []string{"crc16", "ext4"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"crc16", "jbd2", "mbcache", "ext4"}, got); diff != "" {
		t.Error(diff)
	}
	if _, err := loadOrder(have, []string{"virtio-rng"}); err == nil || !strings.Contains(err.Error(), "rng_core, which virtio_rng asks for") {
		t.Errorf("a module that is not there: %v", err)
	}
}

func FuzzParseModule(f *testing.F) {
	f.Add([]byte("\x7fELF"))
	f.Fuzz(func(t *testing.T, content []byte) {
		if m, err := parseModule(content); err == nil && m.content == nil {
			t.Error("no error and no module")
		}
	})
}

func TestConsole(t *testing.T) {
	output, board := io.Pipe()
	var typed, log bytes.Buffer
	c := newConsole(&typed, &log)
	ended := make(chan struct{})
	go func() { c.read(output); close(ended) }()
	say := func(s string) {
		t.Helper()
		if _, err := io.WriteString(board, s); err != nil {
			t.Fatal(err)
		}
	}
	say("boot\r\n\x1b[?2004hempeg:/# ")
	if _, err := c.Expect(t.Context(), Prompt); err != nil {
		t.Fatal(err)
	}
	say("false; echo \"exit=$?\"\r\nsome\r\nwords\r\nexit=1\r\nempeg:/bin# ")
	out, code, err := c.Run(t.Context(), "false")
	if out != "some\nwords\n" || code != 1 || err != nil {
		t.Errorf("Run: %q, %d, %v", out, code, err)
	}
	if typed.String() != "false; echo \"exit=$?\"\n" {
		t.Errorf("typed %q", &typed)
	}
	say("one 12 two")
	if match, err := c.Expect(t.Context(), `(\d)(\d)`); err != nil || cmp.Diff([]string{"12", "1", "2"}, match) != "" {
		t.Errorf("groups: %q, %v", match, err)
	}
	say("\nlate\nearly\nrest ")
	if err := c.ExpectAll(t.Context(), "^early", "^late"); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := c.Expect(ctx, "one"); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "rest") {
		t.Errorf("what was read is still there: %v", err)
	}
	board.Close()
	<-ended
	if _, err := c.Expect(t.Context(), "three"); !errors.Is(err, ErrPowerOff) {
		t.Errorf("after the end: %v", err)
	}
	if want := "boot\nempeg:/# false; echo \"exit=$?\"\nsome\nwords\nexit=1\nempeg:/bin# one 12 two\nlate\nearly\nrest \n"; log.String() != want {
		t.Errorf("log %q, want %q", &log, want)
	}
}

func TestConsolePanic(t *testing.T) {
	c := newConsole(io.Discard, nil)
	c.read(strings.NewReader("Kernel panic - not syncing: no init\n"))
	if _, err := c.Expect(t.Context(), "playing"); err == nil || !strings.Contains(err.Error(), "no init") {
		t.Errorf("a panic: %v", err)
	}
}

// The kernel speaks in between, and what a board says comes in pieces.
func TestConsoleInPieces(t *testing.T) {
	said := "empeg:/# ls; echo \"ex[    1.000001] one\r\nit=$?\"\r\n[    1.000002] two [drive0]\r\nho\x1b[?2004lme\r\nexit=0\r\n\x1b[?2004hempeg[   12.345678] three\r\n:/# "
	want := "[    1.000001] one\nempeg:/# ls; echo \"exit=$?\"\n[    1.000002] two [drive0]\nhome\nexit=0\n[   12.345678] three\nempeg:/# "
	for _, size := range []int{1, 2, 3, 7, len(said)} {
		var log bytes.Buffer
		c := newConsole(io.Discard, &log)
		c.read(iotest.DataErrReader(&pieces{said, size}))
		if got := log.String(); got != want+"\n" {
			t.Errorf("pieces of %d: %q, want %q", size, got, want)
		}
		out, code, err := c.Run(t.Context(), "ls")
		if code != 0 || err != nil || out != "[    1.000002] two [drive0]\nhome\n" {
			t.Errorf("pieces of %d: %q, %d, %v", size, out, code, err)
		}
	}
}

// pieces reads a text so many bytes at a time.
type pieces struct {
	text string
	size int
}

func (p *pieces) Read(b []byte) (int, error) {
	if p.text == "" {
		return 0, io.EOF
	}
	n := copy(b, p.text[:min(p.size, len(p.text))])
	p.text = p.text[n:]
	return n, nil
}
