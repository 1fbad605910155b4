package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fakeSSH stands for ssh where only what synk makes of it counts: hosts are
// folders, and a command runs in one as in a login directory. blocked lists who
// is refused by whom, as FROM>TO.
const fakeSSH = `while [ $# -gt 0 ]; do
	case $1 in
	-o | -p | -l) shift 2 ;;
	*) break ;;
	esac
done
host=$1; shift
[ -z "$SYNK_DELAY" ] || sleep "$SYNK_DELAY"
case " $(cat "$SYNK_WORLD/blocked" 2>/dev/null) " in
*" $SYNK_HOST>$host "*) echo "$host: Permission denied (publickey)." >&2; exit 255 ;;
esac
cd "$SYNK_WORLD/$host" || exit 255
SYNK_HOST=$host; PATH=$PWD/bin:$PATH; HOME=$PWD; SYNK_DELAY=
export SYNK_HOST PATH HOME SYNK_DELAY
exec sh -c "$*"
`

// fakeWorld is a folder of hosts behind a fake ssh.
type fakeWorld struct {
	t   testing.TB
	dir string
}

func newFakeWorld(t testing.TB, hosts ...string) *fakeWorld {
	w := &fakeWorld{t, t.TempDir()}
	must(t, os.WriteFile(filepath.Join(w.dir, "ssh.sh"), []byte(fakeSSH), 0o644))
	for _, h := range append(hosts, "localhost") {
		must(t, os.MkdirAll(filepath.Join(w.dir, h, "bin"), 0o755))
		must(t, os.Symlink(os.Getenv(binaryVar), filepath.Join(w.dir, h, "bin/synk")))
	}
	return w
}

// put replaces a file at once, as somebody may be reading it.
func (w *fakeWorld) put(host, name, text string, mtime int64) {
	w.t.Helper()
	name = filepath.Join(w.dir, host, name)
	must(w.t, os.WriteFile(name+".new", []byte(text), 0o644))
	must(w.t, os.Chtimes(name+".new", time.Unix(mtime, 0), time.Unix(mtime, 0)))
	must(w.t, os.Rename(name+".new", name))
}

func (w *fakeWorld) has(name, text string, hosts ...string) {
	w.t.Helper()
	for _, h := range hosts {
		if got, err := os.ReadFile(filepath.Join(w.dir, h, name)); string(got) != text {
			w.t.Errorf("%s has %q of %s (%v), want %q", h, got, name, err, text)
		}
	}
}

// command is synk at home on localhost.
func (w *fakeWorld) command(more ...string) *exec.Cmd {
	cmd := empegsync(append([]string{"synk"}, more...)...)
	cmd.Dir = filepath.Join(w.dir, "localhost")
	cmd.Env = append(os.Environ(), "HOME="+cmd.Dir, "PWD="+cmd.Dir, "SYNK_WORLD="+w.dir, "SYNK_HOST=localhost",
		"RSYNC_RSH=sh "+filepath.Join(w.dir, "ssh.sh"), "XDG_STATE_HOME="+filepath.Join(w.dir, "state"))
	return cmd
}

func (w *fakeWorld) run(more ...string) result {
	w.t.Helper()
	return start(w.t, w.command(more...)).wait()
}

// Peers that cannot reach each other, a clock that is wrong, losers that are
// kept, modes, and the account for programs.
func TestSynkBranches(t *testing.T) {
	t.Parallel()
	w := newFakeWorld(t, "keel", "phobos", "slow")
	must(t, os.Remove(filepath.Join(w.dir, "slow/bin/synk")))
	must(t, os.WriteFile(filepath.Join(w.dir, "blocked"), []byte("keel>phobos phobos>keel"), 0o644))
	peers := []string{"-v", "-h", "keel", "-h", "phobos"}
	for _, relay := range [][]string{nil, {"--relay"}} {
		name := "through" + strings.Join(relay, "")
		w.put("keel", name, "newest", 2000)
		w.put("phobos", name, "older", 1000)
		r := w.run(append(append(peers, relay...), name)...)
		r.expect(t, 0)
		if want := "synk: rsync -azEq --delete " + name + " phobos:" + name + "\n"; !strings.HasSuffix(r.out, want) {
			t.Errorf("want %q: %s", want, r)
		}
		w.has(name, "newest", "localhost", "keel", "phobos")
	}

	w.put("localhost", "kept", "winner", 2000)
	w.put("keel", "kept", "loser", 1000)
	w.run(append(peers, "--backup-dir", w.dir+"/attic", "kept")...).expect(t, 0)
	kept, _ := filepath.Glob(w.dir + "/attic/kept.*")
	if len(kept) != 1 {
		t.Errorf("kept: %q", kept)
	} else if text, _ := os.ReadFile(kept[0]); string(text) != "loser" {
		t.Errorf("kept: %q", text)
	}

	// The clock of a host without synk is an hour ahead.
	date := fmt.Sprintf("#!/bin/sh\nexec %s -d '+1 hour' \"$@\"\n", "/bin/date")
	must(t, os.WriteFile(filepath.Join(w.dir, "slow/bin/date"), []byte(date), 0o755))
	w.put("slow", "clock", "ahead", 5000)
	w.put("keel", "clock", "right", 2000)
	w.run("-h", "keel", "-h", "slow", "clock").expect(t, 5, "conflict: clock: the times differ by less than the clocks", "slow", "keel")
	w.put("slow", "clock", "ahead", time.Now().Unix()+1800)
	w.run("-h", "keel", "-h", "slow", "clock").expect(t, 5, "in the future")
	w.run("--max-skew", "1h", "-h", "keel", "-h", "slow", "clock").expect(t, 0)
	w.has("clock", "ahead", "localhost", "keel")

	// A mode that was changed goes to the others.
	w.put("localhost", "mode", "same", 1000)
	w.run(append(peers, "mode")...).expect(t, 0)
	until(t, "a later moment", func() bool { // the clock of inodes has its own step
		must(t, os.Chmod(filepath.Join(w.dir, "keel/mode"), 0o600))
		r := w.run(append(peers, "mode")...)
		return strings.Contains(r.out, "note: mode: mode or owner differ from keel's: localhost, phobos\n") && strings.Contains(r.out, "master: keel\n")
	})
	if st, err := os.Stat(filepath.Join(w.dir, "phobos/mode")); err != nil || st.Mode() != 0o600 {
		t.Errorf("%v %v", st, err)
	}

	w.put("phobos", "told", "text", 1000)
	r := w.run("-n", "--json", "-h", "keel", "-h", "phobos", "told")
	var told struct {
		Exit  int
		Files []struct {
			State, Master string
			To            []string
		}
	}
	if err := json.Unmarshal([]byte(r.out), &told); err != nil || r.code != 2 || told.Exit != 2 || len(told.Files) != 1 {
		t.Fatalf("%v: %s", err, r)
	}
	if f := told.Files[0]; f.State != "changes" || f.Master != "phobos" || fmt.Sprint(f.To) != "[keel localhost]" {
		t.Errorf("%+v", f)
	}
	w.run(append(peers, "none")...).expect(t, 1, "none: nobody has it")
}

func TestSynkUsage(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"":                                "which files",
		"-h":                              "-h wants a value",
		"-h keel -x f":                    "-x",
		"--frobnicate f":                  "--frobnicate",
		"--json=1 -h keel f":              "no value",
		"-h -oProxyCommand=x f":           "dash",
		"-h keel --prefer doom f":         "no peer",
		"-h keel --max-skew soon f":       "90s",
		"-h keel --backup-dir relative f": "from / on",
		"-h keel -j many f":               "-j many",
		"-f /none f":                      "/none",
		"-s f":                            "from its input",
	} {
		r := call(t, append([]string{"synk"}, strings.Fields(line)...)...)
		if r.code != 1 || r.out != "" || !strings.HasPrefix(r.err, "synk: ") || !strings.Contains(strings.SplitN(r.err, "\n", 2)[0], want) {
			t.Errorf("synk %s: want 1 and %q: %s", line, want, r)
		}
	}
}

// Killed at whatever moment, synk leaves whole files everywhere, old or new, and
// the next run makes them alike.
func TestSynkKilled(t *testing.T) {
	t.Parallel()
	hosts := []string{"localhost", "keel", "phobos"}
	w := newFakeWorld(t, hosts[1:]...)
	whole := make(map[string]bool)
	look := func() (texts []string) {
		t.Helper()
		for _, h := range hosts {
			text, err := os.ReadFile(filepath.Join(w.dir, h, "file"))
			if err != nil && !os.IsNotExist(err) || err == nil && !whole[string(text)] {
				t.Errorf("%s has %d bytes of no file there was (%v)", h, len(text), err)
			}
			texts = append(texts, string(text))
		}
		return texts
	}
	for i := range 6 {
		text := strings.Repeat(fmt.Sprintf("%d of all\n", i), 100_000)
		whole[text] = true
		w.put(hosts[i%3], "file", text, int64(1000+i))
		p := start(t, w.command("-h", "keel", "-h", "phobos", "file"))
		select {
		case <-p.ended:
		case <-time.After(time.Duration(rand.IntN(150)) * time.Millisecond):
			p.signal(syscall.SIGKILL)
			<-p.ended
		}
		look()
	}
	until(t, "all alike", func() bool { // what a killed run has left at work may come in between
		code := w.run("-h", "keel", "-h", "phobos", "file").code
		texts := look()
		return code == 0 && texts[0] != "" && texts[0] == texts[1] && texts[1] == texts[2]
	})
}

// What a run ends with: the configuration's peers, a port of old, a peer that is
// gone, a copy that fails.
func TestSynkCodes(t *testing.T) {
	t.Parallel()
	w := newFakeWorld(t, "keel", "phobos")
	conf := filepath.Join(w.dir, "synk.conf")
	must(t, os.WriteFile(conf, []byte("# mine\npeer keel 9723\npeer phobos\n"), 0o644))
	w.put("keel", "file", "text", 1000)
	w.run("-n", "-f", conf, "file").expect(t, 2, "peer keel 9723: the port is taken as ssh's")
	w.has("file", "", "phobos")
	w.run("-f", conf, "file").expect(t, 0, "ssh's")
	w.run("-f", conf, "-n", "-p", "22", "file").expect(t, 0, "-p 22 is taken as ssh's port")
	w.run("-h", "keel", "-h", "gone", "file").expect(t, 3, "unreachable: gone")
	must(t, os.WriteFile(filepath.Join(w.dir, "phobos/bin/rsync"), []byte("#!/bin/sh\necho the disk is on fire >&2; exit 11\n"), 0o755))
	w.put("keel", "file", "newer", 2000)
	w.run("-h", "keel", "-h", "phobos", "file").expect(t, 4, "failed: phobos: file: copy from keel", "on fire")
	w.has("file", "newer", "localhost")
	w.has("file", "text", "phobos")
	w.put("phobos", "file", "other", 2000)
	w.run("-h", "keel", "-h", "phobos", "-h", "gone", "file").contains(t, 5, "conflict: file: equal times")
}
