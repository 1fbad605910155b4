package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/synk"
)

// clockVar has the test binary be a synk whose clock is wrong by this much: the
// program itself asks the kernel, which has one clock for all.
const clockVar = "EMPEGSYNC_TEST_CLOCK"

// TestSynkClock is no test: it becomes the other side of synk.
func TestSynkClock(t *testing.T) {
	wrong, err := time.ParseDuration(os.Getenv(clockVar))
	if err != nil {
		return
	}
	server := synk.Server{Now: func() time.Time { return time.Now().Add(wrong) }}
	if err := server.Serve(context.Background(), os.Stdin, os.Stdout); err != nil {
		t.Fatal(err)
	}
	os.Exit(0) // before anything else is printed
}

// wrongClock sets a host's clock. Where there is no synk, whatever runs there
// sees it.
func wrongClock(w *hosts, host string, by time.Duration) {
	program := w.path(host, "bin/synk")
	if _, err := os.Lstat(program); err == nil {
		must(w.t, os.Remove(program))
		script := fmt.Sprintf("#!/bin/sh\n%s=%s %s=x exec %s -test.run='^TestSynkClock$'\n", clockVar, by, binaryVar, os.Args[0])
		must(w.t, os.WriteFile(program, []byte(script), 0o755))
		return
	}
	set := "SetEnv NO_FAKE_STAT=1"
	for _, v := range faketime(w.t, by) {
		set += fmt.Sprintf(" %q", v)
	}
	config := w.path(host, "ssh/sshd_config")
	text, err := os.ReadFile(config)
	must(w.t, err)
	must(w.t, os.WriteFile(config, []byte(strings.Replace(string(text), "SetEnv", set, 1)), 0o644))
}

// faketime returns what has to be in a process's environment for its clock to be
// wrong. It runs until the test ends: what it shares with those processes they would
// else make themselves, each under the number that it has, and leave behind for the
// next one of that number to fail over.
func faketime(t *testing.T, by time.Duration) (vars []string) {
	t.Helper()
	cmd := exec.Command("faketime", "-f", fmt.Sprintf("%+d", int(by.Seconds())), "sh", "-c", "env; echo; exec cat")
	stdin, err := cmd.StdinPipe()
	must(t, err)
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		stdin.Close()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(stdout)
	for lines.Scan() && lines.Text() != "" {
		if name, _, _ := strings.Cut(lines.Text(), "="); name == "LD_PRELOAD" || name == "FAKETIME" || name == "FAKETIME_SHARED" {
			vars = append(vars, lines.Text())
		}
	}
	if len(vars) != 3 {
		t.Fatalf("faketime sets %q", vars)
	}
	return vars
}

// A world in which clocks are wrong, peers have other names, users and families
// of addresses, one has no synk, and some do not reach each other.
func TestSynkWorld(t *testing.T) {
	if !inWorld(t) {
		return
	}
	w := newHosts(t)
	w.add("keel", true)
	w.prepare = func(w *hosts, host string) {
		wrongClock(w, host, map[string]time.Duration{"early": time.Hour, "stock": 2 * time.Hour}[host])
	}
	w.add("early", true)
	w.add("stock", false)
	all := []string{"localhost", "keel", "early", "stock"}
	line := []string{"synk", "-v", "-h", "keel", "-h", "early", "-h", "stock"}
	t.Run("clocks", func(t *testing.T) { w.clocks(t, all, line) })
	t.Run("addresses", w.addresses)
	t.Run("tree", w.stockTree)
	t.Run("apart", func(t *testing.T) { w.relays(t, all, line) })
}

// clocks: early's is an hour ahead, that of stock two.
func (w *hosts) clocks(t *testing.T, all, line []string) {
	const path = synkHome + "/clock"
	then := float64(time.Now().Add(-24 * time.Hour).Unix())
	w.put("keel", path, "right", then)
	w.put("early", path, "early", then+1800)
	r := call(t, append(line, path)...)
	r.expect(t, 5, "conflict: "+path+": the times differ by less than the clocks of keel and early do", "keel", "early", "--prefer")
	w.has(path, "", "localhost", "stock")
	ask := empegsync(append([]string{"synk", "-i"}, append(line[1:], path)...)...)
	ask.Stdin = strings.NewReader("3\n2\n") // there are two
	start(t, ask).wait().contains(t, 0, "which one wins (1-2")
	w.has(path, "right", all...)

	w.put("early", path, "late", then+9000)
	call(t, append(line, path)...).expect(t, 0)
	w.has(path, "late", all...)

	w.put("stock", path, "by its own clock", float64(time.Now().Unix()+7000))
	call(t, append(line, "-n", path)...).expect(t, 5, "in the future", "early", "keel", "localhost", "stock")
	call(t, append(line, "--prefer", "keel", "--json", path)...).expect(t, 0)
	w.has(path, "late", all...)
	w.put("stock", path, "by its own clock", float64(time.Now().Unix()+7000))
	call(t, append(line, "--max-skew", "3h", path)...).expect(t, 0)
	w.has(path, "by its own clock", all...)
}

// addresses: peers named by IPv6 address, with and without brackets, with a
// user, with a zone.
func (w *hosts) addresses(t *testing.T) {
	path := "/home/" + w.other + "/it's [here]: a file"
	if w.other == w.me {
		path = synkHome + "/it's [here]: a file"
	}
	user := w.other + "@"
	w.put("keel", path, "one", 1000)
	r := call(t, "synk", "-v", "-h", "[fd09::2]", "-h", user+"[fd09::3]", path)
	r.expect(t, 0)
	if want := "ssh fd09::2 rsync"; !strings.Contains(r.out, want) || !strings.Contains(r.out, "'"+user+"[fd09::3]:") {
		t.Errorf("want %q: %s", want, r)
	}
	w.has(path, "one", "localhost", "keel", "early")
	if st, err := os.Stat(w.path("early", path)); err != nil || w.other != w.me && owner(st)[0] != otherID {
		t.Errorf("%v of %v, by somebody else", err, st)
	}
	must(t, os.Chtimes(w.path("early", path), time.Unix(2000, 0), time.Unix(2000, 0)))
	must(t, os.WriteFile(w.path("early", path), []byte("two"), 0o644))
	r = call(t, "synk", "-v", "-h", "fe80::9:2%eth0", "-h", user+"fe80::9:3%eth0", path)
	r.expect(t, 0)
	w.has(path, "two", "localhost", "keel", "early")
}

// stockTree: a directory on a host that has find, stat and sha512sum.
func (w *hosts) stockTree(t *testing.T) {
	const tree = synkHome + "/a tree"
	all := []string{"localhost", "keel", "stock"}
	run := func(more ...string) result {
		return call(t, append(append([]string{"synk", "-v", "-R", "-h", "keel", "-h", "stock"}, more...), tree)...)
	}
	names := []string{"plain", "it's \"odd\"\n", "-n", "d/*", "d/$(x)/f"}
	for i, n := range names {
		w.put(all[i%3], tree+"/"+n, "of "+n, 1000)
	}
	must(t, os.Mkdir(w.path("keel", tree, "private"), 0o750))
	must(t, os.Chmod(w.path("keel", tree, "private"), 0o700))
	run().expect(t, 0)
	for _, n := range names {
		w.has(tree+"/"+n, "of "+n, all...)
	}
	must(t, os.Remove(w.path("localhost", tree, names[1])))
	must(t, os.RemoveAll(w.path("keel", tree, "d/$(x)")))
	w.put("stock", tree+"/plain", "changed", 2000)
	must(t, os.Chmod(w.path("stock", tree, "d"), 0o711))
	run("--backup-dir", synkHome+"/kept").expect(t, 0)
	w.has(tree+"/"+names[1], "", all...)
	w.has(tree+"/plain", "changed", all...)
	for _, h := range all {
		if _, err := os.Lstat(w.path(h, tree, "d/$(x)")); !os.IsNotExist(err) {
			t.Errorf("%s still has what was deleted (%v)", h, err)
		}
		for name, mode := range map[string]os.FileMode{"private": 0o700, "d": 0o711} {
			if st, err := os.Stat(w.path(h, tree, name)); err != nil || st.Mode().Perm() != mode {
				t.Errorf("%s: %s is %v (%v), want %v", h, name, st, err, mode)
			}
		}
	}
	if kept, _ := filepath.Glob(w.path("stock", synkHome, "kept", tree, "it's*")); len(kept) != 1 {
		t.Errorf("stock keeps %q", kept)
	}
	if r := run(); r.code != 0 || r.out != "" {
		t.Errorf("in sync: %s", r)
	}
}

// relays: what goes between hosts that do not reach each other, or do not let
// each other in, goes through this machine.
func (w *hosts) relays(t *testing.T, all, line []string) {
	const path = synkHome + "/relayed"
	through := "synk: rsync -azEq --delete " + path + " early:" + path + "\n"
	now := float64(time.Now().Unix())
	run := func(text string, at float64, want bool) {
		t.Helper()
		w.put("keel", path, text, at)
		r := call(t, append(line, path)...)
		r.expect(t, 0)
		if strings.Contains(r.out, through) != want {
			t.Errorf("%s: through this machine: %v", r, !want)
		}
		w.has(path, text, all...)
	}
	run("direct", now-90000, false)
	w.mislead("keel", "early")
	run("no route", now-80000, true)
	must(t, os.Rename(w.path("keel", "ssh/id-"+w.me), w.path("keel", "ssh/away")))
	run("not let in", now-70000, true)
}
