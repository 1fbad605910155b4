package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/empegsync/empegsync/pkg/ownspace"
)

// system are the namespaces in which boot may set what belongs to the system.
const system = syscall.CLONE_NEWNET | syscall.CLONE_NEWUTS

// bootActions are what a player from the box lacks, as boot says it. ip6 is
// whether this kernel has IPv6.
func bootActions(ip6 bool) string {
	lo := "bring up loopback with 127.0.0.1/8"
	if ip6 {
		lo += " and ::1"
	}
	return lo + `
set hostname to "kitchen"
add 127.0.0.1 localhost to /etc/hosts
add user root and user nobody to /etc/passwd
add group root and group nobody to /etc/group
`
}

func hasIP6() bool {
	_, err := os.Stat("/proc/sys/net/ipv6")
	return err == nil
}

func TestBoot(t *testing.T) {
	t.Parallel()
	if !ownspace.Enter(t, system) {
		return
	}
	root, _ := players(t, 12)
	ownFileSystem(t, root)
	readOnly(t, root)
	before := state(t, root)
	boot := []string{"boot", "--root", root, "--system"}

	r := call(t, append(boot, "-n")...)
	r.expect(t, 0)
	planned := r.out
	untouched(t, before, root)
	wantReadOnly(t, "after -n", root)
	if name, err := os.Hostname(); err != nil || name == "kitchen" {
		t.Errorf("-n has set the hostname: %q, %v", name, err)
	}

	r = call(t, boot...)
	r.expect(t, 0)
	if diff := cmp.Diff(bootActions(hasIP6()), r.out); diff != "" {
		t.Errorf("actions (-want +got):\n%s", diff)
	}
	if planned != r.out {
		t.Errorf("-n has planned\n%sand this was done:\n%s", planned, r.out)
	}
	wantReadOnly(t, "after boot", root)
	if name, err := os.Hostname(); err != nil || name != "kitchen" {
		t.Errorf("hostname: %q, %v", name, err)
	}
	for file, want := range map[string]string{"hosts": "127.0.0.1", "passwd": "root::0:0:", "group": "root:x:0:"} {
		text, err := os.ReadFile(filepath.Join(root, "etc", file))
		if err != nil || !strings.HasPrefix(string(text), want) {
			t.Errorf("/etc/%s: %q, %v", file, text, err)
		}
	}

	before = state(t, root)
	r = call(t, boot...)
	r.expect(t, 0)
	if r.out != "nothing to do\n" {
		t.Errorf("a second time:\n%s", r.out)
	}
	untouched(t, before, root)
	// Loopback is up: a master on it can be pulled from.
	serve(t, "--root", root)
	call(t, "boot", "--root", root, "--hostname", "not a name").expect(t, 2, "not a name")
}

// A root that stays read-only does not keep boot from what needs no disk.
func TestBootUnwritableRoot(t *testing.T) {
	t.Parallel()
	if !ownspace.Enter(t, system) {
		return
	}
	root, _ := players(t, 12)
	ownFileSystem(t, root)
	readOnly(t, root)
	// In namespaces further down, the mount is locked as it is. The shell keeps
	// them while boot runs twice in them.
	script := fmt.Sprintf("B='%s boot --root %s --system'; $B; echo ended $?; hostname; $B; echo ended $?", os.Getenv(binaryVar), root)
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | system,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}},
	}
	r := start(t, cmd).wait()
	actions := bootActions(hasIP6())
	files := actions[strings.Index(actions, "add 127"):]
	want := actions + "ended 1\nkitchen\n" + files + "ended 1\n"
	if diff := cmp.Diff(want, r.out); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
	for _, file := range []string{"etc/hosts", "etc/passwd", "etc/group"} {
		if strings.Count(r.err, file) < 2 {
			t.Errorf("the messages do not name %s:\n%s", file, r.err)
		}
	}
	wantReadOnly(t, "afterwards", root)
}
