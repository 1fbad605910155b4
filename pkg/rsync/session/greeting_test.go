package session

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

func TestParseGreeting(t *testing.T) {
	for line, want := range map[string]Greeting{
		"@RSYNCD: 21":   {21, ""},
		"@RSYNCD: 26":   {26, ""},
		"@RSYNCD: 27 ":  {27, ""},
		"@RSYNCD: 30.0": {30, ""},
		"@RSYNCD: 31.0 sha512 sha256 sha1 md5 md4": {31, "sha512 sha256 sha1 md5 md4"},
		"@RSYNCD: 32.0 md5":                        {32, "md5"},
		"@RSYNCD: 31.14":                           {30, ""}, // a pre-release
		"@RSYNCD: 40.1 x":                          {39, "x"},
		"@RSYNCD: ":                                {},
		"@RSYNCD: x":                               {},
		"@RSYNCD: -1":                              {},
		"@RSYNCD: 0":                               {},
		"@RSYNCD: 31.":                             {},
		"@RSYNCD: 31.x":                            {},
		"@RSYNCD: 99999999999":                     {},
		"@RSYNCD: +31":                             {},
		"@RSYNCD:31":                               {},
		"SSH-2.0-OpenSSH_9.2":                      {},
		"":                                         {},
		"GET / HTTP/1.1\r":                         {},
		"@ERROR: access denied":                    {},
		" @RSYNCD: 31.0":                           {},
		"@RSYNCD: 31.0\r":                          {}, // no peer says so
		"@rsyncd: 31.0":                            {},
		strings.Repeat("\x1b", 4000):               {},
		"@RSYNCD: " + strings.Repeat("9", 4000):    {},
		"@RSYNCD: 31.0 " + strings.Repeat("md5 ", 9): {31, strings.TrimSpace(strings.Repeat("md5 ", 9))},
	} {
		g, err := ParseGreeting(line)
		if g != want || (err == nil) != (want.Version != 0) {
			t.Errorf("%.60q: %+v, %v, want %+v", line, g, err, want)
		}
		if err != nil && len(err.Error()) > 500 {
			t.Errorf("%.60q: a message of %d bytes", line, len(err.Error()))
		}
	}
}

func TestAppendGreeting(t *testing.T) {
	for version, want := range map[int]string{
		20: "@RSYNCD: 20\n", 29: "@RSYNCD: 29\n", 30: "@RSYNCD: 30.0\n", 31: "@RSYNCD: 31.0\n", 32: "@RSYNCD: 32.0 sha512 sha256 sha1 md5 md4\n",
	} {
		if got := string(AppendGreeting(nil, version)); got != want {
			t.Errorf("%d: %q, want %q", version, got, want)
		}
		g, err := ParseGreeting(strings.TrimSuffix(want, "\n"))
		if err != nil || g.Version != version {
			t.Errorf("%q reads as %+v, %v", want, g, err)
		}
	}
}

func FuzzParseGreeting(f *testing.F) {
	for v := proto.MinVersion; v <= proto.MaxVersion; v++ {
		f.Add(strings.TrimSuffix(string(AppendGreeting(nil, v)), "\n"))
	}
	f.Add("@ERROR: x")
	f.Fuzz(func(t *testing.T, line string) {
		g, err := ParseGreeting(line)
		switch {
		case err == nil && (g.Version < 0 || !strings.HasPrefix(line, marker) || !strings.Contains(line, g.Digests)):
			t.Errorf("%q: %+v", line, g)
		case err != nil && g != Greeting{}:
			t.Errorf("%q: %+v, %v", line, g, err)
		}
		// The whole exchange on both sides takes it, too.
		r, w, _ := said(line + "\nmodule\n")
		if g, err := GreetClient(r, w, proto.MaxVersion, "", func(time.Time) {}); err == nil && (g.Version < proto.MinVersion || g.Version > proto.MaxVersion) {
			t.Errorf("%q: agreed on %d as a daemon", line, g.Version)
		}
		r, w, _ = said(line + "\n")
		if g, err := GreetServer(r, w, proto.MaxVersion); err == nil && (g.Version < proto.MinVersion || g.Version > proto.MaxVersion) {
			t.Errorf("%q: agreed on %d as a client", line, g.Version)
		}
	})
}

// Our own client lets our own daemon know at once that it need not wait: with a
// clock that only moves when all are waiting, no time passes.
func TestOwnClientDoesNotWait(t *testing.T) {
	for ours := proto.MinVersion; ours <= proto.MaxVersion; ours++ {
		for _, daemons := range []int{ours, proto.MaxVersion} {
			t.Run(fmt.Sprint(ours, " to ", daemons), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					client, server := pipe(t)
					start := time.Now()
					agreed := make(chan int, 1)
					go func() {
						g, err := GreetClient(server.r, server.w, daemons, "welcome\n", setDeadline(t, server))
						if err != nil {
							t.Error(err)
						}
						agreed <- g.Version
					}()
					g, err := GreetServer(client.r, client.w, ours)
					if err != nil {
						t.Fatal(err)
					}
					if line := client.r.Line('\n', 100, "motd"); line != "welcome" {
						t.Errorf("motd %q", line)
					}
					if err := client.w.Flush(); err != nil {
						t.Fatal(err)
					}
					if there := <-agreed; g.Version != ours || there != ours {
						t.Errorf("agreed on %d here and %d there", g.Version, there)
					}
					if d := time.Since(start); d != 0 {
						t.Errorf("%v were lost", d)
					}
				})
			})
		}
	}
}

func setDeadline(t *testing.T, e end) func(time.Time) {
	return func(d time.Time) {
		if err := e.SetReadDeadline(d); err != nil {
			t.Error(err)
		}
	}
}

// A client that waits for the daemon to speak first costs EarlyWait, no more,
// and gets the newest version.
func TestSilentClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := pipe(t)
		start := time.Now()
		agreed := make(chan int, 1)
		go func() {
			g, _ := GreetClient(server.r, server.w, proto.MaxVersion, "", setDeadline(t, server))
			agreed <- g.Version
		}()
		line := client.r.Line('\n', 100, "greeting")
		if want := strings.TrimSpace(string(AppendGreeting(nil, proto.MaxVersion))); line != want {
			t.Errorf("greeted with %q", line)
		}
		if d := time.Since(start); d != EarlyWait {
			t.Errorf("waited %v", d)
		}
		time.Sleep(time.Hour) // the deadline is gone
		fmt.Fprint(client, "@RSYNCD: 31.0\n")
		if v := <-agreed; v != 31 {
			t.Errorf("agreed on %d", v)
		}
	})
}

// refuses30 is what releases up to 2.5.7 do with a greeting: more than 30 is
// too much for them (clientserver.c of 2.5.7, as observed).
func refuses30(line string) error {
	var v int
	if _, err := fmt.Sscanf(line, "@RSYNCD: %d", &v); err != nil {
		return err
	}
	if v < 15 || v > 30 {
		return errors.New("protocol version mismatch - is your shell clean?")
	}
	return nil
}

// Releases 2.3.2, 2.4.6 and 2.5.7 as clients: they send their greeting at once.
func TestOldClients(t *testing.T) {
	for _, old := range []int{21, 24, 26} {
		for _, pieces := range []int{1, 2, 3} { // of the greeting, apart on the wire
			t.Run(fmt.Sprint(old, " in ", pieces), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					client, server := pipe(t)
					refused := make(chan error, 1)
					go func() {
						hello := fmt.Sprintf("@RSYNCD: %d\n", old)
						for i := range pieces {
							fmt.Fprint(client, hello[i*len(hello)/pieces:(i+1)*len(hello)/pieces])
							time.Sleep(time.Millisecond)
						}
						err := refuses30(client.r.Line('\n', 100, "greeting"))
						if err != nil {
							client.Close()
						}
						fmt.Fprint(client, "module\n")
						refused <- err
					}()
					g, err := GreetClient(server.r, server.w, proto.MaxVersion, "", setDeadline(t, server))
					if module := server.r.Line('\n', 100, "module"); g.Version != old || err != nil || module != "module" {
						t.Errorf("agreed on %d, %v, module %q", g.Version, err, module)
					}
					if err := <-refused; err != nil {
						t.Error("the old client says:", err)
					}
				})
			})
		}
	}
}

// The same releases as daemons: they greet at once, and close when they hear
// more than 30.
func TestOldDaemons(t *testing.T) {
	for _, old := range []int{21, 24, 26} {
		t.Run(fmt.Sprint(old), func(t *testing.T) {
			client, server := loopback(t)
			go func() {
				fmt.Fprintf(server, "@RSYNCD: %d\n", old)
				if err := refuses30(server.r.Line('\n', 100, "greeting")); err != nil {
					server.Close()
					return
				}
				if server.r.Line('\n', 100, "module") == "drive0" {
					fmt.Fprint(server, "old motd\n@RSYNCD: OK\n")
				}
			}()
			g, err := GreetServer(client.r, client.w, proto.MaxVersion)
			if g.Version != old || g.Digests != "" || err != nil {
				t.Fatalf("agreed on %+v, %v", g, err)
			}
			var lines []string
			listed, err := AskModule(client.r, client.w, Ask{Module: "drive0", Say: func(l string) { lines = append(lines, l) }})
			if listed || err != nil || fmt.Sprint(lines) != "[old motd]" {
				t.Errorf("listed %v, %v, %q", listed, err, lines)
			}
		})
	}
}

func TestGreetServerErrors(t *testing.T) {
	for _, tt := range []struct {
		name, says, want string
		code             proto.Exit
	}{
		{"closes", "", "read the peer's greeting: unexpected EOF", proto.ExitStartClient},
		{"closes in the line", "@RSYNCD: 3", "unexpected EOF", proto.ExitStartClient},
		{"refuses", "@ERROR: max connections (2) reached -- try again later\n", "the daemon refuses: max connections (2) reached", proto.ExitStartClient},
		{"refuses and draws", "@ERROR: \x1b[2Jgone\n", `the daemon refuses: \#033[2Jgone`, proto.ExitStartClient},
		{"another service", "SSH-2.0-OpenSSH\r\n", `says "SSH-2.0-OpenSSH\r"`, proto.ExitProtocol},
		{"too old", "@RSYNCD: 19\n", "the peer says 19, this side speaks 20 to 32", proto.ExitProtocol},
		{"no version", "@RSYNCD: 4000\n", "the peer says 4000", proto.ExitProtocol},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, w, _ := said(tt.says)
			_, err := GreetServer(r, w, proto.MaxVersion)
			wantError(t, err, tt.want, tt.code)
		})
	}
	r, w, heard := said("@RSYNCD: 31.0\n")
	_, err := GreetServer(r, w, 33)
	wantError(t, err, "--protocol must be 20 to 32, not 33", proto.ExitSyntax)
	if heard.Len() != 0 {
		t.Errorf("%q was sent all the same", heard)
	}
	_, err = GreetServer(wire.NewReader(forever('x'), 0), w, 32)
	wantError(t, err, "line of more than 4096 bytes", proto.ExitStartClient)
	_, err = GreetServer(wire.NewReader(failing{os.ErrDeadlineExceeded}, 0), w, 32)
	wantError(t, err, "i/o timeout", proto.ExitTimeout)
	_, err = GreetServer(r, wire.NewWriter(failing{syscall.ENOBUFS}, 0), 32)
	wantError(t, err, "greet the daemon: no buffer space available", proto.ExitSocketIO)
}

// A daemon that goes at once may have gone before the first word to it. What it
// has said is told, and if it has said nothing the error is the same one whichever
// direction showed it first.
func TestPeerGoneBeforeTheFirstWord(t *testing.T) {
	gone := wire.NewWriter(failing{syscall.EPIPE}, 0)
	r, _, _ := said("@ERROR: max connections (1) reached -- try again later\n")
	_, err := GreetServer(r, gone, 32)
	wantError(t, err, "max connections (1) reached", proto.ExitStartClient)
	r, _, _ = said("")
	_, err = GreetServer(r, gone, 32)
	wantError(t, err, "read the peer's greeting: unexpected EOF", proto.ExitStartClient)

	r, _, _ = said("Welcome\n@ERROR: Unknown module 'm'\n")
	_, err = AskModule(r, gone, Ask{Module: "m", Say: func(string) {}})
	wantError(t, err, "Unknown module 'm'", proto.ExitStartClient)
	r, _, _ = said("")
	_, err = GreetShellClient(r, gone, 32, "")
	wantError(t, err, "read the client's version: unexpected EOF", proto.ExitStreamIO)
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error)  { return 0, f.err }
func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestGreetClientErrors(t *testing.T) {
	const startup = "@ERROR: protocol startup error\n"
	for _, tt := range []struct {
		name, says, want string
		code             proto.Exit
		told             string // behind the greeting
	}{
		{"closes", "", "read the client's greeting: EOF", proto.ExitSocketIO, ""},
		{"closes in the line", "@RSYNCD: ", "unexpected EOF", proto.ExitStartClient, ""},
		{"a browser", "GET / HTTP/1.1\r\n", `says "GET / HTTP/1.1\r"`, proto.ExitProtocol, startup},
		{"too old", "@RSYNCD: 11\n", "the peer says 11", proto.ExitProtocol, startup},
		{"too new", "@RSYNCD: 41.0\n", "the peer says 41", proto.ExitProtocol, startup},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, w, heard := said(tt.says)
			_, err := GreetClient(r, w, proto.MaxVersion, "", func(time.Time) {})
			wantError(t, err, tt.want, tt.code)
			_, behind, _ := strings.Cut(heard.String(), "\n")
			if behind != tt.told {
				t.Errorf("it is told %q", heard)
			}
		})
	}
	_, w, _ := said("")
	_, err := GreetClient(wire.NewReader(forever('x'), 0), w, 32, "", func(time.Time) {})
	wantError(t, err, "line of more than 4096 bytes", proto.ExitStartClient)
	_, err = GreetClient(wire.NewReader(forever('x'), 0), wire.NewWriter(failing{syscall.ENOBUFS}, 0), 32, "", func(time.Time) {})
	wantError(t, err, "no buffer space", proto.ExitSocketIO)
}
