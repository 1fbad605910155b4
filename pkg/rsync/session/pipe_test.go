package session

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

func version(n uint32) string { return string(binary.LittleEndian.AppendUint32(nil, n)) }

func TestGreetShellServer(t *testing.T) {
	for _, c := range []struct {
		name   string
		said   string
		ours   int
		want   int
		answer string // what the server hears
		fault  string
		code   proto.Exit
	}{
		{"today's", version(32), 32, 32, version(32), "", 0},
		{"2.3.2 hears no more than it speaks", version(21), 32, 21, version(21), "", 0},
		{"2.5.7", version(26), 32, 26, version(26), "", 0},
		{"3.0.9", version(30), 32, 30, version(32), "", 0},
		{"forced down", version(32), 20, 20, version(20), "", 0},
		{"from the future", version(40), 32, 32, version(32), "", 0},
		{"too old", version(19), 32, 0, "", "is your shell clean", proto.ExitProtocol},
		{"a message", "This account is not available.\n", 32, 0, "", "This account", proto.ExitProtocol},
		{"two bytes", "ab", 32, 0, "", `"ab"`, proto.ExitProtocol},
		{"nothing", "", 32, 0, "", "not said a word", proto.ExitStreamIO},
		{"long", strings.Repeat("x", 5000), 32, 0, "", "xxx", proto.ExitProtocol},
		{"wrong of us", version(32), 33, 0, "", "--protocol must be", proto.ExitSyntax},
	} {
		t.Run(c.name, func(t *testing.T) {
			var heard bytes.Buffer
			r, w := wire.NewReader(iotest.OneByteReader(strings.NewReader(c.said)), 512), wire.NewWriter(&heard, 512)
			got, err := GreetShellServer(r, w, c.ours, func(time.Time) {})
			if got != c.want || heard.String() != c.answer {
				t.Errorf("got version %d (%v), want %d; the server hears %q, want %q", got, err, c.want, heard.String(), c.answer)
			}
			if c.fault == "" {
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.fault) || proto.ExitCode(err) != c.code {
				t.Errorf("error %v (code %d), want %q (code %d)", err, proto.ExitCode(err), c.fault, c.code)
			}
			var u *UncleanError
			if errors.As(err, &u) && len(u.Text) > maxUnclean {
				t.Errorf("%d bytes are kept", len(u.Text))
			}
		})
	}
}

// TestGreetShellServerWaits: what a shell prints slowly is gathered, but not
// waited for for ever.
func TestGreetShellServerWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer near.Close()
		defer far.Close()
		go func() {
			io.WriteString(far, "Welcome ")
			time.Sleep(uncleanWait / 10)
			io.WriteString(far, "home")
		}()
		start := time.Now()
		_, err := GreetShellServer(wire.NewReader(near, 512), wire.NewWriter(io.Discard, 512), 32, func(d time.Time) { _ = near.SetReadDeadline(d) })
		var u *UncleanError
		if !errors.As(err, &u) || string(u.Text) != "Welcome home" || u.Err != nil {
			t.Errorf("got %v", err)
		}
		if d := time.Since(start); d != uncleanWait {
			t.Errorf("that took %v", d)
		}
	})
}

func TestGreetShellClient(t *testing.T) {
	for _, c := range []struct {
		name      string
		letters   string
		says      string
		announced uint32
		want      int
		code      proto.Exit
	}{
		{"3.5.0", "iLsfxCIvu", version(32), 32, 32, 0},
		{"3.5.0 with --protocol=29", "", version(29), 30, 29, 0},
		{"2.3.2", "", version(21), 30, 21, 0},
		{"too old", "", version(11), 30, 0, proto.ExitProtocol},
		{"gone", "", "", 30, 0, proto.ExitStreamIO},
	} {
		t.Run(c.name, func(t *testing.T) {
			var heard bytes.Buffer
			got, err := GreetShellClient(wire.NewReader(strings.NewReader(c.says), 512), wire.NewWriter(&heard, 512), 32, c.letters)
			if got != c.want || heard.String() != version(c.announced) || proto.ExitCode(err) != c.code {
				t.Errorf("version %d, announced %q, error %v; want %d, %d, code %d", got, heard.String(), err, c.want, c.announced, c.code)
			}
		})
	}
}

func FuzzGreetShellServer(f *testing.F) {
	for _, s := range []string{version(21), version(32), version(19), "This account", "", "\x1e", "@RSYNCD: 31.0\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		var heard bytes.Buffer
		got, err := GreetShellServer(wire.NewReader(bytes.NewReader(p), 512), wire.NewWriter(&heard, 512), 32, func(time.Time) {})
		if (err == nil) != (got >= proto.MinVersion && got <= proto.MaxVersion) {
			t.Errorf("version %d, error %v", got, err)
		}
		if err != nil && heard.Len() != 0 {
			t.Errorf("a server that is none hears %q", heard.Bytes())
		}
	})
}
