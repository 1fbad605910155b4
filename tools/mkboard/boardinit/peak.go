package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// peak runs a command and then prints "peak=KB", its largest resident memory.
func peak(argv []string) (int, error) {
	if len(argv) == 0 {
		return 2, errors.New("usage: peak COMMAND [ARGUMENT]")
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	if cmd.ProcessState == nil {
		return 127, err
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return 1, errors.New("this system tells no use of memory")
	}
	fmt.Printf("peak=%d\n", usage.Maxrss)
	return cmd.ProcessState.ExitCode(), nil
}
