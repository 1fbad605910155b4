package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/empegsync/empegsync/pkg/player/playertest"
)

// The document's pull, from our daemon and from Debian's, in each protocol
// version that both speak.
func TestPull(t *testing.T) {
	for _, peer := range []string{"ours", "debian"} {
		for version := 27; version <= 32; version++ {
			t.Run(fmt.Sprintf("%s/%d", peer, version), func(t *testing.T) {
				t.Parallel()
				master, slave := players(t, 40)
				addr := ""
				if peer == "ours" {
					addr = serve(t, "--root", master).addr
				} else {
					addr = debian(t, master)
				}
				pullTwice(t, addr, master, slave, fmt.Sprintf("--protocol=%d", version))
			})
		}
	}
}

// pullTwice pulls, lets the player rebuild, and pulls again: nothing may change.
func pullTwice(t *testing.T, addr, master, slave string, flags ...string) {
	t.Helper()
	args := append([]string{"pull", addr, "--root", slave}, flags...)
	r := call(t, args...)
	r.expect(t, 0)
	for _, want := range []string{
		"\ndatabase: removed database, database3, playlists, tags before the first change", "on its serial console",
	} {
		if !strings.Contains(strings.ToLower("\n"+r.out), strings.ToLower(want)) {
			t.Errorf("output lacks %q:\n%s", want, r.out)
		}
	}
	equal(t, master, slave)
	hasDatabase(t, slave)
	starts(t, slave, true)
	before := state(t, slave)
	r = call(t, args...)
	r.expect(t, 0)
	if !strings.Contains(r.out, "database: kept, no music has changed\n") || strings.Contains(r.out, "serial console") {
		t.Errorf("second run:\n%s", r.out)
	}
	untouched(t, before, slave)
	starts(t, slave, false)
}

// Debian's rsync types the document's commands at our daemon.
func TestServeToDebian(t *testing.T) {
	for version := 27; version <= 32; version++ {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			t.Parallel()
			master, slave := players(t, 40)
			addr := serve(t, "--root", master).addr
			for _, drive := range []string{"drive0", "drive1"} {
				args := []string{"-auv", "--delete", fmt.Sprintf("--protocol=%d", version), "rsync://" + addr + "/" + drive + "/fids", "."}
				if r := rsync(t, filepath.Join(slave, drive), args...); r.code != 0 || r.err != "" {
					t.Fatalf("%s: %s", drive, r)
				}
				before := state(t, slave)
				if r := rsync(t, filepath.Join(slave, drive), args...); r.code != 0 || r.err != "" || strings.Contains(r.out, "fids/") {
					t.Errorf("%s again: %s", drive, r)
				}
				untouched(t, before, slave)
			}
			equal(t, master, slave)
		})
	}
}

// lines are those that tell of files, without headings and the summary.
func (r result) lines() []string {
	var out []string
	for l := range strings.Lines(r.out) {
		l = strings.TrimSuffix(l, "\n")
		if strings.HasPrefix(l, "drive") || strings.HasPrefix(l, "database") {
			return out
		}
		if strings.Contains(l, "fids/") {
			out = append(out, l)
		}
	}
	return out
}

// What -i and -v print is what Debian's rsync prints for the same pull.
func TestPullNamesFilesAsRsyncDoes(t *testing.T) {
	for _, flags := range []string{"-i", "-v", "-ii", "-vi"} {
		t.Run(flags, func(t *testing.T) {
			t.Parallel()
			master, slave := players(t, 40)
			if strings.Contains(flags, "i") {
				must(t, os.Chmod(filepath.Join(slave, anyFid(t, slave, "drive0")), 0o600))
			}
			other := slave + "-debian"
			clone(t, slave, other)
			addr := serve(t, "--root", master).addr
			var want []string
			for _, drive := range []string{"drive0", "drive1"} {
				r := rsync(t, filepath.Join(other, drive), "-au", flags, "--delete", "--no-inc-recursive", "rsync://"+addr+"/"+drive+"/fids", ".")
				if r.code != 0 {
					t.Fatal(r)
				}
				for _, l := range strings.Split(r.out, "\n") {
					if strings.Contains(l, "fids/") {
						want = append(want, l)
					}
				}
			}
			r := call(t, "pull", addr, "--root", slave, flags)
			r.expect(t, 0)
			got := r.lines()
			if len(want) < 20 || len(got) < 20 {
				t.Fatalf("too few lines to mean anything: %d and %d", len(want), len(got))
			}
			slices.Sort(want) // deletions are told as they happen, between the transfers
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("lines (-rsync +ours):\n%s", diff)
			}
			equal(t, master, slave)
		})
	}
}

func TestPullDryRun(t *testing.T) {
	t.Parallel()
	master, slave := players(t, 40)
	addr := serve(t, "--root", master).addr
	before := state(t, slave)
	dry := call(t, "pull", addr, "--root", slave, "-n", "-i")
	dry.expect(t, 0)
	untouched(t, before, slave)
	hasDatabase(t, slave, database()...)
	for _, want := range []string{" to transfer, ", " to delete; ", "database: would be removed before the first change (database, database3, playlists, tags)\n"} {
		if !strings.Contains(dry.out, want) {
			t.Errorf("-n lacks %q:\n%s", want, dry.out)
		}
	}
	if strings.Contains(dry.out, "serial console") {
		t.Errorf("-n tells to restart the player:\n%s", dry.out)
	}
	real := call(t, "pull", addr, "--root", slave, "-i")
	real.expect(t, 0)
	if diff := cmp.Diff(slices.Sorted(slices.Values(real.lines())), slices.Sorted(slices.Values(dry.lines()))); diff != "" {
		t.Errorf("what is done and what -n has shown (-done +shown):\n%s", diff)
	}
	equal(t, master, slave)
	starts(t, slave, true)
	again := call(t, "pull", addr, "--root", slave, "-n")
	again.expect(t, 0)
	if !strings.Contains(again.out, "database: kept") {
		t.Errorf("-n with nothing to do:\n%s", again.out)
	}
}

// Each flag does what it says, and its absence does not.
func TestPullFlags(t *testing.T) {
	t.Run("no-delete", func(t *testing.T) {
		t.Parallel()
		master, slave := players(t, 40)
		own := filepath.Join(slave, "drive1/fids/_00fff/ff0")
		must(t, os.MkdirAll(filepath.Dir(own), 0o755))
		must(t, os.WriteFile(own, []byte("own"), 0o644))
		addr := serve(t, "--root", master).addr
		call(t, "pull", addr, "--root", slave, "--no-delete").expect(t, 0)
		mine, theirs := contents(t, slave), contents(t, master)
		for name := range theirs {
			if mine[name] != theirs[name] {
				t.Errorf("%s is not the master's", name)
			}
		}
		if mine["drive1/fids/_00fff/ff0"] != "own" {
			t.Error("--no-delete has deleted")
		}
		call(t, "pull", addr, "--root", slave).expect(t, 0)
		equal(t, master, slave)
	})
	t.Run("no-reindex", func(t *testing.T) {
		t.Parallel()
		master, slave := players(t, 40)
		r := call(t, "pull", serve(t, "--root", master).addr, "--root", slave, "--no-reindex")
		r.expect(t, 0)
		equal(t, master, slave)
		hasDatabase(t, slave, database()...)
		if strings.Contains(r.out, "database") || strings.Contains(r.out, "serial console") {
			t.Errorf("--no-reindex speaks of the database:\n%s", r.out)
		}
	})
	t.Run("update", func(t *testing.T) {
		t.Parallel()
		master, slave := players(t, 40)
		fid := anyFid(t, master, "drive0")
		newer := filepath.Join(slave, fid)
		must(t, os.WriteFile(newer, []byte("recorded here"), 0o644))
		at := time.Now().Add(-time.Hour)
		must(t, os.Chtimes(newer, at, at))
		addr := serve(t, "--root", master).addr
		r := call(t, "pull", addr, "--root", slave)
		r.expect(t, 0)
		if contents(t, slave)[fid] != "recorded here" || !strings.Contains(r.out, "drive0: 1 files are newer here") {
			t.Errorf("a file that is newer here: now %d bytes\n%s", len(contents(t, slave)[fid]), r.out)
		}
		call(t, "pull", addr, "--root", slave, "--no-update").expect(t, 0)
		equal(t, master, slave)
	})
	t.Run("checksum", func(t *testing.T) {
		t.Parallel()
		master, slave := players(t, 40)
		addr := serve(t, "--root", master).addr
		call(t, "pull", addr, "--root", slave, "-q").expect(t, 0)
		rotten := filepath.Join(slave, anyFid(t, master, "drive1"))
		info, err := os.Stat(rotten)
		must(t, err)
		must(t, os.WriteFile(rotten, make([]byte, info.Size()), 0o644))
		must(t, os.Chtimes(rotten, info.ModTime(), info.ModTime()))
		call(t, "pull", addr, "--root", slave).expect(t, 0)
		if playertest.Compare(master, slave) == nil {
			t.Fatal("a pull without --checksum has read every file, or the test is wrong")
		}
		call(t, "pull", addr, "--root", slave, "--checksum").expect(t, 0)
		equal(t, master, slave)
	})
	t.Run("quiet", func(t *testing.T) {
		t.Parallel()
		master, slave := players(t, 40)
		r := call(t, "pull", serve(t, "--root", master).addr, "--root", slave, "-q", "-v")
		r.expect(t, 0)
		if r.out != "" {
			t.Errorf("-q says:\n%s", r.out)
		}
		equal(t, master, slave)
		hasDatabase(t, slave)
	})
}

// A drive that only one side has is named, and the other is pulled.
func TestPullOneDrive(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	master, slave := filepath.Join(dir, "master"), filepath.Join(dir, "slave")
	for _, p := range []string{master, slave} {
		must(t, playertest.Build(p, playertest.Options{Name: "car", Fids: 30, Drives: 1, Layout: playertest.Flat}))
	}
	_, err := playertest.Mutate(master, 3)
	must(t, err)
	r := call(t, "pull", serve(t, "--root", master).addr, "--root", slave)
	r.expect(t, 0)
	if strings.Contains(r.out, "drive1") || !slices.ContainsFunc(strings.Split(r.out, "\n"), func(l string) bool { return strings.HasPrefix(l, "drive0: ") }) {
		t.Errorf("says:\n%s", r.out)
	}
	equal(t, master, slave)
}
