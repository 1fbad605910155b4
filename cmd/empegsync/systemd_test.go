package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A service manager opens the socket, hears when the daemon is ready, when it
// reads its configuration again, and when it stops.
func TestServiceManager(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	must(t, os.WriteFile(dir+"/hello", nil, 0o644))
	file := filepath.Join(dir, "conf")
	text := "[m]\npath = " + dir + "\nuse chroot = no\n"
	if os.Geteuid() == 0 {
		text = "uid = 0\ngid = 0\n" + text
	}
	must(t, os.WriteFile(file, []byte(text), 0o644))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	socket, err := ln.(*net.TCPListener).File()
	must(t, err)
	ln.Close()
	defer socket.Close()
	states, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: dir + "/notify", Net: "unixgram"})
	must(t, err)
	defer states.Close()
	next := func(want string) {
		t.Helper()
		must(t, states.SetReadDeadline(time.Now().Add(patience)))
		buf := make([]byte, 4096)
		n, err := states.Read(buf)
		must(t, err)
		if got := string(buf[:n]); !strings.HasPrefix(got, want) {
			t.Errorf("the service manager hears %q, want %q", got, want)
		}
	}
	// The number of the process has to be known to the process itself.
	cmd := empegsync("serve", "--config", file)
	cmd.Args = append([]string{"sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`}, cmd.Args...)
	cmd.Path = "/bin/sh"
	cmd.ExtraFiles = []*os.File{socket}
	cmd.Env = append(os.Environ(), "LISTEN_FDS=1", "NOTIFY_SOCKET="+dir+"/notify")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // no terminal: a hangup is a wish
	s := serveBy(t, cmd)
	if s.addr != ln.Addr().String() {
		t.Errorf("it listens on %s, not on %s", s.addr, ln.Addr())
	}
	next("READY=1")
	if r := rsync(t, dir, "rsync://"+s.addr+"/m/"); r.code != 0 || !strings.Contains(r.out, "hello") {
		t.Errorf("a listing: %s", r)
	}
	s.signal(syscall.SIGHUP)
	next("RELOADING=1\nMONOTONIC_USEC=")
	next("READY=1")
	s.signal(syscall.SIGTERM)
	next("STOPPING=1")
	s.wait()
}
