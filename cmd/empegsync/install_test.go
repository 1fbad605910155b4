package main

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/empegsync/empegsync/pkg/install"
)

// layout says of everything below dir what it is: kind, mode, and size or target.
func layout(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for name := range state(t, dir) {
		info, err := os.Lstat(filepath.Join(dir, name))
		must(t, err)
		out[name] = info.Mode().String()
		if target, err := os.Readlink(filepath.Join(dir, name)); err == nil {
			out[name] += " -> " + target
		} else if info.Mode().IsRegular() {
			text, err := os.ReadFile(filepath.Join(dir, name))
			must(t, err)
			out[name] += " " + string(text[:min(len(text), 4000)])
		}
	}
	return out
}

// withPlayer gives a player's root the program that plays.
func withPlayer(t testing.TB, root string) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(root, "empeg/bin/player"), []byte("#!/bin/sh\necho plays\n"), 0o755))
}

func TestInstall(t *testing.T) {
	t.Parallel()
	root, _ := players(t, 12)
	withPlayer(t, root)
	before, untouchedState := layout(t, root), state(t, root)

	r := call(t, "install", "--root", root, "-n")
	r.expect(t, 0)
	for _, want := range []string{"copy the program to /drive0/empegsync/empegsync", "    | role = master\n", "    | exec /empeg/bin/empegsync/player \"$@\"\n"} {
		if !strings.Contains(r.out, want) {
			t.Errorf("-n lacks %q:\n%s", want, r.out)
		}
	}
	untouched(t, untouchedState, root)

	r = call(t, "install", "--root", root, "--role", "both", "--master", "kitchen:1")
	r.expect(t, 0)
	added := cmp.Diff(before, layout(t, root))
	for _, want := range []string{"reinstate", "empegsync.conf", "bin/empegsync", "bin/rsync", "bin/reindex"} {
		if !strings.Contains(added, want) {
			t.Errorf("%s was not laid down:\n%s", want, added)
		}
	}
	if r := call(t, "install", "--root", root); r.code != 0 || !strings.HasPrefix(r.out, "nothing to do\n") {
		t.Errorf("a second time: %s", r)
	}
	call(t, "install", "--root", root, "--role", "slave").expect(t, 1, "empegsync setup")

	// The verbs take the configuration for theirs.
	r = call(t, "serve", "--check", "--root", root)
	if want := "serving the modules of " + root + "/drive0/empegsync/empegsync.conf\n"; !strings.HasPrefix(r.out, want) {
		t.Errorf("serve --check: %s", r)
	}
	call(t, "pull", "--root", root, "-n").contains(t, 10, "kitchen")
	// A root's name may be relative; a module's path is not.
	beside := empegsync("serve", "--check", "--root", filepath.Base(root))
	beside.Dir = filepath.Dir(root)
	if r := start(t, beside).wait(); !strings.Contains(r.out, " "+root+"/drive0, read only\n") {
		t.Errorf("serve --check with a relative root: %s", r)
	}

	must(t, os.Remove(filepath.Join(root, "bin/rsync")))
	r = call(t, "reinstate", "--root", root)
	r.expect(t, 0)
	if r.out != "link /bin/rsync to /drive0/empegsync/empegsync\nreinstated\n" {
		t.Errorf("reinstate: %s", r)
	}
	call(t, "uninstall", "--root", root).expect(t, 0)
	if diff := cmp.Diff(before, layout(t, root)); diff != "" {
		t.Errorf("after uninstall (-before +after):\n%s", diff)
	}
	call(t, "reinstate", "--root", root).expect(t, 1, "install anew")
}

// The passwords beside the program are not served with the drive.
func TestInstalledFolderIsNotServed(t *testing.T) {
	t.Parallel()
	root, slave := players(t, 12)
	withPlayer(t, root)
	call(t, "install", "--root", root).expect(t, 0)
	addr := serve(t, "--root", root).addr
	r := rsync(t, slave, "-r", "--no-motd", "rsync://"+addr+"/drive0/")
	if r.code != 0 || strings.Contains(r.out, "empegsync") || !strings.Contains(r.out, "fids") {
		t.Errorf("the listing: %s", r)
	}
}

// oldProgram is the header of a program for the original player: 32 bits, ARM,
// flags 0 for the old ABI.
func oldProgram() []byte {
	b := make([]byte, 52)
	copy(b, "\x7fELF\x01\x01\x01")
	for at, v := range map[int]uint16{16: 2, 18: 40, 40: 52, 42: 32, 46: 40} {
		binary.LittleEndian.PutUint16(b[at:], v)
	}
	b[20] = 1
	return b
}

// A player that cannot run the program is told so before anything is copied, and
// how it takes part.
func TestInstallOnTheOriginalPlayer(t *testing.T) {
	t.Parallel()
	root, _ := players(t, 12)
	must(t, os.WriteFile(filepath.Join(root, "bin/sh"), oldProgram(), 0o755))
	before := state(t, root)
	r := call(t, "install", "--root", root)
	r.expect(t, 1, "this program cannot run here", "old ARM ABI", "ARMv5", "Linux 3.2", "Nothing was copied")
	if r.out != install.StockAdvice {
		t.Errorf("the advice: %s", r)
	}
	untouched(t, before, root)
}

func TestInstallWithoutADrive(t *testing.T) {
	t.Parallel()
	root := tempDir(t)
	must(t, os.Mkdir(filepath.Join(root, "bin"), 0o755))
	call(t, "install", "--root", root).expect(t, 1, "no drive0")
	must(t, os.Mkdir(filepath.Join(root, "drive0"), 0o755))
	call(t, "install", "--root", root, "--from", "/etc/passwd").expect(t, 1, "not a program")
}

// What start does for a master: the fix-ups and the modules, until it is told to
// stop; and it runs once.
func TestStartOfAMaster(t *testing.T) {
	t.Parallel()
	root, slave := players(t, 12)
	withPlayer(t, root)
	call(t, "install", "--root", root).expect(t, 0)
	s := serveBy(t, empegsync("start", "--foreground", "--root", root, "--address", "127.0.0.1:0"))
	call(t, "start", "--foreground", "--root", root).expect(t, 1, "runs already")
	call(t, "pull", s.addr, "--root", slave).expect(t, 0)
	equal(t, root, slave)
	if text, err := os.ReadFile(filepath.Join(root, "etc/hosts")); err != nil || !strings.HasPrefix(string(text), "127.0.0.1 localhost\n") {
		t.Errorf("the fix-ups: %q, %v", text, err)
	}
}

// A slave that shall pull at boot does so once its master is there.
func TestStartOfASlave(t *testing.T) {
	t.Parallel()
	master, slave := players(t, 12)
	withPlayer(t, slave)
	addr := serve(t, "--root", master).addr
	call(t, "install", "--root", slave, "--role", "slave", "--master", addr).expect(t, 0)
	config := filepath.Join(slave, install.Config)
	text, err := os.ReadFile(config)
	must(t, err)
	must(t, os.WriteFile(config, []byte(strings.Replace(string(text), "pull at boot = no", "pull at boot = yes", 1)), 0o644))
	p := start(t, empegsync("start", "--foreground", "--root", slave))
	if r := p.wait(); r.code != 0 || !strings.Contains(r.out, "database: removed") {
		t.Errorf("start: %s", r)
	}
	equal(t, master, slave)
}
