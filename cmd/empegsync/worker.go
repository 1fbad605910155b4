package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"syscall"

	"github.com/empegsync/empegsync/pkg/rsync/daemon"
)

// A worker's command line begins with these two words. It is no verb like others:
// whoever has asked the daemon for something waits while it starts, so that it
// comes before the other verbs are even known.
const (
	workerName = "empegsync"
	workerVerb = "worker"
)

// beWorker serves one session for serve and returns the exit code.
func beWorker(words []string, errOut io.Writer) int {
	tuneMemory()
	json, chroot := false, ""
	for len(words) > 0 {
		switch {
		case words[0] == "--log-json":
			json, words = true, words[1:]
		case words[0] == "--chroot" && len(words) > 1:
			chroot, words = words[1], words[2:]
		default:
			return report(fmt.Errorf("worker is started by serve, not by hand: what is %q?", words[0]), errOut)
		}
	}
	conn, err := inherited()
	if err != nil {
		return report(err, errOut)
	}
	defer conn.Close()
	if chroot != "" {
		if err := daemon.LockUp(chroot); err != nil {
			return report(err, errOut)
		}
	}
	exit, err := daemon.Work(context.Background(), job(), conn, slog.New(lineHandler(json)(errOut)))
	if err != nil {
		return report(err, errOut)
	}
	return exit
}

// job is the standard input, which no thread has to wait for: each one more is one
// more that gives root up.
func job() *os.File {
	if err := syscall.SetNonblock(0, true); err != nil {
		return os.Stdin
	}
	return os.NewFile(0, "job")
}

// inherited returns the connection that serve hands to a worker.
func inherited() (net.Conn, error) {
	f := os.NewFile(3, "connection")
	if f == nil {
		return nil, errors.New("worker is started by serve, not by hand")
	}
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("worker is started by serve, not by hand: %w", err)
	}
	return conn, nil
}
