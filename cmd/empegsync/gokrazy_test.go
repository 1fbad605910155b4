package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/empegsync/empegsync/pkg/player/playertest"
)

// gokrazy builds gokrazy/rsync, another program's rsync in Go, at the version
// that the benchmarks use. It speaks protocol 27 only, and what it can do is
// less than the document's pull: no -u, no --delete, no times of folders.
func gokrazy(t *testing.T) string {
	t.Helper()
	tool := os.Getenv("GO")
	if tool == "" {
		tool = "go"
	}
	binary := filepath.Join(tempDir(t), "gokr-rsync")
	cmd := exec.Command(tool, "build", "-modfile=tools/bench/gokrazy.mod", "-o", binary, "github.com/gokrazy/rsync/cmd/gokr-rsync")
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build gokrazy/rsync: %v\n%s", err, out)
	}
	return binary
}

// gokrazyDaemon serves a player's drives, a process for each connection.
func gokrazyDaemon(t *testing.T, binary, player string) string {
	t.Helper()
	home := tempDir(t) // where it looks for its configuration
	text := fmt.Sprintf("dont_namespace = true\n[[module]]\nname = \"drive0\"\npath = %q\n[[module]]\nname = \"drive1\"\npath = %q\n",
		player+"/drive0", player+"/drive1")
	must(t, os.WriteFile(filepath.Join(home, "gokr-rsyncd.toml"), []byte(text), 0o644))
	return listen(t, func(conn *net.TCPConn) {
		cmd := exec.Command(binary, "--server", "--daemon", ".")
		cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+home)
		f, err := conn.File()
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		var said lockedBuffer
		cmd.Stdin, cmd.Stdout, cmd.Stderr = f, f, &said
		if err := cmd.Run(); err != nil {
			t.Logf("gokrazy/rsync: %v\n%s", err, &said)
		}
	})
}

func TestGokrazy(t *testing.T) {
	t.Parallel()
	binary := gokrazy(t)
	t.Run("as master", func(t *testing.T) {
		t.Parallel()
		master, slave := players(t, 40)
		// It does not know --timeout.
		pullTwice(t, gokrazyDaemon(t, binary, master), master, slave, "--timeout=0")
	})
	t.Run("as slave", func(t *testing.T) {
		t.Parallel()
		master, _ := players(t, 40)
		slave := filepath.Join(tempDir(t), "slave")
		s := serve(t, "--root", master)
		for _, drive := range []string{"drive0", "drive1"} {
			dir := filepath.Join(slave, drive)
			must(t, os.MkdirAll(dir, 0o755))
			for range 2 { // the second time it finds its files
				cmd := exec.Command(binary, "-a", "rsync://"+s.addr+"/"+drive+"/fids", ".")
				cmd.Dir = dir
				if r := start(t, cmd).wait(); r.code != 0 {
					t.Errorf("gokrazy/rsync: %s", r)
				}
			}
		}
		if diff := cmp.Diff(contents(t, master), contents(t, slave)); diff != "" {
			t.Errorf("files (-master +slave): %.2000s", diff)
		}
		if left, err := playertest.TempLeftovers(slave); err != nil || len(left) > 0 {
			t.Errorf("%q, %v", left, err)
		}
	})
}
