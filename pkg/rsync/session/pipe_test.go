package session

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// Both sides of a remote shell come to the lower version, and a client of
// before 3.0 never hears more than 30.
func TestGreetOverShell(t *testing.T) {
	for client := proto.MinVersion; client <= proto.MaxVersion; client++ {
		for server := proto.MinVersion; server <= proto.MaxVersion; server++ {
			letters := ""
			if proto.ShowsLetters(client) {
				letters = proto.ClientLetters()
			}
			here, there := pipe(t)
			agreed := make(chan int, 1)
			go func() {
				v, err := GreetShellClient(there.r, there.w, server, letters)
				if err != nil {
					t.Error(err)
				}
				agreed <- v
			}()
			v, err := GreetShellServer(here.r, here.w, client, setDeadline(t, here))
			if got := <-agreed; err != nil || got != v || v != min(client, server) {
				t.Errorf("%d and %d agree on %d here, %d there, %v", client, server, v, got, err)
			}
		}
	}
}

func TestUncleanShell(t *testing.T) {
	for _, tt := range []struct {
		name, says, text, want string
		code                   proto.Exit
	}{
		{"nothing", "", "", "the other side has not said a word: EOF", proto.ExitStreamIO},
		{"less than a version", "hi", "hi", `is your shell clean? The other side began with "hi"`, proto.ExitProtocol},
		{"a greeting", "Welcome!\nLast login\n", "Welcome!\nLast login\n", `began with "Welcome!\nLast login\n"`, proto.ExitProtocol},
		{"too much", strings.Repeat("x", 5000), strings.Repeat("x", maxUnclean), "xxx\"...", proto.ExitProtocol},
		{"a version too old", "\x13\x00\x00\x00", "\x13\x00\x00\x00", "is your shell clean?", proto.ExitProtocol},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, w, heard := said("")
			r := wire.NewReader(strings.NewReader(tt.says), 4096)
			_, err := GreetShellServer(r, w, 32, func(time.Time) {})
			wantError(t, err, tt.want, tt.code)
			var unclean *UncleanError
			if !errors.As(err, &unclean) || string(unclean.Text) != tt.text {
				t.Errorf("the text is %+v", unclean)
			}
			if heard.Len() != 0 {
				t.Errorf("it is told %q", heard)
			}
		})
	}
}

// A shell that talks and then waits, as one with a question does, is waited
// for only a moment.
func TestUncleanShellThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := pipe(t)
		go func() { fmt.Fprint(there, "password: ") }()
		start := time.Now()
		_, err := GreetShellServer(here.r, here.w, 32, setDeadline(t, here))
		wantError(t, err, `began with "password: "`, proto.ExitProtocol)
		if d := time.Since(start); d != uncleanWait {
			t.Errorf("waited %v", d)
		}
	})
}

func TestGreetShellClientErrors(t *testing.T) {
	for says, code := range map[string]proto.Exit{"": proto.ExitStreamIO, "abc": proto.ExitStreamIO, "help": proto.ExitProtocol, "\x13\x00\x00\x00": proto.ExitProtocol} {
		r, w, _ := said(says)
		if v, err := GreetShellClient(r, w, 32, ""); err == nil || proto.ExitCode(err) != code {
			t.Errorf("%q: %d, %v, code %d", says, v, err, proto.ExitCode(err))
		}
	}
}

func TestPipes(t *testing.T) {
	in, far, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	back, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	defer back.Close()
	c := Pipes(in, out)
	defer c.Close()
	fmt.Fprint(far, "hello")
	p := make([]byte, 5)
	if _, err := io.ReadFull(c, p); err != nil || string(p) != "hello" {
		t.Errorf("%q, %v", p, err)
	}
	if err := c.SetReadDeadline(time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(p); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("past its deadline: %v", err)
	}
	fmt.Fprint(c, "bye")
	if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(back); string(got) != "bye" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if c.LocalAddr().String() != "pipe" || c.RemoteAddr().Network() != "pipe" {
		t.Errorf("addresses %v, %v", c.LocalAddr(), c.RemoteAddr())
	}
}
