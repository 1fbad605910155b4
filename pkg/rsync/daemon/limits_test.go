package daemon_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/conf"
	"github.com/empegsync/empegsync/pkg/rsync/daemon"
)

func logTo(w io.Writer) *slog.Logger { return slog.New(daemon.NewLogHandler(w)) }

// TestFlood: idle connections make room for those who come to work.
func TestFlood(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]func(*daemon.Server){
		"of all":         func(s *daemon.Server) { s.MaxConnections = 5 },
		"of one address": func(s *daemon.Server) { s.MaxPerAddress = 5 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t).write(map[string]string{"mod/one": "1", "d/": ""})
			s := p.ours(p.conf("[mod]\npath = @DIR@/mod\n"), limit)
			var idle []net.Conn
			for range 20 {
				idle = append(idle, dial(t, s.addr))
			}
			if out, code := p.rsync(s.addr, "-a", "@URL@/mod/", "d/"); code != 0 {
				t.Errorf("code %d: %s", code, out)
			}
			if answer, err := io.ReadAll(idle[0]); err != nil && !strings.Contains(err.Error(), "reset") {
				t.Errorf("the oldest idle connection goes on: %v, %q", err, answer)
			}
		})
	}
}

// TestFull: transfers under way are not driven out; newcomers are told.
func TestFull(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]func(*daemon.Server){
		"max connections (2)":                  func(s *daemon.Server) { s.MaxConnections = 2 },
		"max connections from one address (2)": func(s *daemon.Server) { s.MaxPerAddress = 2 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t).write(map[string]string{"mod/big": strings.Repeat("x", 20<<20)})
			s := p.ours(p.conf("[mod]\npath = @DIR@/mod\n"), limit)
			var busy []net.Conn
			for range 2 {
				c := dial(t, s.addr)
				send(t, c, pullOf("big", 1))
				readUntil(t, c, "xxxx")
				busy = append(busy, c)
			}
			out, code := p.rsync(s.addr, "@URL@/mod/")
			if code == 0 || !strings.Contains(out, name+" reached -- try again later") {
				t.Errorf("a third client: code %d, %s", code, out)
			}
			for _, c := range busy {
				if n, err := io.CopyN(io.Discard, c, 19<<20); err != nil {
					t.Errorf("a transfer ended after %d bytes: %v", n, err)
				}
				c.Close()
			}
			eventually(t, "room again", func() bool {
				_, code := p.rsync(s.addr, "@URL@/mod/")
				return code == 0
			})
		})
	}
}

// TestHelloTimeout: a client that says little by little what it wants is
// dropped at the deadline, in each stage.
func TestHelloTimeout(t *testing.T) {
	t.Parallel()
	p := newPlace(t).write(map[string]string{"mod/one": "1"})
	s := p.ours(p.conf("[mod]\npath = @DIR@/mod\n"), func(s *daemon.Server) { s.HelloTimeout = 500 * time.Millisecond })
	var clients []net.Conn
	starts := []string{"", "@RSYNCD: 2", "@RSYNCD: 29\nmo", "@RSYNCD: 29\nmod\n--server\n", old("mod", "--server", "--sender", "-r", ".", "mod/")}
	for _, start := range starts {
		c := dial(t, s.addr)
		clients = append(clients, c)
		send(t, c, start)
		go func() {
			for _, err := c.Write([]byte("a")); err == nil; _, err = c.Write([]byte("a")) {
				time.Sleep(50 * time.Millisecond)
			}
		}()
	}
	began := time.Now()
	for i, c := range clients {
		_, _ = io.ReadAll(c)
		if d := time.Since(began); d > 5*time.Second {
			t.Errorf("after %q dropped after %v", starts[i], d)
		}
	}
}

// TestIdleTimeout: in a module with a timeout a client that stops reading is
// dropped, as is one that stops asking or sending; others go on, and nothing
// is left behind.
func TestIdleTimeout(t *testing.T) {
	t.Parallel()
	p := newPlace(t).write(map[string]string{"mod/big": strings.Repeat("x", 30<<20), "mod/small": "x", "up/": ""})
	s := p.ours(p.conf("[mod]\npath = @DIR@/mod\ntimeout = 1\n[up]\npath = @DIR@/up\nread only = no\ntimeout = 1\n"), nil)
	var clients []net.Conn
	for _, text := range []string{
		pullOf("big", 1),
		old("mod", "--server", "--sender", "-r", ".", "mod/") + le(0),
		old("up", "--server", "-r", ".", "up/") + listed("f", 0o100644) + "\x00" + le(0) + le(0) + "\x00\x80" + le(0, 0, 0, 0) + le(1<<15) + "abc",
	} {
		c := dial(t, s.addr)
		send(t, c, text)
		clients = append(clients, c)
	}
	if out, code := p.rsync(s.addr, "-a", "@URL@/mod/small", p.path("d")); code != 0 {
		t.Errorf("another client: code %d, %s", code, out)
	}
	for _, c := range clients {
		port := fmt.Sprint("->127.0.0.1:", c.LocalAddr().(*net.TCPAddr).Port)
		eventually(t, "the end of "+port, func() bool {
			return strings.Contains(s.log.String(), port+": i/o timeout")
		})
	}
	time.Sleep(2500 * time.Millisecond) // in which they do not read the last words
	began := time.Now()
	for _, c := range clients {
		if _, err := io.Copy(io.Discard, c); err != nil && !strings.Contains(err.Error(), "reset") || time.Since(began) > 2*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	}
	if got := p.tree("up"); got != "" {
		t.Errorf("left behind:\n%s", got)
	}
}

// TestTimeoutIsTold: the client learns of the module's timeout.
func TestTimeoutIsTold(t *testing.T) {
	t.Parallel()
	p := newPlace(t).write(map[string]string{"mod/one": "1", "d/": ""})
	s := p.ours(p.conf("[mod]\npath = @DIR@/mod\ntimeout = 77\n"), nil)
	if out, code := p.rsync(s.addr, "-avv", "@URL@/mod/", "d/"); code != 0 || !strings.Contains(out, "timeout=77 to match server") {
		t.Errorf("code %d: %s", code, out)
	}
}

// TestShutdown: when told to stop, the daemon sends idle clients away at once,
// lets transfers end within Grace, cuts the rest, and leaves nothing running.
func TestShutdown(t *testing.T) {
	before := runtime.NumGoroutine()
	p := newPlace(t).write(map[string]string{"mod/big": strings.Repeat("x", 16<<20)})
	s := p.ours(p.conf("[mod]\npath = @DIR@/mod\n"), func(s *daemon.Server) { s.Grace = 2 * time.Second })
	idle := dial(t, s.addr)
	stuck, working := dial(t, s.addr), dial(t, s.addr)
	for _, c := range []net.Conn{stuck, working} {
		send(t, c, pullOf("big", 1))
		readUntil(t, c, "xxxx")
	}
	stopped := make(chan error, 1)
	began := time.Now()
	go func() { stopped <- s.stop() }()
	if _, err := io.ReadAll(idle); err != nil && !strings.Contains(err.Error(), "reset") || time.Since(began) > 1900*time.Millisecond {
		t.Errorf("the idle client went after %v: %v", time.Since(began), err)
	}
	if n, err := io.CopyN(io.Discard, working, 15<<20); err != nil {
		t.Errorf("the transfer ended after %d bytes: %v", n, err)
	}
	working.Close()
	if err := <-stopped; err != nil || time.Since(began) > 8*time.Second || time.Since(began) < 1900*time.Millisecond {
		t.Errorf("Serve ended after %v: %v", time.Since(began), err)
	}
	if _, err := s.ln.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("it still listens: %v", err)
	}
	for _, c := range []net.Conn{idle, stuck} {
		c.Close()
	}
	eventually(t, "as many goroutines as before", func() bool { return runtime.NumGoroutine() <= before })
}

// TestBadConfig: what cannot be done is said before anyone is served.
func TestBadConfig(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"filter = nonsense x":  `f:1: module [m]: parameter "filter": `,
		"filter = merge rules": `absolute path`,
		"filter = . /no/such":  `no such file`,
		"filter = . /dev/zero": `larger than`,
	} {
		cfg, err := conf.Parse("f", []byte("[m]\npath = /\n"+text), nil)
		if err != nil {
			t.Fatal(err)
		}
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s := &daemon.Server{Config: cfg, Log: slog.New(slog.DiscardHandler)}
		if err := s.Serve(context.Background(), ln); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
		// Somebody else may have got the port by now: what counts is this socket.
		if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: it still listens: %v", text, err)
		}
	}
	var log buffer
	cfg, err := conf.Parse("f", []byte("[m]\npath = /\nrefuse options = delete delte"), nil)
	if err != nil {
		t.Fatal(err)
	}
	ln, _ := net.Listen("tcp", "127.0.0.1:0")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := (&daemon.Server{Config: cfg, Log: logTo(&log)}).Serve(ctx, ln); err != nil || !strings.Contains(log.String(), "[delte]") {
		t.Errorf("%v, log: %s", err, &log)
	}
}

// TestFewDescriptors runs a daemon that may open few files, and floods it.
func TestFewDescriptors(t *testing.T) {
	t.Parallel()
	p := newPlace(t).write(map[string]string{"mod/one": "1", "d/": ""})
	cmd := exec.Command("/proc/self/exe", "few-descriptors")
	cmd.Env = append(os.Environ(), "DAEMON_PATH="+p.path("mod"))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	p.must(err)
	stdout, err := cmd.StdoutPipe()
	p.must(err)
	p.must(cmd.Start())
	defer func() {
		stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the daemon ended: %v", err)
		}
	}()
	addr, err := bufio.NewReader(stdout).ReadString('\n')
	p.must(err)
	addr = strings.TrimSpace(addr)
	for range 100 {
		dial(t, addr)
	}
	for range 3 {
		if out, code := p.rsync(addr, "-a", "@URL@/mod/", "d/"); code != 0 {
			t.Errorf("code %d: %s", code, out)
		}
	}
}

// beShortOfDescriptors is the daemon of TestFewDescriptors; it ends with its
// standard input.
func beShortOfDescriptors() int {
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 60, Max: 60}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	cfg := &conf.Config{Modules: []conf.Module{{
		Name: "mod", Path: os.Getenv("DAEMON_PATH"), ReadOnly: true, UID: fmt.Sprint(os.Geteuid()), GID: fmt.Sprint(os.Getegid()),
	}}}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(ln.Addr())
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	if err := (&daemon.Server{Config: cfg, Log: slog.New(slog.DiscardHandler)}).Serve(ctx, ln); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
