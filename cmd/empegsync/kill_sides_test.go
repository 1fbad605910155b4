package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// accidents are transfers through a remote shell of which one side is killed.
type accidents struct {
	dir, source, dest string
	after             map[string]string            // what the source's files hold
	versions          map[string]map[string]string // and those of what the destination is before
	pairs             map[string]string            // names of one file at the source
	// shell writes the server's process number to pid before it starts it.
	shell, pid string
}

// newAccidents lays out two versions of the same files: some do not change, a
// few are new, a few are to go, and some have two names.
func newAccidents(t *testing.T) *accidents {
	t.Helper()
	dir := tempDir(t)
	a := &accidents{
		dir: dir, source: dir + "/source", dest: dir + "/dest", shell: dir + "/shell", pid: dir + "/pid",
		versions: map[string]map[string]string{"": {}}, pairs: map[string]string{},
	}
	rng := rand.New(rand.NewPCG(5, 5))
	write := func(folder, name string, body []byte, at int64) {
		name = dir + "/" + folder + "/" + name
		must(t, os.MkdirAll(filepath.Dir(name), 0o755))
		must(t, os.WriteFile(name, body, 0o644))
		must(t, os.Chtimes(name, time.Unix(at, 0), time.Unix(at, 0)))
	}
	const long, day = 1_000_000_000, 86400
	for i := range 90 {
		bodies := [2][]byte{make([]byte, 1000+rng.IntN(80_000)), make([]byte, 1000+rng.IntN(80_000))}
		for _, body := range bodies {
			for j := range body {
				body[j] = byte(rng.Uint32())
			}
		}
		switch {
		case i%15 == 0: // it is to go
			write("old", name(i), bodies[0], long)
			write("beginnings", name(i), bodies[0], long)
			continue
		case i%15 == 7: // it is new
		case i%9 == 4: // it stays
			bodies[1] = bodies[0]
			write("old", name(i), bodies[1], long+day)
			write("beginnings", name(i), beginning(bodies[1], i), long)
		default:
			write("old", name(i), bodies[0], long)
			write("beginnings", name(i), beginning(bodies[1], i), long)
		}
		write("source", name(i), bodies[1], long+day)
		if i%10 == 3 {
			other := fmt.Sprintf("d%d/g%d", (i+1)%4, i)
			must(t, os.MkdirAll(filepath.Dir(a.source+"/"+other), 0o755))
			must(t, os.Link(a.source+"/"+name(i), a.source+"/"+other))
			a.pairs[name(i)] = other
		}
	}
	a.after = texts(t, a.source)
	for _, folder := range []string{"old", "beginnings"} {
		a.versions[folder] = texts(t, dir+"/"+folder)
	}
	must(t, os.Symlink(os.Getenv(binaryVar), dir+"/rsync"))
	must(t, os.WriteFile(a.shell, []byte("shift\necho $$ >\"$0.new\"\nmv \"$0.new\" "+a.pid+"\nexec \"$@\"\n"), 0o644))
	return a
}

// reset makes the destination what it is before.
func (a *accidents) reset(t *testing.T, w manner) {
	t.Helper()
	for _, name := range []string{a.dest, a.dir + "/backups", a.dir + "/temps", a.pid} {
		must(t, os.RemoveAll(name))
	}
	must(t, os.Mkdir(a.dir+"/temps", 0o755))
	if w.from != "" {
		clone(t, a.dir+"/"+w.from, a.dest)
	}
}

// whose says of the two sides whether they are ours or rsync.
type whose struct{ client, server bool } // true: ours

// transfer is a run: a push has the server write, a pull the client.
func (a *accidents) transfer(push bool, who whose, w manner) *exec.Cmd {
	args := append([]string{"-a", "--stats"}, strings.Fields(strings.ReplaceAll(w.options, "@", a.dir))...)
	args = append(args, "-e", "sh "+a.shell)
	if who.server {
		args = append(args, "--rsync-path="+a.dir+"/rsync")
	}
	if push {
		args = append(args, a.source+"/", "there:"+a.dest+"/")
	} else {
		args = append(args, "there:"+a.source+"/", a.dest+"/")
	}
	if who.client {
		return empegsync(append([]string{"rsync"}, args...)...)
	}
	return exec.Command("rsync", args...)
}

// texts returns what the files below a folder hold; nothing, if it is not there.
func texts(t *testing.T, top string) map[string]string {
	t.Helper()
	out := make(map[string]string)
	must(t, fs.WalkDir(os.DirFS(top), ".", func(name string, d fs.DirEntry, err error) error {
		if os.IsNotExist(err) && name == "." {
			return nil
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(top, name))
		out[name] = string(text)
		return err
	}))
	return out
}

// server returns the server's process number, 0 if it has not been started.
func (a *accidents) server() int {
	text, err := os.ReadFile(a.pid)
	if err != nil {
		return 0
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return pid
}

// gone reports whether a process has ended. Nobody may have collected it.
func gone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(stat), ") ")
	return err != nil || strings.HasPrefix(rest, "Z") || strings.HasPrefix(rest, "X")
}

// still reports whether a process of a run goes on: rsync's receiving side is
// two of them, of which one may be killed. All name the test's folder.
func (a *accidents) still() bool {
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range all {
		if line, err := os.ReadFile(name); err == nil && bytes.Contains(line, []byte(a.dir+"/")) {
			return true
		}
	}
	return false
}

// Either side of a push or a pull is killed, at moments spread by chance over
// the whole of it. What has a final name is whole, nothing is lost, and a rerun
// converges, for each of the ways in which files are replaced; and all that
// whether rsync or one of ours dies, and whoever is at the other side.
func TestEitherSideKilled(t *testing.T) {
	t.Parallel()
	const kills = 75 // of each kind
	for _, push := range []bool{false, true} {
		for _, victim := range []string{"client", "server"} {
			t.Run(fmt.Sprintf("push=%v/%s", push, victim), func(t *testing.T) {
				t.Parallel()
				a := newAccidents(t)
				all := []whose{{true, true}, {victim == "client", victim == "server"}, {victim != "client", victim != "server"}}
				length := make(map[whose]time.Duration)
				killed, midway := 0, 0
				for try := 0; killed < kills && try < 3*kills && !t.Failed(); try++ {
					w := manners()[killed%len(manners())]
					who := all[killed/len(manners())%len(all)]
					if length[who] == 0 {
						a.reset(t, w)
						begin := time.Now()
						start(t, a.transfer(push, who, w)).wait().expect(t, 0)
						length[who] = time.Since(begin)
					}
					hit, mixed := a.accident(t, push, victim, who, w, time.Duration(rand.Int64N(int64(length[who]))))
					if hit { // so that both go on happening, whatever else the machine does
						killed++
						length[who] = length[who] * 51 / 50
					} else {
						length[who] = length[who] * 19 / 20 // it was quicker this time
					}
					if mixed {
						midway++
					}
				}
				if killed < kills*2/3 || midway < 3 {
					t.Errorf("only %d transfers were killed, %d of them midway", killed, midway)
				}
				t.Logf("%d transfers of %v killed, %d of them midway", killed, length, midway)
			})
		}
	}
}

// accident kills one transfer after a while and runs it again. It reports
// whether it was in time, and whether the files were of both versions then.
func (a *accidents) accident(t *testing.T, push bool, victim string, who whose, w manner, after time.Duration) (hit, midway bool) {
	t.Helper()
	a.reset(t, w)
	p := start(t, a.transfer(push, who, w))
	if victim == "server" {
		until(t, "the server's start", func() bool { return a.server() != 0 })
	}
	time.Sleep(after)
	if victim == "client" {
		p.signal(syscall.SIGKILL)
	} else if pid := a.server(); pid != 0 && !gone(pid) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	first := p.wait()
	until(t, "the end of both sides", func() bool { return !a.still() })
	killed := a.look(t, w)
	midway = a.whole(t, w, killed)
	must(t, os.RemoveAll(a.pid))
	again := start(t, a.transfer(push, who, w)).wait()
	again.expect(t, 0)
	a.converged(t, w, killed, a.look(t, w), again.out)
	if t.Failed() {
		t.Logf("%s, killed %v after the start; ours: %+v\nfirst: %s\nthe rerun: %s", w.options, after, who, first, again)
	}
	return first.code != 0, midway
}
