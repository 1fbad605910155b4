package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/google/renameio/v2"

	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

// logFile is a log that is open only while a line is written: an open file on
// a player's drive would keep the player from making it read-only, and a file
// that was rotated away is let go. What cannot be written there goes to spare.
type logFile struct {
	name   string
	spare  io.Writer
	mu     sync.Mutex
	failed bool // said so already
}

// Write implements io.Writer.
func (l *logFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.name == "" {
		return l.spare.Write(p)
	}
	f, err := rootfs.Operator{}.OpenFile(l.name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err == nil {
		n, werr := f.Write(p)
		if err = errors.Join(werr, f.Close()); err == nil {
			l.failed = false
			return n, nil
		}
	}
	if !l.failed {
		l.failed = true
		fmt.Fprintf(l.spare, "empegsync: the log file cannot be written, so the log comes here: %v\n", err)
	}
	return l.spare.Write(p)
}

// writePid writes the pid file, unless a running process is in it already, and
// returns what removes it again.
func writePid(name string, errOut io.Writer) (func() error, error) {
	if name == "" {
		return func() error { return nil }, nil
	}
	if text, err := os.ReadFile(name); err == nil {
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err == nil && pid > 0 && pid != os.Getpid() && syscall.Kill(pid, 0) != syscall.ESRCH {
			return nil, fmt.Errorf("the pid file %s names process %d, which is running; stop it, or remove the file if it is another program", name, pid)
		}
	}
	err := renameio.WriteFile(name, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644)
	if errors.Is(err, syscall.EROFS) {
		// As in the usual rsyncd.conf, on a drive that is read-only just now.
		fmt.Fprintf(errOut, "empegsync: no pid file is written: %v\n", err)
		return func() error { return nil }, nil
	}
	if err != nil {
		return nil, fmt.Errorf("write the pid file: %w", err)
	}
	return func() error {
		// Whoever has given up root may not be allowed; the next one to start
		// sees that the process is gone.
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("remove the pid file: %w", err)
		}
		return nil
	}, nil
}
