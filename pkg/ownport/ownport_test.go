package ownport_test

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/ownport"
)

// TestHold: a port that is held refuses connections, is given to nobody who asks
// for just any, and to who asks for it.
func TestHold(t *testing.T) {
	addr := ownport.HoldAddress(t)
	if _, err := net.Dial("tcp", addr); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("before anybody listens: %v", err)
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatalf("who knows the number may not listen: %v", err)
	}
	if _, err := net.Listen("tcp", addr); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a second one: %v", err)
	}
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	ln.Close()
	if _, err := net.Dial("tcp", addr); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("after its end: %v", err)
	}
}

// TestNobodyElse asks for free ports until there are hardly any others: in a
// hundredth of the range, the one that is held is never among them.
func TestNobodyElse(t *testing.T) {
	held := map[int]bool{}
	for range 200 {
		held[ownport.Hold(t)] = true
	}
	if len(held) != 200 {
		t.Errorf("%d ports for 200 who hold one each", len(held))
	}
	for range 2000 {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if port := ln.Addr().(*net.TCPAddr).Port; held[port] {
			t.Errorf("port %d is held, and was given to somebody else", port)
		}
		ln.Close()
	}
}

// TestRsync: rsync's daemon is one of the programs that are let in.
func TestRsync(t *testing.T) {
	port, config := ownport.Hold(t), filepath.Join(t.TempDir(), "conf")
	if err := os.WriteFile(config, []byte("[mod]\npath = /\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("rsync", "--daemon", "--no-detach", "--address=127.0.0.1", "--port="+strconv.Itoa(port), "--config="+config, "--log-file="+config+".log")
	if err := cmd.Start(); err != nil {
		t.Fatalf("the tests need rsync (scripts/deps.sh installs it): %v", err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(end) {
			log, _ := os.ReadFile(config + ".log")
			t.Fatalf("rsync does not listen: %v\n%s", err, log)
		}
	}
}
