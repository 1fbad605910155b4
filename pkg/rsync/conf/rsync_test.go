package conf

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/empegsync/empegsync/pkg/ownport"
)

// disk is the Source a program would use.
type disk struct{}

func (disk) Env(name string) (string, bool)   { return os.LookupEnv(name) }
func (disk) Read(name string) ([]byte, error) { return os.ReadFile(name) }
func (disk) List(name string) (names []string, dir bool, err error) {
	info, err := os.Stat(name)
	if err != nil || !info.IsDir() {
		return nil, false, err
	}
	entries, err := os.ReadDir(name)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, true, err
}

// The real daemon's listing shows which modules it sees and their comments,
// and so how it reads the file. Parse must see the same.
func TestAgainstRsyncDaemon(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("i/b.conf", "comment = from i\n[i1]\npath = /tmp\n")
	write("i/a.conf", "[i0]\npath = /tmp\n")
	write("i/.h.conf", "[ih]\npath = /tmp\n")
	write("m/x.inc", "comment = merged\n")
	text := strings.ReplaceAll(daemonConf, "@DIR@", dir)
	write("rsyncd.conf", text)
	t.Setenv("LISTVAR", "no")
	t.Setenv("CONFHOME", "/some where")

	cfg := mustParse(t, text, disk{})
	var want strings.Builder
	for _, m := range cfg.Modules {
		if m = m.Expanded(os.LookupEnv); m.List {
			fmt.Fprintf(&want, "%-15s\t%s\n", m.Name, m.Comment)
		}
	}
	if d := cmp.Diff(listing(t, filepath.Join(dir, "rsyncd.conf")), want.String()); d != "" {
		t.Errorf("rsync's listing (-) and ours (+):\n%s", d)
	}
}

const daemonConf = `use chroot = no
comment = dflt
[ a   b ]
 path = /tmp
 Com Ment = x  y   # not a comment
[cont] # trailing
 path = /tmp
 comment = one \   
    two\
three
[contname]
 path = /tmp
 com \
 ment = c2
# comment \
[aftercomment]
 path = /tmp
; semi
 comment = a = b
[pct]
 path = /tmp
 comment = %CONFHOME% %%% %NOPE% %home% 50% %%CONFHOME%% %HO ME%
[global]
comment = dflt2
[g2]
path = /tmp
[A  B]
comment = again
[hid]
list = 0
path = /tmp
[hid2]
list = %LISTVAR%
path = /tmp
[bs]
\ path = /tmp
\
 comment = bsl
[dup]
 path = /tmp
 comment = 1
 comment = 2
[mrg]
 path = /tmp
 &merge @DIR@/m
&include @DIR@/i
[after]
 path = /tmp
[after2]
 path = /tmp
&merge = @DIR@/m/x.inc
[emptyc]
 path = /tmp
 comment =
`

// listing starts a daemon with the file, asks it for its modules and ends it.
func listing(t *testing.T, file string) string {
	t.Helper()
	port := ownport.Hold(t)
	daemon := exec.Command("rsync", "--daemon", "--no-detach", "--config="+file, "--address=127.0.0.1", fmt.Sprint("--port=", port), "--log-file=/dev/stderr")
	var log bytes.Buffer
	daemon.Stderr = &log
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = daemon.Process.Kill()
		_ = daemon.Wait()
	}()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		out, err := exec.Command("rsync", fmt.Sprintf("rsync://127.0.0.1:%d/", port)).Output()
		if err == nil {
			return string(out)
		}
		if time.Now().After(end) {
			t.Fatalf("no listing: %v\n%s", err, log.String())
		}
	}
}

// Every row's name is one that rsync knows: it checks the names of --dparam in
// turn and stops at the first that is none.
func TestNamesAgainstRsync(t *testing.T) {
	args := []string{"--daemon"}
	for _, p := range Params() {
		if p.Name != "name" && !p.Extension { // known to rsync, but not meant for the file
			args = append(args, "--dparam="+p.Name+"=1")
		}
	}
	args = append(args, "--dparam=no such thing=1")
	out, err := exec.Command("rsync", args...).CombinedOutput()
	if err == nil || !strings.Contains(string(out), `"no such thing"`) {
		t.Errorf("%v: %s", err, out)
	}
	theirs := 0
	for _, p := range Params() {
		if !p.Extension {
			theirs++
			continue
		}
		// C rsync must not take an extension for something else.
		out, err := exec.Command("rsync", "--daemon", "--dparam="+p.Name+"=1").CombinedOutput()
		if err == nil || !strings.Contains(string(out), fmt.Sprintf("%q", p.Name)) {
			t.Errorf("rsync takes %s: %v, %s", p.Name, err, out)
		}
	}
	if theirs != 59 {
		t.Errorf("%d parameters; rsync 3.5.0 has 59", theirs)
	}
}
