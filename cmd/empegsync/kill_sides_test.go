package main

import (
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
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
	before, after     map[string]string
	// shell writes the server's process number to pid before it starts it.
	shell, pid string
}

// newAccidents lays out two versions of the same files, a few of which are new
// and a few of which are to go.
func newAccidents(t *testing.T) *accidents {
	t.Helper()
	dir := tempDir(t)
	a := &accidents{
		dir: dir, source: dir + "/source", dest: dir + "/dest", shell: dir + "/shell", pid: dir + "/pid",
	}
	rng := rand.New(rand.NewPCG(5, 5))
	for version, top := range []string{dir + "/old", a.source} {
		for i := range 90 {
			if i%15 == 7*version {
				continue // not in this version
			}
			body := make([]byte, 1000+rng.IntN(80_000))
			for j := range body {
				body[j] = byte(rng.Uint32())
			}
			name := fmt.Sprintf("%s/d%d/f%d", top, i%4, i)
			must(t, os.MkdirAll(filepath.Dir(name), 0o755))
			must(t, os.WriteFile(name, body, 0o644))
			at := time.Unix(1_000_000_000+int64(version)*86400, 0)
			must(t, os.Chtimes(name, at, at))
		}
	}
	a.before, a.after = texts(t, dir+"/old"), texts(t, a.source)
	must(t, os.Symlink(os.Getenv(binaryVar), dir+"/rsync"))
	must(t, os.WriteFile(a.shell, []byte("shift\necho $$ >\"$0.new\"\nmv \"$0.new\" "+a.pid+"\nexec \"$@\"\n"), 0o644))
	return a
}

func (a *accidents) reset(t *testing.T) {
	t.Helper()
	must(t, os.RemoveAll(a.dest))
	must(t, os.RemoveAll(a.pid))
	clone(t, a.dir+"/old", a.dest)
}

// copy is the transfer: a push has the server write, a pull the client.
func (a *accidents) copy(push bool) []string {
	args := []string{"rsync", "-a", "--delete", "-e", "sh " + a.shell, "--rsync-path=" + a.dir + "/rsync"}
	if push {
		return append(args, a.source+"/", "there:"+a.dest+"/")
	}
	return append(args, "there:"+a.source+"/", a.dest+"/")
}

// texts returns what the files below a folder hold.
func texts(t *testing.T, top string) map[string]string {
	t.Helper()
	out := make(map[string]string)
	must(t, fs.WalkDir(os.DirFS(top), ".", func(name string, d fs.DirEntry, err error) error {
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

// whole checks that every file under its final name is of one version or the
// other, and reports whether both occur.
func (a *accidents) whole(t *testing.T) (midway bool) {
	t.Helper()
	now := texts(t, a.dest)
	old, new := 0, 0
	for name, text := range now {
		was, inOld := a.before[name]
		is, inNew := a.after[name]
		switch {
		case inOld && text == was:
			old++
		case inNew && text == is:
			new++
		case strings.HasPrefix(filepath.Base(name), "."):
		default:
			t.Errorf("%s is torn: %d bytes, neither the old version (%d) nor the new one (%d)", name, len(text), len(was), len(is))
		}
	}
	for name := range a.before {
		if _, still := now[name]; !still && a.after[name] != "" {
			t.Errorf("%s is lost", name)
		}
	}
	return old > 0 && new > 0
}

// Either side of a push or a pull is killed, at moments spread by chance over
// the whole of it. What has a final name is whole, and a rerun converges.
func TestEitherSideKilled(t *testing.T) {
	t.Parallel()
	const kills = 75 // of each kind
	for _, push := range []bool{false, true} {
		for _, victim := range []string{"client", "server"} {
			t.Run(fmt.Sprintf("push=%v/%s", push, victim), func(t *testing.T) {
				t.Parallel()
				a := newAccidents(t)
				a.reset(t)
				begin := time.Now()
				call(t, a.copy(push)...).expect(t, 0)
				length := time.Since(begin)
				killed, midway := 0, 0
				for try := 0; killed < kills && try < 3*kills && !t.Failed(); try++ {
					hit, mixed := a.accident(t, push, victim, time.Duration(rand.Int64N(int64(length))))
					if hit { // so that both go on happening, whatever else the machine does
						killed++
						length = length * 51 / 50
					} else {
						length = length * 19 / 20 // it was quicker this time
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
func (a *accidents) accident(t *testing.T, push bool, victim string, after time.Duration) (hit, mixed bool) {
	t.Helper()
	a.reset(t)
	p := start(t, empegsync(a.copy(push)...))
	if victim == "server" {
		until(t, "the server's start", func() bool { return a.server() != 0 })
	}
	time.Sleep(after)
	if victim == "client" {
		p.signal(syscall.SIGKILL)
	} else if pid := a.server(); pid != 0 && !gone(pid) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	hit = p.wait().code != 0
	if pid := a.server(); pid != 0 {
		until(t, "the server's end", func() bool { return gone(pid) })
	}
	mixed = a.whole(t)
	must(t, os.RemoveAll(a.pid))
	call(t, a.copy(push)...).expect(t, 0)
	if now := texts(t, a.dest); !maps.Equal(now, a.after) {
		t.Errorf("killed %v after the start, the rerun left %d files, not the %d wanted", after, len(now), len(a.after))
	}
	return hit, mixed
}
