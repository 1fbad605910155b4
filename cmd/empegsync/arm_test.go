package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// arm is a command line of the ARM binary on an emulated ARMv5 processor. The
// test skips where no such binary is named: scripts/test-arm.sh does it.
func arm(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	binary := os.Getenv("EMPEGSYNC_ARM")
	if binary == "" {
		t.Skip("EMPEGSYNC_ARM does not name an ARM binary; run: make test-arm")
	}
	return exec.Command("qemu-arm", append([]string{"-cpu", "arm926", binary}, args...)...)
}

func TestARMVersion(t *testing.T) {
	r := start(t, arm(t, "version")).wait()
	r.expect(t, 0)
	if !strings.Contains(r.out, "linux/arm") {
		t.Errorf("version: %q", r.out)
	}
}

func TestARMBoot(t *testing.T) {
	cmd := arm(t, "boot", "-n", "--root")
	root, _ := players(t, 12)
	cmd.Args = append(cmd.Args, root)
	before := state(t, root)
	r := start(t, cmd).wait()
	r.expect(t, 0)
	for _, want := range []string{"127.0.0.1 localhost to /etc/hosts", "/etc/passwd", "/etc/group"} {
		if !strings.Contains(r.out, want) {
			t.Errorf("the plan lacks %q:\n%s", want, r.out)
		}
	}
	untouched(t, before, root)
}

// The board is the master: Debian's rsync and our own client pull from it.
func TestARMServe(t *testing.T) {
	cmd := arm(t, "serve", "--address", "127.0.0.1:0", "--root")
	master, slave := players(t, 40)
	other := slave + "-other"
	clone(t, slave, other)
	cmd.Args = append(cmd.Args, master)
	s := serveBy(t, cmd)
	for _, drive := range []string{"drive0", "drive1"} {
		r := rsync(t, filepath.Join(slave, drive), "-auv", "--delete", "rsync://"+s.addr+"/"+drive+"/fids", ".")
		if r.code != 0 || r.err != "" {
			t.Errorf("pull with Debian's rsync: %s", r)
		}
	}
	equal(t, master, slave)
	call(t, "pull", s.addr, "--root", other).expect(t, 0)
	equal(t, master, other)
}

// The board is the slave: it pulls from Debian's rsync and from our daemon on a
// PC, and reindexes.
func TestARMPull(t *testing.T) {
	arm(t)
	for _, peer := range []string{"ours", "debian"} {
		t.Run(peer, func(t *testing.T) {
			master, slave := players(t, 40)
			addr := ""
			if peer == "ours" {
				addr = serve(t, "--root", master).addr
			} else {
				addr = debian(t, master)
			}
			before := state(t, slave)
			start(t, arm(t, "pull", addr, "--root", slave, "-n")).wait().expect(t, 0)
			untouched(t, before, slave)
			start(t, arm(t, "pull", addr, "--root", slave)).wait().expect(t, 0)
			equal(t, master, slave)
			hasDatabase(t, slave)
			starts(t, slave, true)
			before = state(t, slave)
			start(t, arm(t, "pull", addr, "--root", slave)).wait().expect(t, 0)
			untouched(t, before, slave)
			starts(t, slave, false)
		})
	}
}

func TestARMReindex(t *testing.T) {
	cmd := arm(t, "reindex", "--root")
	_, slave := players(t, 12)
	cmd.Args = append(cmd.Args, slave)
	start(t, cmd).wait().expect(t, 0)
	hasDatabase(t, slave)
	starts(t, slave, true)
}
