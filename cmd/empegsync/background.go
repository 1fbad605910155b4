package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// backgroundVar tells a child that it is in the background already.
const backgroundVar = "EMPEGSYNC_BACKGROUND"

// inBackground reports whether this process is such a child. What it starts
// itself is not told so.
func inBackground() bool {
	is := os.Getenv(backgroundVar) != ""
	_ = os.Unsetenv(backgroundVar) // fails for names with "=" in them
	return is
}

// background starts this program again with the same words in a session of its
// own, in the folder dir ("" is where we are), and waits until it says that it listens, in a line that is returned with
// the child's number. Until then the child's complaints go where ours do.
func background(dir string) (pid int, line string, err error) {
	self, err := os.Executable()
	if err != nil {
		return 0, "", err
	}
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), backgroundVar+"=1")
	cmd.Stderr, cmd.Dir = os.Stderr, dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, "", err
	}
	if err := cmd.Start(); err != nil {
		return 0, "", err
	}
	text := make([]byte, 512)
	n, _ := out.Read(text)
	if n == 0 {
		return 0, "", errors.Join(errors.New("it did not start"), cmd.Wait())
	}
	pid = cmd.Process.Pid // which Release forgets
	return pid, string(text[:n]), cmd.Process.Release()
}

// leave passes on the first line that a child writes, by which it says that it
// listens, and then lets go of the streams that it has from whoever started it.
type leave struct{ io.Writer }

func (l leave) Write(p []byte) (int, error) {
	n, err := l.Writer.Write(p)
	if err != nil {
		return n, err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return n, err
	}
	defer null.Close()
	for fd := range 3 {
		if err := syscall.Dup3(int(null.Fd()), fd, 0); err != nil {
			return n, fmt.Errorf("let go of the terminal: %w", err)
		}
	}
	return n, nil
}
