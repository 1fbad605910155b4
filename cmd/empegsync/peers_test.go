package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// server is the binary under test as a daemon.
type server struct {
	*process
	addr string // host:port
	said string // its first line
}

// serve starts the daemon; the test's end stops it and looks at its exit code,
// unless the test has ended it before.
func serve(t testing.TB, args ...string) *server {
	t.Helper()
	return serveBy(t, empegsync(append([]string{"serve", "--address", "127.0.0.1:0"}, args...)...))
}

func serveBy(t testing.TB, cmd *exec.Cmd) *server {
	t.Helper()
	out, err := cmd.StdoutPipe()
	must(t, err)
	s := &server{}
	line := make(chan string, 1)
	s.process = start(t, cmd)
	go func() {
		r := bufio.NewReader(out)
		text, _ := r.ReadString('\n')
		line <- text
		_, _ = io.Copy(&s.out, r)
	}()
	select {
	case s.said = <-line:
	case <-time.After(patience):
	}
	rest, ok := strings.CutPrefix(s.said, "listening on ")
	if s.addr, _, _ = strings.Cut(rest, ","); !ok {
		s.signal(syscall.SIGKILL)
		t.Fatalf("serve says %q\n%s", s.said, s.wait())
	}
	t.Cleanup(func() {
		s.signal(syscall.SIGTERM)
		if r := s.wait(); r.code != 0 && r.code != -1 {
			t.Errorf("serve: %s", r)
		}
		if t.Failed() {
			t.Logf("serve's log:\n%s", &s.err)
		}
	})
	return s
}

// debian serves a player's drives with Debian's rsync and returns its address.
// Each connection gets a process, as inetd does it: so the port is ours, and
// nobody can take it in between.
func debian(t testing.TB, player string) string {
	t.Helper()
	dir := tempDir(t)
	config := filepath.Join(dir, "rsyncd.conf")
	text := fmt.Sprintf("use chroot = no\nlog file = %s/log\n[drive0]\npath = %s/drive0\n[drive1]\npath = %[2]s/drive1\n", dir, player)
	if os.Geteuid() == 0 {
		text = "uid = 0\ngid = 0\n" + text // else it serves as nobody; others may not even name a gid
	}
	must(t, os.WriteFile(config, []byte(text), 0o644))
	t.Cleanup(func() {
		if log, err := os.ReadFile(filepath.Join(dir, "log")); err == nil && t.Failed() {
			t.Logf("rsync's log:\n%s", log)
		}
	})
	return listen(t, func(conn *net.TCPConn) {
		f, err := conn.File()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) { // as at the test's end
				t.Error(err)
			}
			return
		}
		defer f.Close()
		cmd := exec.Command("rsync", "--daemon", "--config="+config)
		cmd.Stdin = f
		if err := cmd.Run(); err != nil {
			t.Logf("rsync --daemon: %v", err) // the client was stopped, as a rule
		}
	})
}

// listen handles connections until the test ends; it returns the address.
func listen(t testing.TB, handle func(*net.TCPConn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var all sync.WaitGroup
	var mu sync.Mutex
	open := make(map[net.Conn]bool)
	all.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[conn] = true
			mu.Unlock()
			all.Go(func() {
				defer conn.Close()
				handle(conn.(*net.TCPConn))
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		mu.Lock()
		for conn := range open {
			conn.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return ln.Addr().String()
}

// rsync runs Debian's rsync in a folder.
func rsync(t testing.TB, dir string, args ...string) result {
	t.Helper()
	cmd := exec.Command("rsync", args...)
	cmd.Dir = dir
	return start(t, cmd).wait()
}

// proxy stands between client and daemon and slows the daemon down.
type proxy struct {
	addr string
	rate int           // bytes a second towards clients; 0: no limit
	hold int           // after so many bytes it stops; 0: never
	held chan struct{} // closed when it has stopped

	mu     sync.Mutex
	passed int
	lost   bool
	free   chan struct{}
	once   sync.Once
}

// slow limits what comes from addr to a rate.
func slow(t testing.TB, addr string, rate int) *proxy {
	return newProxy(t, addr, &proxy{rate: rate})
}

// gate lets so many bytes pass from addr and then nothing until release.
func gate(t testing.TB, addr string, bytes int) *proxy {
	return newProxy(t, addr, &proxy{hold: bytes})
}

func newProxy(t testing.TB, addr string, p *proxy) *proxy {
	p.held, p.free = make(chan struct{}), make(chan struct{})
	p.addr = listen(t, func(client *net.TCPConn) {
		daemon, err := net.Dial("tcp", addr)
		if err != nil {
			return // the client sees its connection end
		}
		defer daemon.Close()
		var both sync.WaitGroup
		both.Go(func() {
			_, _ = io.Copy(daemon, client)
			_ = daemon.(*net.TCPConn).CloseWrite()
		})
		p.forward(client, daemon)
		client.Close()
		daemon.Close()
		both.Wait()
	})
	t.Cleanup(p.release)
	return p
}

// release opens the gate.
func (p *proxy) release() { p.once.Do(func() { close(p.free) }) }

// cut ends the connection where the gate has stopped it: what the daemon has
// sent since is lost.
func (p *proxy) cut() {
	p.mu.Lock()
	p.lost = true
	p.mu.Unlock()
	p.release()
}

// stopped waits until the gate has closed.
func (p *proxy) stopped(t testing.TB, client *process) {
	t.Helper()
	select {
	case <-p.held:
	case <-client.ended:
		t.Fatalf("the client ended before the gate closed: %s", client.wait())
	case <-time.After(patience):
		t.Fatal("the gate never closed")
	}
}

func (p *proxy) forward(to, from net.Conn) {
	buf := make([]byte, 8<<10)
	for {
		n, err := from.Read(buf)
		if n == 0 || err != nil {
			return
		}
		if p.rate > 0 {
			time.Sleep(time.Duration(n) * time.Second / time.Duration(p.rate))
		}
		before := p.before(n)
		if _, err := to.Write(buf[:before]); err != nil {
			return
		}
		if before < n {
			<-p.free
			p.mu.Lock()
			lost := p.lost
			p.mu.Unlock()
			if lost {
				return
			}
			if _, err := to.Write(buf[before:n]); err != nil {
				return
			}
		}
	}
}

// before says how many of n bytes may pass at once.
func (p *proxy) before(n int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hold == 0 || p.passed >= p.hold {
		return n
	}
	p.passed += n
	if p.passed < p.hold {
		return n
	}
	close(p.held)
	return n - (p.passed - p.hold) - 1
}

// refuses reports whether nobody listens at an address.
func refuses(addr string) bool {
	conn, err := net.Dial("tcp", addr)
	if err == nil {
		conn.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

// silent accepts connections and says nothing until the test ends.
func silent(t testing.TB) string {
	return listen(t, func(conn *net.TCPConn) { _, _ = io.Copy(io.Discard, conn) })
}

// talker says one thing to each connection and closes it. What a client that
// leaves early makes of that is for the test of the client to say.
func talker(t testing.TB, text string) string {
	return listen(t, func(conn *net.TCPConn) {
		_, _ = io.WriteString(conn, text)
		_ = conn.CloseWrite()
		_, _ = io.Copy(io.Discard, conn) // so that the text is not lost in a reset
	})
}
