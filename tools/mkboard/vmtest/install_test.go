package vmtest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/empegsync/empegsync/pkg/player/playertest"
	"github.com/empegsync/empegsync/tools/mkboard/board"
)

// firstBoot: a bare player becomes a master, and remains one over an upgrade.
func firstBoot(t *testing.T, l *lab) {
	l.title("A bare player: nothing in /etc, loopback down, no hostname")
	r := l.newRig(t, "kitchen", rigOptions{music: playertest.Options{Fids: 40, Seed: 2}, disks: board.DiskOptions{Address: board.HostedAddress}})
	address := freeAddress(t)
	r.switchOn(board.Options{Forward: address})
	r.play()
	r.quit()
	r.run("ls /etc; cat /proc/sys/kernel/hostname")
	r.run(arrival + " boot -n")

	l.title("It is installed: first looked at, then done; then the player is switched off and on")
	r.run(arrival + " install -n --role master")
	if _, code := r.try("ls /drive0/empegsync"); code == 0 {
		t.Error("install -n has made its folder")
	}
	r.run(arrival + " install --role master")
	r.drivesReadOnly()
	r.reboot()
	r.expectAll(`^player: .* database loaded`, `^player: playing`, `listening on`)
	r.fixedUp()
	r.seenFromOutside(address)
	r.must(r.m.Type("exit"))
	r.play()

	l.title("An upgrade of the player's software rewrites its root")
	r.quit()
	r.switchOff()
	r.must(r.base.Upgrade(t.Context(), r.player, r.disks))
	r.switchOn(board.Options{Forward: address})
	r.play()
	r.quit()
	if out, code := r.try("ls /bin/empegsync /etc/hosts"); code == 0 {
		t.Errorf("after an upgrade it is still there: %s", out)
	}
	r.run("/drive0/empegsync/reinstate")
	r.reboot()
	r.expectAll(`^player: playing`, `listening on`)
	r.fixedUp()
	r.seenFromOutside(address)

	l.title("Uninstalled, the player is as it was")
	r.run("empegsync uninstall")
	if out, code := r.try("ls /bin/empegsync /bin/rsync /drive0/empegsync /empeg/bin/empegsync"); code == 0 || strings.Contains(out, "\n/") {
		t.Errorf("left behind: %s", out)
	}
	r.run("cmp /empeg/bin/player /bin/init") // one program, see board.Base
	r.drivesReadOnly()
	r.switchOff()
	r.must(board.Check(t.Context(), r.disks))
}

// reboot restarts the board from its shell.
func (r *rig) reboot() {
	r.t.Helper()
	r.must(r.m.Type("reboot"))
	r.expect(`init: restarting`) // after the prompt of a shell that is about to end, at times
}

// fixedUp looks at what boot has done, and leaves the player for the shell.
func (r *rig) fixedUp() {
	r.t.Helper()
	r.quit()
	for command, want := range map[string]string{
		"cat /proc/sys/kernel/hostname": r.name + "\n",
		"cat /etc/hosts":                board.HostedAddress,
		"cat /etc/passwd":               "root:",
		"cat /etc/group":                "root:",
		"cat /proc/net/route":           "eth0",
		"empegsync boot -n":             "nothing to do\n",
	} {
		if out := r.run(command); !strings.Contains(out, want) {
			r.t.Errorf("%s: %s: %q, want %q", r.name, command, out, want)
		}
	}
	r.drivesReadOnly()
}

// seenFromOutside has Debian's rsync list the board's modules and fetch its music.
func (r *rig) seenFromOutside(address string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), stepTime)
	defer cancel()
	list, err := exec.CommandContext(ctx, "rsync", "rsync://"+address+"/").CombinedOutput()
	if err != nil {
		r.t.Fatalf("%s: rsync lists the modules: %v\n%s", r.name, err, list)
	}
	r.note("$ rsync rsync://BOARD/\n%s", strings.TrimSpace(string(list)))
	copied := r.t.TempDir()
	for _, drive := range []string{"drive0", "drive1"} {
		if !strings.Contains(string(list), drive) {
			r.t.Errorf("%s: no module %s", r.name, drive)
		}
		r.must(os.MkdirAll(filepath.Join(copied, drive), 0o755))
		out, err := exec.CommandContext(ctx, "rsync", "-a", "rsync://"+address+"/"+drive+"/fids", filepath.Join(copied, drive)).CombinedOutput()
		if err != nil {
			r.t.Fatalf("%s: rsync from %s: %v\n%s", r.name, drive, err, out)
		}
	}
	if err := playertest.Compare(r.player, copied); err != nil {
		r.t.Errorf("%s: %v", r.name, err)
	}
	r.note("Debian's rsync has fetched the same music")
}
