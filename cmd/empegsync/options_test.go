package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/empegsync/empegsync/pkg/ownport"
)

// TestPlacesOfDaemons: --port, --address, -4 and -6 choose how a daemon is
// reached, and a URL's own port counts more than --port.
func TestPlacesOfDaemons(t *testing.T) {
	t.Parallel()
	w := newTwin(t)
	_, port, err := net.SplitHostPort(w.addr)
	must(t, err)
	closed := strconv.Itoa(ownport.Hold(t))
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"--port=" + port + " 127.0.0.1::", 0, "ours"},
		{"--port=" + port + " rsync://127.0.0.1/", 0, "ours"},
		{"--port=" + port + " rsync://127.0.0.1:" + closed + "/", 10, ""},
		{"--port=" + closed + " rsync://127.0.0.1:" + port + "/", 0, "ours"},
		{"--address=127.0.0.3 --port=" + port + " 127.0.0.1::", 0, "ours"},
		{"--address=192.0.2.1 --port=" + port + " 127.0.0.1::", 10, ""},
		{"--address=no.such.address.invalid --port=" + port + " 127.0.0.1::", 1, "no.such.address"},
		{"-4 --port=" + port + " localhost::", 0, "ours"},
		{"-6 --port=" + port + " 127.0.0.1::", 10, ""},
		{"--sockopts=SO_KEEPALIVE,BOGUS,SO_RCVBUF=65536 --port=" + port + " 127.0.0.1::", 0, "Unknown socket option BOGUS"},
	} {
		r := start(t, exec.Command(w.ours, strings.Fields(c.args)...)).wait()
		if r.code != c.code || !strings.Contains(r.out+r.err, c.says) || c.code == 0 && !strings.Contains(r.out, "ours") {
			t.Errorf("rsync %s: %s", c.args, r)
		}
	}
}

// TestContimeout: a daemon that does not take the connection is given up with
// rsync's code for that.
func TestContimeout(t *testing.T) {
	t.Parallel()
	w := newTwin(t)
	// A queue of length 0 that is full: further connections get no answer.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	raw, err := l.(*net.TCPListener).SyscallConn()
	must(t, err)
	must(t, raw.Control(func(fd uintptr) { err = listenQueue(int(fd), 0) }))
	must(t, err)
	for range 8 {
		c, err := net.DialTimeout("tcp", l.Addr().String(), 100*time.Millisecond)
		if err == nil {
			defer c.Close()
		}
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	r := start(t, exec.Command(w.ours, "--contimeout=1", "--port="+port, "127.0.0.1::")).wait()
	if r.code != 35 || !strings.Contains(r.err, "timeout waiting for daemon connection") {
		t.Error(r)
	}
}

// TestStderr: with --stderr=all everything goes where rsync has it go, and a
// server's own words come past the protocol.
func TestStderr(t *testing.T) {
	t.Parallel()
	w := newTwin(t)
	w.fill(t)
	for _, line := range []string{"-rlvi --stats --stderr=all src/ dst", "-rli --msgs2stderr SHELL:src/ dst", "-rl --list-only --stderr=a src/", "-rli --stderr=client src/ dst"} {
		w.fill(t)
		var lines [2][2][]string
		for i, side := range sides {
			r := w.run(t, side, line)
			if r.code != 0 {
				t.Errorf("%s", r)
			}
			lines[i] = [2][]string{comparable(r.out), comparable(r.err)}
		}
		if d := cmp.Diff(lines[0], lines[1]); d != "" {
			t.Errorf("rsync %s: Debian's (-) and ours (+):\n%s", line, d)
		}
	}
	// The far end's error does not come as a frame, but its exit code does come.
	for _, mode := range []string{"--stderr=all", "--stderr=client", "--protocol=21"} {
		r := w.run(t, "ours", mode+" --rsync-path="+w.ours+" -r SHELL:src/no SHELL:src/d dst")
		if r.code != 23 || !strings.Contains(r.err, `"no"`) && !strings.Contains(r.err, "src/no") {
			t.Errorf("%s: %s", mode, r)
		}
	}
}

// TestConnectProgram: RSYNC_SHELL runs what RSYNC_CONNECT_PROG asks for, and a
// remote shell to a daemon is told the port that was asked for.
func TestConnectProgram(t *testing.T) {
	t.Parallel()
	w := newTwin(t)
	must(t, os.WriteFile(w.dir+"/shell", []byte("#!/bin/sh\necho \"shell $2\" >&2\nexit 3\n"), 0o755))
	must(t, os.WriteFile(w.dir+"/daemonsh", []byte("echo \"port $RSYNC_PORT\" >&2\nexit 3\n"), 0o644))
	cmd := exec.Command(w.ours, "some%host::mod")
	cmd.Env = append(os.Environ(), "RSYNC_CONNECT_PROG=to %H", "RSYNC_SHELL="+w.dir+"/shell")
	if r := start(t, cmd).wait(); r.code == 0 || !strings.Contains(r.err, "shell to some%host") {
		t.Error(r)
	}
	for args, port := range map[string]string{"host::mod": "0", "--port=99 host::mod": "99", "--port=99 rsync://host:98/mod": "98"} {
		r := start(t, exec.Command(w.ours, append([]string{"-e", "sh " + w.dir + "/daemonsh"}, strings.Fields(args)...)...)).wait()
		if !strings.Contains(r.err, "port "+port+"\n") {
			t.Errorf("%s: %s", args, r)
		}
	}
}

// TestAliasOfUser: what ~/.popt defines holds on a client's command line.
func TestAliasOfUser(t *testing.T) {
	t.Parallel()
	w := newTwin(t)
	w.fill(t)
	must(t, os.WriteFile(filepath.Join(w.dir, ".popt"), []byte("rsync alias -Z -r --list-only\n"), 0o644))
	var lists [2][]string
	for i, program := range []string{"rsync", w.ours} {
		cmd := exec.Command(program, "-Z", filepath.Join(w.dir, "real/src/"))
		cmd.Env = append(os.Environ(), "HOME="+w.dir)
		r := start(t, cmd).wait()
		r.expect(t, 0)
		lists[i] = comparable(r.out)
	}
	if d := cmp.Diff(lists[0], lists[1]); d != "" || len(lists[0]) < 5 {
		t.Errorf("Debian's (-) and ours (+):\n%s", d)
	}
}

// TestVersionAndHelp: scripts read the same from the first line of --version, the
// keys of -VV and the columns of --help.
func TestVersionAndHelp(t *testing.T) {
	t.Parallel()
	w := newTwin(t)
	out := func(program string, args ...string) string {
		r := start(t, exec.Command(program, args...)).wait()
		r.expect(t, 0)
		return r.out
	}
	first := func(s string) string { line, _, _ := strings.Cut(s, "\n"); return line }
	for _, args := range []string{"--version", "-V", "--help", "-h", "--daemon --help"} {
		if real, ours := first(out("rsync", strings.Fields(args)...)), first(out(w.ours, strings.Fields(args)...)); real != ours && !strings.HasPrefix(args, "--daemon") {
			t.Errorf("rsync %s begins with %q, ours with %q", args, real, ours)
		}
	}
	column := regexp.MustCompile(`(?m)^(--?[\w-]+\S*(, -\S)?) `)
	real := map[string]bool{}
	for _, m := range column.FindAllStringSubmatch(out("rsync", "--help"), -1) {
		real[m[1]] = true
	}
	same := 0
	for _, m := range column.FindAllStringSubmatch(out(w.ours, "--help"), -1) {
		if real[m[1]] {
			same++
		}
	}
	if same < len(real)*3/4 {
		t.Errorf("of %d options only %d are written as in rsync's help", len(real), same)
	}
	var keys [2]map[string]any
	for i, program := range []string{"rsync", w.ours} {
		must(t, json.Unmarshal([]byte(out(program, "-VV")), &keys[i]))
	}
	for k, v := range keys[0] {
		switch k {
		case "copyright", "url", "optimizations", "license", "caveat", "capabilities":
			continue
		}
		if d := cmp.Diff(fmt.Sprint(v), fmt.Sprint(keys[1][k])); d != "" {
			t.Errorf("-VV: %s: %s", k, d)
		}
	}
}

// TestListOnlyTo: with a destination on another machine the other side lists what
// it would get, and takes nothing.
func TestListOnlyTo(t *testing.T) {
	t.Parallel()
	w := newTwin(t)
	w.fill(t)
	before := find(t, w.dir+"/real/dst") + find(t, w.dir+"/ours/dst")
	for _, line := range []string{
		"-av --list-only src/ SHELL:dst", "-d --list-only src/ SHELL:no/such/dst", "-a --delete --stats --list-only src SHELL:dst",
		"-av --list-only --protocol=29 src/d src/big SHELL:dst", "-a --list-only src/ DAEMON:dst/", "--list-only --no-i-r -rl src/ SHELL:dst",
	} {
		var want []string
		for _, c := range []struct{ side, with string }{{"real", ""}, {"ours", ""}, {"real", "--rsync-path=" + w.ours + " "}, {"ours", "--rsync-path=" + w.ours + " "}} {
			r := w.run(t, c.side, c.with+line)
			if r.code != 0 || r.err != "" {
				t.Errorf("%s%s by %s: %s", c.with, line, c.side, r)
			}
			got := comparable(r.out)
			if want == nil {
				want = got
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%s%s: Debian's (-) and %s's (+):\n%s", c.with, line, c.side, d)
			}
		}
	}
	if d := cmp.Diff(before, find(t, w.dir+"/real/dst")+find(t, w.dir+"/ours/dst")); d != "" {
		t.Errorf("listing has changed something:\n%s", d)
	}
}

// find describes what is in a folder.
func find(t *testing.T, dir string) string {
	t.Helper()
	out, err := exec.Command("find", dir, "-printf", "%P %M %s %T@ %l\n").Output()
	must(t, err)
	return string(out)
}

// TestMaxAlloc: a list that takes more memory than it may ends a run with rsync's
// code for that, whichever side has it. Nothing
// is deleted then.
func TestMaxAlloc(t *testing.T) {
	t.Parallel()
	w := newTwin(t)
	w.fill(t)
	target := strings.Repeat("t", 1000)
	must(t, os.Mkdir(w.dir+"/ours/many", 0o755))
	for i := range 1500 {
		must(t, os.Symlink(target, fmt.Sprintf("%s/ours/many/%d", w.dir, i)))
	}
	for _, c := range []struct {
		line string
		code int
	}{
		{"-rl --delete --max-alloc=1m --no-i-r many/ dst", 22},
		{"-rl --delete --max-alloc=1m SHELL:many/ dst", 22},
		{"-rl --delete -M--max-alloc=1m --rsync-path=" + w.ours + " many/ SHELL:dst", 22},
		{"-rl -n --max-alloc=4m many/ dst", 0},
		{"-rl -n --max-alloc=0 many/ dst", 0},
	} {
		r := w.run(t, "ours", c.line)
		if r.code != c.code || c.code != 0 && !strings.Contains(r.err, "--max-alloc") {
			t.Errorf("rsync %s: %s", c.line, r)
		}
	}
	if _, err := os.Stat(w.dir + "/ours/dst/gone"); err != nil {
		t.Error(err)
	}
}

// TestDparam: --dparam counts more than the file of a daemon, and a mistake in it
// ends the daemon before it serves anybody.
func TestDparam(t *testing.T) {
	t.Parallel()
	w := newTwin(t)
	must(t, os.WriteFile(w.dir+"/motd", []byte("welcome\n"), 0o644))
	for _, c := range []struct{ over, says string }{
		{"-Mmotdfile=" + w.dir + "/motd", "welcome"}, {"--dparam=bogus=3", `unknown parameter "bogus"`}, {"--dparam=bogus", "missing an '='"},
	} {
		must(t, os.WriteFile(w.dir+"/over", []byte("shift 4\nexec "+w.ours+" --server --daemon --config="+w.dir+"/rsyncd.conf "+c.over+" .\n"), 0o644))
		r := start(t, exec.Command(w.ours, "-e", "sh "+w.dir+"/over", "host::")).wait()
		if !strings.Contains(r.out+r.err, c.says) || (r.code == 0) != (c.says == "welcome") {
			t.Errorf("%s: %s", c.over, r)
		}
	}
}
