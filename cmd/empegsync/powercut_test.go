package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/player/playertest"
)

// step is a system call that writes, names or syncs something, from the line of
// the record where it begins to the one where it ends.
type step struct {
	begin, end int
	call       string
	at         string // what it is about: of a rename, the old name
	to         string // of a rename or a link, the new name
}

// recorded runs a command and returns what it has done to files, in order.
func recorded(t *testing.T, args ...string) []step {
	t.Helper()
	file := filepath.Join(t.TempDir(), "record")
	calls := "trace=write,pwrite64,ftruncate,copy_file_range,fsync,fdatasync,syncfs,rename,renameat,renameat2,linkat,unlinkat"
	words := append([]string{"-f", "-y", "-s", "0", "-qq", "-e", calls, "-e", "signal=none", "-o", file, os.Getenv(binaryVar)}, args...)
	start(t, exec.Command("strace", words...)).wait().expect(t, 0)
	text, err := os.ReadFile(file)
	must(t, err)
	const fd = `(?:\d+|AT_FDCWD)<([^>]*)>`
	var (
		line  = regexp.MustCompile(`^(\d+) +(?:<\.\.\. )?(\w+)(?:\(| resumed>)(.*)$`)
		one   = regexp.MustCompile(`^` + fd)
		entry = regexp.MustCompile(`^` + fd + `, "([^"]*)"`)
		pair  = regexp.MustCompile(`^` + fd + `, "([^"]*)", ` + fd + `, "([^"]*)"`)
		steps []step
		open  = make(map[string]int) // by thread: the call that goes on
	)
	for i, l := range strings.Split(string(text), "\n") {
		m := line.FindStringSubmatch(l)
		if m == nil {
			continue
		}
		if strings.Contains(l, " resumed>") {
			steps[open[m[1]]].end = i
		} else {
			s := step{begin: i, end: i, call: m[2]}
			if p := pair.FindStringSubmatch(m[3]); p != nil {
				s.at, s.to = filepath.Join(p[1], p[2]), filepath.Join(p[3], p[4])
			} else if p := entry.FindStringSubmatch(m[3]); p != nil {
				s.at = filepath.Join(p[1], p[2])
			} else if p := one.FindStringSubmatch(m[3]); p != nil {
				s.at = p[1]
			}
			open[m[1]] = len(steps)
			steps = append(steps, s)
		}
		if strings.Contains(l, " = -1 ") {
			steps[open[m[1]]].call = "failed"
		}
	}
	return steps
}

func (s step) writes() bool {
	return s.call == "write" || s.call == "pwrite64" || s.call == "ftruncate" || s.call == "copy_file_range"
}

func (s step) renames() bool { return strings.HasPrefix(s.call, "rename") }

// syncs reports whether a call has the disk know a file or a folder.
func (s step) syncs(name string) bool {
	return s.call == "syncfs" || (s.call == "fsync" || s.call == "fdatasync") && s.at == name
}

// synced reports whether the disk has learnt of name between two lines.
func synced(steps []step, name string, after, before int) bool {
	return slices.ContainsFunc(steps, func(s step) bool { return s.syncs(name) && s.begin > after && s.end < before })
}

// ordered checks that each file below a folder has had its data on the disk
// before it got its name, and that its name was there in the end. It returns at
// which line the disk knows each name, as far as the record shows.
func ordered(t *testing.T, steps []step, folder string) map[string]int {
	t.Helper()
	const end = 1 << 30
	known := make(map[string]int)
	for _, r := range steps {
		if !r.renames() || !strings.HasPrefix(r.to, folder+"/") || !strings.HasPrefix(filepath.Base(r.at), ".") {
			continue
		}
		written := -1
		for _, s := range steps {
			if s.writes() && s.at == r.at && s.begin < r.begin {
				written = s.end
			}
		}
		if written < 0 {
			continue // a link
		}
		if !synced(steps, r.at, written, r.begin) {
			t.Errorf("%s had its name before its data were on the disk", r.to)
		}
		if !synced(steps, filepath.Dir(r.to), r.end, end) {
			t.Errorf("the name of %s was never on the disk", r.to)
		}
		for _, s := range steps {
			if s.syncs(filepath.Dir(r.to)) && s.begin > r.end {
				known[r.to] = s.end
				break
			}
		}
	}
	return known
}

// files lays out n files and returns their folder.
func files(t *testing.T, dir string, n int) string {
	t.Helper()
	for i := range n {
		name := fmt.Sprintf("%s/d%d/f%d", dir, i%3, i)
		must(t, os.MkdirAll(filepath.Dir(name), 0o755))
		must(t, os.WriteFile(name, fmt.Appendf(nil, "%s %d", dir, i), 0o644))
		must(t, os.Chtimes(name, time.Unix(1e9, 0), time.Unix(1e9, 0)))
	}
	return dir
}

// TestPowerCut looks at the order in which programs tell the kernel what to do,
// which is all that a power cut lets one rely on: data, their sync, the name, its
// sync; and only then what cannot be taken back.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	const many = 150 // some batches of them
	t.Run("fsync", func(t *testing.T) {
		t.Parallel()
		dir := tempDir(t)
		steps := recorded(t, "rsync", "-a", "--fsync", files(t, dir+"/src", many)+"/", dir+"/dst/")
		if n := len(ordered(t, steps, dir+"/dst")); n != many {
			t.Errorf("%d files have come, not %d", n, many)
		}
	})
	t.Run("delayed", func(t *testing.T) {
		t.Parallel()
		dir := tempDir(t)
		files(t, dir+"/dst", 5)
		steps := recorded(t, "rsync", "-aI", "--fsync", "--delay-updates", files(t, dir+"/src", 5)+"/", dir+"/dst/")
		if n := len(ordered(t, steps, dir+"/dst")); n != 5 {
			t.Errorf("%d files have waited, not 5", n)
		}
		for _, s := range steps {
			if s.renames() && strings.Contains(s.at, "/.~tmp~/") && !synced(steps, filepath.Dir(s.to), s.end, 1<<30) {
				t.Errorf("the name of %s was never on the disk", s.to)
			}
		}
	})
	t.Run("moved", func(t *testing.T) {
		t.Parallel()
		dir := tempDir(t)
		src, dst := files(t, dir+"/src", many), dir+"/dst"
		clone(t, src+"/.", dst)
		must(t, os.RemoveAll(dst+"/d1"))
		steps := recorded(t, "rsync", "-a", "--fsync", "--remove-source-files", src+"/", dst+"/")
		known, removed := ordered(t, steps, dst), 0
		for _, s := range steps {
			name, ours := strings.CutPrefix(s.at, src+"/")
			if s.call != "unlinkat" || !ours {
				continue
			}
			removed++
			at, came := known[dst+"/"+name]
			if !came && !synced(steps, filepath.Dir(dst+"/"+name), -1, s.begin) || at > s.begin {
				t.Errorf("%s was removed before the disk had it elsewhere", name)
			}
		}
		if removed != many || len(known) != many/3 {
			t.Errorf("%d files have come, and %d are removed", len(known), removed)
		}
	})
	t.Run("backup", func(t *testing.T) {
		t.Parallel()
		dir := tempDir(t)
		src, dst := files(t, dir+"/src", 5), files(t, dir+"/dst", 5)
		steps := recorded(t, "rsync", "-aI", "--no-W", "--fsync", "--inplace", "-b", src+"/", dst+"/")
		known := ordered(t, steps, dst)
		if len(known) != 5 {
			t.Errorf("%d backups, not 5", len(known))
		}
		for _, s := range steps {
			if at, kept := known[s.at+"~"]; s.writes() && kept && at > s.begin {
				t.Errorf("%s was written into before the disk had its backup", s.at)
			}
		}
	})
	t.Run("pull", func(t *testing.T) {
		t.Parallel()
		dir := tempDir(t)
		master, slave := dir+"/master", dir+"/slave"
		must(t, playertest.Build(master, playertest.Options{Fids: 80, Seed: 1}))
		must(t, playertest.Build(slave, playertest.Options{Fids: 20, Seed: 2}))
		older(t, slave)
		if len(playertest.DatabaseFiles(slave)) == 0 {
			t.Fatal("no database to remove")
		}
		steps := recorded(t, "pull", serve(t, "--root", master).addr, "--root", slave, "-q")
		if n := len(ordered(t, steps, slave)); n < 80 {
			t.Errorf("%d files have come", n)
		}
		first := slices.IndexFunc(steps, func(s step) bool { return s.renames() && strings.Contains(s.to, "/fids/") })
		gone := 0
		for _, s := range steps {
			if s.call == "unlinkat" && slices.Contains(database(), filepath.Base(s.at)) {
				gone++
				if first < 0 || !synced(steps, filepath.Dir(s.at), s.end, steps[first].begin) {
					t.Errorf("music changed before the disk knew that %s was gone", s.at)
				}
			}
		}
		if gone == 0 {
			t.Error("no file of the database is removed")
		}
	})
}
