package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The example of synk's own description, line by line: the sums are those of
// other files.
func TestSynkExample(t *testing.T) {
	if !inWorld(t) {
		return
	}
	w := newHosts(t)
	w.add("keel.z3bra.org", true)
	w.add("phobos.z3bra.org", true)
	const file = synkHome + "/file"
	w.put("localhost", file, "mine\n", 1473157623)
	w.put("phobos.z3bra.org", file, "theirs\n", 1473157643)
	w.put("keel.z3bra.org", file, "newest\n", 1473157705)
	line := []string{"synk", "-v", "-h", "keel.z3bra.org", "-h", "phobos.z3bra.org", file}
	for _, want := range []string{`peer: localhost	/home/z3bra/file fa39079 1473157623
peer: phobos.z3bra.org	/home/z3bra/file 089b3ae 1473157643
peer: keel.z3bra.org	/home/z3bra/file 0cb883c 1473157705
master: keel.z3bra.org
synk: rsync -azEq --delete keel.z3bra.org:/home/z3bra/file /home/z3bra/file
synk: ssh keel.z3bra.org rsync -azEq --delete /home/z3bra/file phobos.z3bra.org:/home/z3bra/file
`, `peer: localhost	/home/z3bra/file 0cb883c 1473157705
peer: phobos.z3bra.org	/home/z3bra/file 0cb883c 1473157705
peer: keel.z3bra.org	/home/z3bra/file 0cb883c 1473157705
`} {
		r := call(t, line...)
		r.expect(t, 0)
		got := strings.ReplaceAll(strings.ReplaceAll(r.out, "file\t", "file "), "\t1473", " 1473")
		if got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
		w.has(file, "newest\n", "localhost", "keel.z3bra.org", "phobos.z3bra.org")
	}
}

// Hosts without synk, without rsync, and without anybody; names that shells and
// rsync would make something else of; what goes wrong is told, and stops nobody.
func TestSynkHosts(t *testing.T) {
	if !inWorld(t) {
		return
	}
	w := newHosts(t)
	w.add("keel", true)
	w.add("stock", false)
	w.prepare = hideRsync
	w.add("bare", true)
	w.know("gone", "10.9.0.1") // where nobody listens
	all := []string{"localhost", "keel", "stock", "bare"}
	line := []string{"synk", "-v", "-h", "keel", "-h", "stock", "-h", "bare"}

	t.Run("names", func(t *testing.T) {
		names := []string{
			"a b", "it's", `say "x"`, "new\nline", "*", "[x]?", "back\\slash", "$(touch oops)", "semi;colon", "-n", "tab\there", "\xff\xfe", "a:b", "über",
		}
		words := line
		for i, n := range names {
			from := []string{"stock", "bare"}[i%2] // who has not got the other's means
			path := synkHome + "/" + n
			w.put(from, path, "new "+n, 2000)
			w.put("localhost", path, "old "+n, 1000)
			w.put("keel", synkHome+"/wide open/"+n, "deep", 3000)
			for _, h := range all {
				must(t, os.MkdirAll(w.path(h, synkHome, "wide open"), 0o755))
			}
			words = append(words, path, synkHome+"/wide open/"+n)
		}
		r := call(t, words...)
		r.expect(t, 0)
		for _, n := range names {
			w.has(synkHome+"/"+n, "new "+n, all...)
			w.has(synkHome+"/wide open/"+n, "deep", all...)
		}
		if t.Failed() {
			t.Log(r)
		}
		call(t, append([]string{"synk", "-n"}, words[2:]...)...).expect(t, 0)
	})

	t.Run("as master", func(t *testing.T) {
		for i, h := range []string{"localhost", "stock", "bare"} {
			text := "of " + h
			w.put(h, synkHome+"/each", text, float64(5000+i))
			r := call(t, append(line, synkHome+"/each")...)
			r.expect(t, 0)
			if !strings.Contains(r.out, "master: "+h+"\n") {
				t.Errorf("master should be %s: %s", h, r)
			}
			w.has(synkHome+"/each", text, all...)
		}
	})

	t.Run("one is gone", func(t *testing.T) {
		w.put("keel", synkHome+"/left", "text", 7000)
		r := call(t, append(line, "-h", "gone", synkHome+"/left")...)
		r.expect(t, 3, "unreachable: gone: ", "Connection refused")
		w.has(synkHome+"/left", "text", all...)
	})

	t.Run("conflict", func(t *testing.T) {
		path := synkHome + "/tie"
		w.put("keel", path, "one", 8000)
		w.put("bare", path, "two", 8000)
		r := call(t, append(line, path)...)
		r.expect(t, 5, "conflict: "+path+": equal times", "bare 928d50d", "keel 05f7034", "--prefer")
		w.has(path, "", "localhost", "stock")
		w.has(path, "one", "keel")
		call(t, append(line, "--prefer", "bare", path)...).expect(t, 0)
		w.has(path, "two", all...)
	})
}

// hideRsync takes everything off a host's PATH but its shell's tools.
func hideRsync(w *hosts, host string) {
	for _, tool := range []string{"sh", "ssh"} {
		where, err := exec.LookPath(tool)
		must(w.t, err)
		must(w.t, os.Symlink(where, w.path(host, "bin", tool)))
	}
	text, err := os.ReadFile(w.path(host, "ssh/sshd_config"))
	must(w.t, err)
	must(w.t, os.WriteFile(w.path(host, "ssh/sshd_config"), []byte(strings.ReplaceAll(string(text), ":/usr/bin:/bin", "")), 0o644))
}

// A directory on three hosts: changes and deletions from each, a conflict, a
// directory that is not mounted, copies that are kept, a run that is killed.
func TestSynkTree(t *testing.T) {
	if !inWorld(t) {
		return
	}
	w := newHosts(t)
	w.add("keel", true)
	w.add("phobos", true)
	t.Setenv("XDG_STATE_HOME", w.path("localhost", "state"))
	all := []string{"localhost", "keel", "phobos"}
	const tree = synkHome + "/tree"
	run := func(more ...string) result {
		return call(t, append(append([]string{"synk", "-v", "-R", "-h", "keel", "-h", "phobos"}, more...), tree)...)
	}
	w.put("keel", tree+"/a", "first", 1000)
	w.put("phobos", tree+"/sub dir/b\n", "second", 2000)
	w.put("localhost", tree+"/c", "third", 3000)
	must(t, os.Symlink("nowhere", w.path("keel", tree, "link")))
	must(t, os.Mkdir(w.path("phobos", tree, "empty"), 0o755))
	run("-n").contains(t, 2)
	w.has(tree+"/a", "", "localhost")
	run().expect(t, 0)
	for _, h := range all {
		w.has(tree+"/a", "first", h)
		w.has(tree+"/sub dir/b\n", "second", h)
		w.has(tree+"/c", "third", h)
		if to, err := os.Readlink(w.path(h, tree, "link")); err != nil || to != "nowhere" {
			t.Errorf("%s: link to %q: %v", h, to, err)
		}
		if st, err := os.Stat(w.path(h, tree, "empty")); err != nil || !st.IsDir() {
			t.Errorf("%s: %v", h, err)
		}
	}
	if r := run(); r.code != 0 || r.out != "" {
		t.Errorf("in sync: %s", r)
	}

	// A deletion on one side, a change with an old time on another, a directory gone.
	must(t, os.Remove(w.path("keel", tree, "a")))
	w.put("phobos", tree+"/c", "restored", 10)
	must(t, os.RemoveAll(w.path("localhost", tree, "sub dir")))
	run("--backup-dir", synkHome+"/kept").expect(t, 0)
	w.has(tree+"/a", "", all...)
	w.has(tree+"/c", "restored", all...)
	w.has(tree+"/sub dir/b\n", "", all...)
	for _, h := range []string{"localhost", "phobos"} {
		if kept, _ := filepath.Glob(w.path(h, synkHome, "kept", tree, "a.*")); len(kept) != 1 {
			t.Errorf("%s keeps %q", h, kept)
		}
	}
	if kept, _ := filepath.Glob(w.path("keel", synkHome, "kept", tree, "c.*")); len(kept) != 1 {
		t.Errorf("keel keeps %q", kept)
	}

	// Both changed at the same time: nobody wins, the rest goes on.
	w.put("keel", tree+"/c", "of keel", 4000)
	w.put("phobos", tree+"/c", "of phobos", 4000)
	w.put("localhost", tree+"/d", "new", 5000)
	run().contains(t, 5, "conflict: c: equal times", "keel", "phobos")
	w.has(tree+"/c", "of keel", "keel")
	w.has(tree+"/c", "restored", "localhost")
	w.has(tree+"/d", "new", all...)
	choose := empegsync("synk", "-i", "-R", "-h", "keel", "-h", "phobos", tree)
	choose.Stdin = strings.NewReader("2\n")
	start(t, choose).wait().contains(t, 0, "which one wins")
	w.has(tree+"/c", "of phobos", all...)

	// Not mounted: nothing happens anywhere.
	must(t, os.Rename(w.path("keel", tree), w.path("keel", "away")))
	must(t, os.Mkdir(w.path("keel", tree), 0o755))
	w.put("localhost", tree+"/e", "later", 6000)
	run().expect(t, 4, "keel: ", "mounted")
	w.has(tree+"/d", "new", "localhost", "phobos")
	w.has(tree+"/e", "", "phobos")
	must(t, os.Remove(w.path("keel", tree)))
	must(t, os.Rename(w.path("keel", "away"), w.path("keel", tree)))

	// Killed anywhere, it converges with the next run.
	must(t, os.Remove(w.path("phobos", tree, "d")))
	for _, delay := range []time.Duration{150, 500} {
		p := start(t, empegsync("synk", "-R", "-h", "keel", "-h", "phobos", tree))
		select {
		case <-p.ended:
		case <-time.After(delay * time.Millisecond):
			p.signal(syscall.SIGKILL)
			<-p.ended
		}
	}
	until(t, "convergence", func() bool { return run().code == 0 }) // what was killed may have left something at work
	w.has(tree+"/d", "", all...)
	w.has(tree+"/e", "later", all...)
	if r := run(); r.code != 0 || r.out != "" {
		t.Errorf("in sync: %s", r)
	}
}
