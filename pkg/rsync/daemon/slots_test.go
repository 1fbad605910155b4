package daemon_test

import (
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/empegsync/empegsync/pkg/rsync/conf"
	"github.com/empegsync/empegsync/pkg/rsync/daemon"
)

// TestSharedLockFile: our transfers and those of C rsync's daemon count
// together, and clients that merely talk do not count.
func TestSharedLockFile(t *testing.T) {
	t.Parallel()
	p := newPlace(t).write(map[string]string{"mod/big": strings.Repeat("x", 20<<20)})
	text := p.conf("lock file = @DIR@/lock\n[mod]\npath = @DIR@/mod\nmax connections = 1\n")
	here, there := p.ours(text, nil).addr, p.debian(text)
	full := "@ERROR: max connections (1) reached -- try again later"
	for _, busy := range []string{here, there} {
		// Whoever has been served is gone before rsync's process, and its place, are.
		var talker net.Conn
		eventually(t, "room for a talker", func() bool {
			talker = dial(t, here)
			send(t, talker, "@RSYNCD: 29\nmod\n")
			_, err := hear(talker, "@RSYNCD: OK\n")
			return err == nil
		})
		c := dial(t, busy)
		send(t, c, pullOf("big", 1))
		readUntil(t, c, "xxxx")
		for _, addr := range []string{here, there} {
			if out, code := p.rsync(addr, "@URL@/mod/"); code != 5 || !strings.Contains(out, full) {
				t.Errorf("busy at %s, asked at %s: code %d, %s", busy, addr, code, out)
			}
		}
		talker.Close()
		c.Close()
		for _, addr := range []string{here, there} {
			eventually(t, "room again", func() bool {
				_, code := p.rsync(addr, "@URL@/mod/")
				return code == 0
			})
		}
	}
}

// TestOldLogin: clients whose version implies the digest.
func TestOldLogin(t *testing.T) {
	t.Parallel()
	p := newPlace(t).access()
	text := p.conf("secrets file = @DIR@/secrets\nauth users = joe\n[mod]\npath = @DIR@/mod\n")
	for _, version := range []int{20, 21, 26, 27, 29, 30, 31} {
		s := p.ours(text, func(s *daemon.Server) { s.Version, s.LoginPause = version, -1 })
		for password, want := range map[string]int{"right": 0, "wrong": 5} {
			if out, code := p.rsyncAs(password, s.addr, "rsync://joe@"+s.addr+"/mod/"); code != want {
				t.Errorf("version %d, password %s: code %d, %s", version, password, code, out)
			}
		}
	}
}

// TestGuessing: whoever guesses passwords waits longer and longer.
func TestGuessing(t *testing.T) {
	t.Parallel()
	p := newPlace(t).access()
	s := p.ours(p.conf("secrets file = @DIR@/secrets\nauth users = joe\n[mod]\npath = @DIR@/mod\n"),
		func(s *daemon.Server) { s.LoginPause = 200 * time.Millisecond })
	began := time.Now()
	for range 6 {
		p.rsyncAs("wrong", s.addr, "rsync://joe@"+s.addr+"/mod/")
	}
	if d := time.Since(began); d < 200*(1+2+4)*time.Millisecond {
		t.Errorf("six guesses in %v", d)
	}
	if out, code := p.rsyncAs("right", s.addr, "rsync://joe@"+s.addr+"/mod/"); code != 0 {
		t.Errorf("the right one: code %d, %s", code, out)
	}
	began = time.Now()
	p.rsyncAs("wrong", s.addr, "rsync://joe@"+s.addr+"/mod/")
	if d := time.Since(began); d > 5*time.Second {
		t.Errorf("after a success, %v", d)
	}
	p.must(os.Remove(p.path("secrets")))
	if out, code := p.rsyncAs("right", s.addr, "rsync://joe@"+s.addr+"/mod/"); code != 5 || !strings.Contains(out, "auth failed on module mod") {
		t.Errorf("without the file: code %d, %s", code, out)
	}
}

// TestListenBacklog asks the kernel how many may wait.
func TestListenBacklog(t *testing.T) {
	ln, err := daemon.Listen(t.Context(), conf.Global{ListenBacklog: 7}, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	raw, err := ln.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil || info.Sacked != 7 { // what a listening socket has there
			t.Errorf("backlog %+v, %v", info, err)
		}
	}); err != nil {
		t.Error(err)
	}
}
