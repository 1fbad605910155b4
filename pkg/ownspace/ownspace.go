// Package ownspace has tests run in namespaces of their own, where they may
// mount and rename the host without harm to the machine.
package ownspace

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// Enter runs the test once more, alone, in a child with a user and a mount
// namespace of its own, and those that more asks for (CLONE_NEW flags), where
// it may do as root does. It returns true in that child. Elsewhere it returns
// false, the test has failed if the child's has, and there is nothing more to do.
func Enter(t *testing.T, more uintptr) bool {
	t.Helper()
	const mark = "EMPEGSYNC_TEST_NAMESPACE"
	if os.Getenv(mark) != "" {
		return true
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=5m")
	cmd.Env = append(os.Environ(), mark+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | more,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("in a namespace: %v\n%s", err, out)
	}
	return false
}
