package daemon_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/empegsync/empegsync/pkg/rsync/conf"
	"github.com/empegsync/empegsync/pkg/rsync/daemon"
)

// TestBandwidth: a module's limit holds for all transfers together, an address's
// for its own, in the daemon and for workers alike.
func TestBandwidth(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"module":  "bandwidth = 256K\n",
		"address": "bandwidth = 100M\nbandwidth per address = 256K\n",
		"worker":  "bandwidth = 256K\nuid = nobody\ngid = *\nuse chroot = yes\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t).write(map[string]string{"mod/big": strings.Repeat("x", 150<<10), "up/": "", "d/": ""})
			s := p.ours(p.conf("[mod]\npath = @DIR@/mod\n"+text+"[up]\nread only = no\npath = @DIR@/up\n"+strings.ReplaceAll(text, "uid = nobody\n", "")), nil)
			for _, args := range []string{"@URL@/mod/ d/", "mod/ @URL@/up/"} {
				began := time.Now()
				var wg sync.WaitGroup
				for range 2 {
					wg.Go(func() {
						if out, code := p.rsync(s.addr, append([]string{"-rIW", "--inplace"}, strings.Fields(args)...)...); code != 0 {
							t.Errorf("%s: code %d, %s", args, code, out)
						}
					})
				}
				wg.Wait()
				// 300 KiB at 256 KiB a second, of which the first portion (16) is free.
				if d := time.Since(began); d < time.Second {
					t.Errorf("%s took %v", args, d)
				}
			}
			if got := len(p.read("d/big")) + len(p.read("up/big")); got != 300<<10 {
				t.Errorf("%d bytes have come", got)
			}
		})
	}
}

// TestQueue: who comes when all places are taken waits for his turn, is told
// how many are before him, and gets in; one more than may wait is sent away.
func TestQueue(t *testing.T) {
	t.Parallel()
	p := newPlace(t).write(map[string]string{"mod/big": strings.Repeat("x", 20<<20), "mod/one": "1"})
	s := p.ours(p.conf("lock file = @DIR@/lock\n[mod]\npath = @DIR@/mod\nmax connections = 1\nmax queue = 2\n"), nil)
	busy := dial(t, s.addr)
	send(t, busy, pullOf("big", 1))
	readUntil(t, busy, "xxxx")
	// join waits until the queue is as long as that; who has left may still be in it.
	join := func(place string) (c net.Conn) {
		eventually(t, "a place in the queue", func() bool {
			c = dial(t, s.addr)
			send(t, c, "@RSYNCD: 29\nmod\n")
			r := bufio.NewReader(c)
			for {
				line, err := r.ReadString('\n')
				if err != nil {
					c.Close()
					return false
				}
				if strings.HasPrefix(line, "All 1 places are taken. You are number "+place+" of those who wait: it goes on by itself.") {
					return true
				}
			}
		})
		return c
	}
	first := join("1")
	second := join("2")
	if out, code := p.rsync(s.addr, "@URL@/mod/"); code != 5 || !strings.Contains(out, "@ERROR: max connections (1) reached, and as many as may are waiting (2) -- try again later") {
		t.Errorf("a third: code %d, %s", code, out)
	}
	first.Close() // who gives up leaves the queue
	third := join("2")
	busy.Close()
	readUntil(t, second, "@RSYNCD: OK\n")
	second.Close()
	readUntil(t, third, "@RSYNCD: OK\n")
	third.Close()
	eventually(t, "a real client comes in", func() bool {
		out, code := p.rsync(s.addr, "@URL@/mod/")
		return code == 0 && strings.Contains(out, " one\n")
	})
}

// TestQueueEnds: nobody waits for ever, nor when the daemon is told to stop.
func TestQueueEnds(t *testing.T) {
	t.Parallel()
	p := newPlace(t).write(map[string]string{"mod/big": strings.Repeat("x", 20<<20)})
	s := p.ours(p.conf("lock file = @DIR@/lock\nmax connections = 1\n[mod]\npath = @DIR@/mod\nmax queue = 1\nqueue time = 0\n[long]\npath = @DIR@/mod\nmax queue = 1\n"), nil)
	busy := dial(t, s.addr)
	send(t, busy, pullOf("big", 1))
	readUntil(t, busy, "xxxx")
	if out, code := p.rsync(s.addr, "@URL@/mod/"); code != 5 || !strings.Contains(out, "@ERROR: max connections (1) reached -- try again later") {
		t.Errorf("code %d, %s", code, out)
	}
	c := dial(t, s.addr)
	send(t, c, "@RSYNCD: 29\nlong\n")
	readUntil(t, c, "number 1 of those")
	stopped := make(chan error, 1)
	go func() { stopped <- s.stop() }()
	if _, err := io.Copy(io.Discard, c); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("who waits: %v", err)
	}
	busy.Close()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// TestMaxTransferTime: a transfer that takes too long is ended, and the client
// is told why.
func TestMaxTransferTime(t *testing.T) {
	t.Parallel()
	p := newPlace(t).write(map[string]string{"mod/big": strings.Repeat("x", 1<<20), "d/": "", "d2/": ""})
	s := p.ours(p.conf("[mod]\npath = @DIR@/mod\nbandwidth = 128K\nmax transfer time = 1\n[quick]\npath = @DIR@/mod\nmax transfer time = 60\n"), nil)
	out, code := p.rsync(s.addr, "-r", "@URL@/mod/", "d/")
	if code == 0 || !strings.Contains(out, "ERROR: max transfer time of 1 seconds reached") {
		t.Errorf("code %d, %s", code, out)
	}
	eventually(t, "a line in the log", func() bool { return strings.Contains(s.log.String(), "error: max transfer time of 1 seconds reached") })
	if out, code := p.rsync(s.addr, "-r", "@URL@/quick/", "d2/"); code != 0 {
		t.Errorf("code %d, %s", code, out)
	}
}

// TestConnectionLimits: the file's limits hold, and change when it is read again.
func TestConnectionLimits(t *testing.T) {
	t.Parallel()
	p := newPlace(t).write(map[string]string{"mod/big": strings.Repeat("x", 20<<20)})
	config := func(head string) string { return p.conf(head + "[mod]\npath = @DIR@/mod\n") }
	var srv *daemon.Server
	s := p.ours(config("connections per address = 1\n"), func(s *daemon.Server) { srv = s })
	busy := dial(t, s.addr)
	send(t, busy, pullOf("big", 1))
	readUntil(t, busy, "xxxx")
	for _, c := range []struct{ head, want string }{
		{"", "max connections from one address (1) reached -- try again later"},
		{"total connections = 1\n", "max connections (1) reached -- try again later"},
		{"total connections = 2\nconnections per address = 2\n", ""},
	} {
		if c.head != "" {
			cfg, err := conf.Parse("rsyncd.conf", []byte(config(c.head)), nil)
			p.must(err)
			p.must(srv.Reload(cfg))
		}
		out, code := p.rsync(s.addr, "@URL@/mod/")
		if (code == 0) != (c.want == "") || !strings.Contains(out, c.want) {
			t.Errorf("%q: code %d, %s", c.head, code, out)
		}
	}
}

// TestSocketOptions: they are on the socket that listens, and what is wrong with
// them is said with its place.
func TestSocketOptions(t *testing.T) {
	ln, err := daemon.Listen(t.Context(), conf.Global{SocketOptions: "SO_KEEPALIVE, SO_RCVLOWAT=7"}, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	raw, err := ln.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) {
		alive, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_KEEPALIVE)
		low, err2 := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVLOWAT)
		if alive != 1 || low != 7 || err != nil || err2 != nil {
			t.Errorf("SO_KEEPALIVE %d, SO_RCVLOWAT %d, %v, %v", alive, low, err, err2)
		}
	}); err != nil {
		t.Error(err)
	}
	for text, want := range map[string]string{
		"SO_SNDBUF=1 FOO":  "f:2: socket options: Unknown socket option FOO",
		"SO_SNDTIMEO=5":    "f:2: socket options: ",
		"IPTOS_LOWDELAY=1": "f:2: socket options: syntax error -- IPTOS_LOWDELAY does not take a value",
		"TCP_NODELAY":      "",
	} {
		cfg, err := conf.Parse("f", []byte("\nsocket options = "+text+"\n[m]\npath = /\n"), nil)
		if err != nil {
			t.Fatal(err)
		}
		err = (&daemon.Server{Log: logTo(&buffer{})}).Check(cfg)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestListen: "address" and "port" say where, unless the command line does.
func TestListen(t *testing.T) {
	t.Parallel()
	spare, err := net.Listen("tcp", "127.0.0.3:0")
	if err != nil {
		t.Fatal(err)
	}
	spare.Close()
	cfg, err := conf.Parse("f", fmt.Appendf(nil, "address = 127.0.0.3\nport = %d\n", spare.Addr().(*net.TCPAddr).Port), nil)
	if err != nil {
		t.Fatal(err)
	}
	for over, want := range map[string]string{"": spare.Addr().String(), "127.0.0.4:0": "127.0.0.4:"} {
		ln, err := daemon.Listen(t.Context(), cfg.Global, over)
		if err != nil {
			t.Fatal(err)
		}
		if got := ln.Addr().String(); !strings.HasPrefix(got, want) {
			t.Errorf("%q: listens on %s", over, got)
		}
		ln.Close()
	}
}
