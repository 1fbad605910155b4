package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/empegsync/empegsync/pkg/player/playertest"
)

// players lays out a master and a slave: one music, but the master is a day
// ahead. It returns the folders of both.
func players(t testing.TB, fids int) (master, slave string) {
	t.Helper()
	dir := tempDir(t)
	master, slave = filepath.Join(dir, "master"), filepath.Join(dir, "slave")
	must(t, playertest.Build(master, playertest.Options{Name: "kitchen", Fids: fids, Seed: 7}))
	must(t, playertest.Build(slave, playertest.Options{Name: "car", Fids: fids, Seed: 7}))
	_, err := playertest.Mutate(master, 1)
	must(t, err)
	return master, slave
}

// tempDir is a folder for the test, without links in its name.
func tempDir(t testing.TB) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	return dir
}

// database is what a player of version 3 has that was upgraded from version 2.
func database() []string { return []string{"database", "database3", "playlists", "tags"} }

// clone copies a tree with all that a pull looks at.
func clone(t testing.TB, from, to string) {
	t.Helper()
	if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		t.Fatalf("cp -a %s %s: %v\n%s", from, to, err, out)
	}
}

// state says of everything below dir which file it is and when it was last
// touched, so that two equal states mean that nothing was written in between.
func state(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := make(map[string]string)
	must(t, filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		out[rel] = fmt.Sprintf("inode %d mode %o links %d size %d modified %d.%09d changed %d.%09d",
			st.Ino, st.Mode, st.Nlink, st.Size, st.Mtim.Sec, st.Mtim.Nsec, st.Ctim.Sec, st.Ctim.Nsec)
		return nil
	}))
	return out
}

// untouched fails the test if something below dir was written since before.
func untouched(t testing.TB, before map[string]string, dir string) {
	t.Helper()
	if diff := cmp.Diff(before, state(t, dir)); diff != "" {
		t.Errorf("%s was written to (-before +after):\n%s", dir, diff)
	}
}

// contents maps the files of both drives' fids to their bytes.
func contents(t testing.TB, player string) map[string]string {
	t.Helper()
	out := make(map[string]string)
	for _, drive := range []string{"drive0", "drive1"} {
		root := filepath.Join(player, drive, "fids")
		err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			text, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(player, name)
			out[rel] = string(text)
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	return out
}

// equal fails the test unless the slave holds the master's music, without
// leftovers, and its own things as they were.
func equal(t testing.TB, master, slave string) {
	t.Helper()
	if err := playertest.Compare(master, slave); err != nil {
		t.Error(err)
	}
	noLeftovers(t, slave)
	text, err := os.ReadFile(filepath.Join(slave, "empeg/var/config.ini"))
	if err != nil || !strings.Contains(string(text), "name=car\n") {
		t.Errorf("the slave's own config.ini: %v\n%s", err, text)
	}
}

func noLeftovers(t testing.TB, dir string) {
	t.Helper()
	left, err := playertest.TempLeftovers(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("temporary files: %q, %v", left, err)
	}
}

// hasDatabase fails the test unless exactly these database files are there.
func hasDatabase(t testing.TB, player string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, playertest.DatabaseFiles(player)); diff != "" {
		t.Errorf("database files of %s (-want +got):\n%s", filepath.Base(player), diff)
	}
}

// starts lets the player start: its database must be true, and rebuilt or not
// as the test wants.
func starts(t testing.TB, player string, rebuilt bool) {
	t.Helper()
	report, err := playertest.Start(player)
	if err != nil || report.Rebuilt != rebuilt || len(report.Broken) > 0 {
		t.Errorf("start of the player: %v, %v; want rebuilt %v", report, err, rebuilt)
	}
}

// anyFid is a fid's file of the player's drive, by its name below the player.
func anyFid(t testing.TB, player, drive string) string {
	t.Helper()
	best := ""
	for name := range contents(t, player) {
		// A tune's body is long; the last in order is no special playlist.
		if strings.HasPrefix(name, drive+"/") && strings.HasSuffix(name, "0") && name > best {
			if info, err := os.Stat(filepath.Join(player, name)); err == nil && info.Size() > 10_000 {
				best = name
			}
		}
	}
	if best == "" {
		t.Fatalf("%s has no tune on %s", player, drive)
	}
	return best
}
