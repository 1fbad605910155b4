package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
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
	w.know("gone", "127.0.0.200")
	all := []string{"localhost", "keel", "stock", "bare"}
	line := []string{"synk", "-v", "-h", "keel", "-h", "stock", "-h", "bare"}

	t.Run("names", func(t *testing.T) {
		names := []string{
			"a b", "it's", `say "x"`, "new\nline", "*", "[x]?", "back\\slash", "$(touch oops)", "semi;colon", "-n", "tab\there", "\xff\xfe", "a:b", "über",
		}
		words := line
		for i, n := range names {
			path := synkHome + "/" + n
			w.put(all[i%2], path, "new "+n, 2000)
			w.put(all[3-i%2], path, "old "+n, 1000)
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

	t.Run("every host as master", func(t *testing.T) {
		for i, h := range all {
			text := "of " + h
			w.put(h, synkHome+"/each", text, float64(5000+i))
			dry := call(t, append([]string{"synk", "-n", synkHome + "/each"}, line[2:]...)...)
			dry.expect(t, 2)
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
