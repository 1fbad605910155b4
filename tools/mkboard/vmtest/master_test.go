package vmtest

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/empegsync/empegsync/tools/mkboard/board"
)

// hostMaster is a master on this machine: Debian's rsync serves the drives of a
// player. Each connection gets a process, as inetd does it, so that the port is
// ours; what goes through can be watched.
type hostMaster struct {
	t      *testing.T
	config string
	ln     net.Listener
	sent   func(n int) // called with what goes to the client; may be nil
	mu     sync.Mutex
	wg     sync.WaitGroup
}

func newHostMaster(t *testing.T, player string) *hostMaster {
	t.Helper()
	text := "use chroot = no\n"
	for _, drive := range []string{"drive0", "drive1"} {
		text += fmt.Sprintf("[%s]\npath = %s\n", drive, filepath.Join(player, drive))
	}
	if os.Geteuid() == 0 {
		text = "uid = root\ngid = root\n" + text
	}
	h := &hostMaster{t: t, config: filepath.Join(t.TempDir(), "rsyncd.conf")}
	if err := os.WriteFile(h.config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	var err error
	if h.ln, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	go h.accept()
	t.Cleanup(func() { h.ln.Close(); h.wg.Wait() })
	return h
}

// address is the master as a board sees it.
func (h *hostMaster) address() string {
	_, port, _ := net.SplitHostPort(h.ln.Addr().String())
	return net.JoinHostPort(board.GatewayAddress, port)
}

func (h *hostMaster) accept() {
	for {
		conn, err := h.ln.Accept()
		if err != nil {
			return // the test has ended
		}
		h.wg.Go(func() { h.serve(conn.(*net.TCPConn)) })
	}
}

// watch has f called with every piece that goes to a client.
func (h *hostMaster) watch(f func(n int)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sent = f
}

// Write counts.
func (h *hostMaster) Write(b []byte) (int, error) {
	h.mu.Lock()
	f := h.sent
	h.mu.Unlock()
	if f != nil {
		f(len(b))
	}
	return len(b), nil
}

// serve lets rsync serve one connection. That the client hangs up is no error here.
func (h *hostMaster) serve(conn *net.TCPConn) {
	defer conn.Close()
	ours, theirs, err := socketPair()
	if err != nil {
		h.t.Error(err)
		return
	}
	defer ours.Close()
	cmd := exec.Command("rsync", "--daemon", "--config="+h.config)
	cmd.Stdin = theirs
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		h.t.Error(err)
		return
	}
	up := make(chan struct{})
	go func() {
		defer close(up)
		_, _ = io.Copy(ours, conn)
		_ = ours.CloseWrite()
	}()
	_, _ = io.Copy(io.MultiWriter(h, conn), ours)
	conn.Close()
	<-up
	_ = cmd.Wait()
}

// socketPair joins a program's standard input to us in both directions.
func socketPair() (ours *net.UnixConn, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	file := os.NewFile(uintptr(fds[0]), "rsync")
	defer file.Close()
	theirs = os.NewFile(uintptr(fds[1]), "rsync")
	conn, err := net.FileConn(file)
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return conn.(*net.UnixConn), theirs, nil
}
