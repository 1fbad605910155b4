package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// restrictedKey is a directory that a key gives, with what must stay outside it
// beside it, and a remote shell that ends in the key's forced command.
type restrictedKey struct {
	t       testing.TB
	dir     string // of all of it
	served  string
	outside string
	ours    string // our program, called rsync
	flags   []string
	before  []string // what is outside
}

// newKey lays the directory out; the flags stand before its name.
func newKey(t testing.TB, flags ...string) *restrictedKey {
	t.Helper()
	dir := tempDir(t)
	k := &restrictedKey{t: t, dir: dir, served: dir + "/served", outside: dir + "/outside", ours: dir + "/bin/rsync", flags: flags}
	for _, d := range []string{"bin", "served/sub/deep", "outside/sub", "src/sub"} {
		must(t, os.MkdirAll(filepath.Join(dir, d), 0o755))
	}
	must(t, os.Symlink(os.Getenv(binaryVar), k.ours))
	k.write("served/a", "a")
	k.write("served/sub/b", "b")
	k.write("served/sub/deep/c", "c")
	k.write("outside/secret", "SECRET")
	k.write("outside/sub/b", "SECRET")
	k.write("outside/rules", "- SECRET\n")
	k.write("src/a", "new a")
	k.write("src/n", "new n")
	k.write("src/sub/b", "new b")
	k.allow(flags...)
	k.before = k.beyond()
	return k
}

// allow makes the remote shell's forced command.
func (k *restrictedKey) allow(flags ...string) {
	k.t.Helper()
	words := append([]string{os.Getenv(binaryVar), "rrsync"}, flags...)
	if n := len(flags); n == 0 || strings.HasPrefix(flags[n-1], "-") {
		words = append(words, k.served)
	}
	k.write("rsh", "shift\nexport SSH_ORIGINAL_COMMAND=\"$*\" SSH_CONNECTION='192.0.2.7 1 192.0.2.8 22'\ncd "+k.dir+"\nexec "+strings.Join(words, " ")+"\n")
}

func (k *restrictedKey) write(name, text string) {
	k.t.Helper()
	name = filepath.Join(k.dir, name)
	must(k.t, os.WriteFile(name, []byte(text), 0o644))
	old := time.Unix(1e9, 0)
	must(k.t, os.Chtimes(name, old, old))
}

func (k *restrictedKey) read(name string) string {
	k.t.Helper()
	text, err := os.ReadFile(filepath.Join(k.dir, name))
	must(k.t, err)
	return string(text)
}

// run has an rsync use the key.
func (k *restrictedKey) run(program string, args ...string) result {
	k.t.Helper()
	cmd := exec.Command(program, append([]string{"-e", "sh " + k.dir + "/rsh"}, args...)...)
	cmd.Dir = k.dir
	return start(k.t, cmd).wait()
}

// beyond is what there is outside of the directory, but for what clients have.
func (k *restrictedKey) beyond() []string {
	k.t.Helper()
	out, err := exec.Command("find", k.dir, "-path", k.served, "-prune", "-o", "-path", k.dir+"/got*", "-prune", "-o", "-path", k.dir+"/src", "-prune",
		"-o", "-path", k.dir, "-o", "-printf", "%P %M %s %T@ %l\n").Output()
	must(k.t, err)
	lines := strings.Split(string(out), "\n")
	slices.Sort(lines)
	return lines
}

// unhurt fails the test if anything outside has changed, or has been told.
func (k *restrictedKey) unhurt(told string) {
	k.t.Helper()
	if d := cmp.Diff(k.before, k.beyond()); d != "" {
		k.t.Errorf("outside, -before +after:\n%s", d)
	}
	if strings.Contains(told, "SECRET") {
		k.t.Errorf("the client hears what is outside:\n%s", told)
	}
	out, err := exec.Command("grep", "-rl", "SECRET", k.served).CombinedOutput()
	if err == nil || len(out) > 0 {
		k.t.Errorf("inside has come to be what is outside: %s%v", out, err)
	}
}

// gotten is what has arrived, with its content.
func (k *restrictedKey) gotten(dir string) []string {
	k.t.Helper()
	var all []string
	must(k.t, filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			text, readErr := os.ReadFile(p)
			rel, _ := filepath.Rel(dir, p)
			all = append(all, rel+": "+string(text))
			err = readErr
		}
		return err
	}))
	return all
}

// TestRrsyncLogOutside: the log of sessions cannot lie where clients write.
func TestRrsyncLogOutside(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	for _, name := range []string{k.served + "/log", k.served + "/sub/../log", k.served + "/sub/log"} {
		k.allow("-log", name, k.served)
		if r := k.run("rsync", "-a", "h:", "got/"); r.code == 0 || !strings.Contains(r.err, "lies in the key's directory") {
			t.Errorf("%s is taken:\n%s", name, r)
		}
		if _, err := os.Lstat(name); err == nil {
			t.Errorf("%s was made", name)
		}
	}
}

// TestRrsyncMeansItsDirectory: each way to write the directory, or what is in
// it, from Debian's rsync and ours.
func TestRrsyncMeansItsDirectory(t *testing.T) {
	t.Parallel()
	k := newKey(t, "-absolute", "-munge", "-no-lock")
	all := []string{"a: a", "sub/b: b", "sub/deep/c: c"}
	sub := []string{"b: b", "deep/c: c"}
	for _, c := range []struct {
		from string
		want []string
	}{
		{"h:/", all}, {"h:", all}, {"h:.", all}, {"h:./", all}, {"h:" + k.served + "/", all},
		{"h:/sub/", sub}, {"h:sub/deep/", []string{"c: c"}}, {"h:" + k.served + "/sub/", sub},
		{"h:s*/[a-c]", []string{"b: b"}}, {"h:/a", []string{"a: a"}},
	} {
		for _, program := range []string{"rsync", k.ours} {
			for _, s := range []string{"-s", "--no-s"} {
				dst, err := os.MkdirTemp(k.dir, "got")
				must(t, err)
				k.run(program, s, "-a", c.from, dst).expect(t, 0)
				if d := cmp.Diff(c.want, k.gotten(dst)); d != "" {
					t.Errorf("%s %s %s, -want +got:\n%s", program, s, c.from, d)
				}
			}
		}
	}
	dst := k.dir + "/got-braces" // which old clients do not quote
	k.run("rsync", "--old-args", "-r", "h:{a,sub/{b,deep/[c]}}", dst).expect(t, 0)
	if d := cmp.Diff([]string{"a: a", "b: b", "c: c"}, k.gotten(dst)); d != "" {
		t.Errorf("braces, -want +got:\n%s", d)
	}
	for i, to := range []string{"h:/in", "h:in", "h:./in", "h:" + k.served + "/in/"} {
		program := []string{"rsync", k.ours}[i%2]
		k.run(program, "-a", "--delete", "--protocol="+[]string{"32", "29", "30", "28"}[i], "src/", to).expect(t, 0)
		if d := cmp.Diff([]string{"a: new a", "n: new n", "sub/b: new b"}, k.gotten(k.served+"/in")); d != "" {
			t.Errorf("%s, -want +got:\n%s", to, d)
		}
		must(t, os.RemoveAll(k.served+"/in"))
	}
	k.unhurt("")
}

// TestRrsyncRefuses: what a key does not give is one clear line, and nothing
// comes of it.
func TestRrsyncRefuses(t *testing.T) {
	t.Parallel()
	push, pull := []string{"-a", "src/", "h:"}, []string{"-a", "h:", "got/"}
	with := func(list []string, more ...string) []string { return append(slices.Clone(more), list...) }
	for _, c := range []struct {
		flags string
		args  []string
		want  string
	}{
		{"-ro", push, "may only read"},
		{"-ro", with(push, "--delete"), "may only read"}, // which says more than that --delete is refused
		{"-wo", pull, "may only write"},
		{"-wo", with(pull, "--files-from=:a"), "may only write"},
		{"-wo", with(push, "--files-from=:a"), "--files-from cannot name"}, // whose lines would be told
		{"", with(pull, "-L"), "--copy-links"},
		{"", with(push, "-K"), "--keep-dirlinks"},
		{"", with(pull, "--copy-unsafe-links"), "--copy-unsafe-links"},
		{"", with(push, "--write-devices"), "--write-devices"},
		{"-no-del", with(push, "--delete"), "--delete"},
		{"-no-del", with(push, "--delete-after"), "--delete"},
		{"-no-del", with(push, "--delete-excluded"), "--delete"},
		{"-no-del", with(push, "--force"), "--force"},
		{"-no-del", with(push, "--partial-dir=sub"), "--partial-dir"},
		{"-no-overwrite", with(push, "-b"), "--backup"},
		{"-no-overwrite", with(push, "--delay-updates"), "--delay-updates"},
		{"-no-del", with(push, "-s", "--delete"), "--delete"}, // which comes past the command
		{"-ro", with(pull, "-s", "--remove-source-files"), "--remove-source-files"},
		{"", with(pull, "-s", "-L"), "--copy-links"},
		{"-append", with(push, "--delete"), "--delete"},
		{"-append", with(push, "--inplace"), "--inplace"},
		{"-append", with(push, "--append"), "--append"},
		{"-append", with(push, "--backup-dir=x"), "backup"},
		{"-append", []string{"-a", "src/", "h:.versions/x"}, "older versions"},
		{"-deny=checksum,z", with(pull, "-c"), "--checksum"},
		{"-deny=c,z", with(pull, "-z"), "--compress"},
		{"-quota=1g", with(push, "--preallocate"), "--preallocate"},
		{"", []string{"-a", "h:../outside/", "got/"}, `".."`},
		{"", []string{"-a", "h:sub/../../outside/", "got/"}, `".."`},
		{"", []string{"-a", "src/", "h:../outside/"}, `".."`},
		{"one=served two=src", []string{"-a", "h:three/", "got/"}, "one, two"},
		{"one=served two=src", []string{"-a", "src/", "h:"}, "one, two"},
		{"one=served two=src", []string{"-a", "h:one", "got/"}, "write one/"},
		{"one=served two=src", []string{"-rb", "--backup-dir=/two/x", "src/", "h:one/"}, "not in the directory of the destination"},
		{"one=served two=src", []string{"-r", "--link-dest=/three", "src/", "h:one/"}, "one, two"},
		{"one=served two=src", []string{"-aR", "h:/one/sub/", "got/"}, "one/./PATH"},
	} {
		for _, program := range []string{"rsync", "ours"} {
			t.Run(fmt.Sprint(program, c.flags, strings.Join(c.args, " ")), func(t *testing.T) {
				k := newKey(t, strings.Fields(c.flags)...)
				if program == "ours" {
					program = k.ours
				}
				r := k.run(program, c.args...)
				if r.code == 0 {
					t.Error("it went well")
				}
				if n := strings.Count(r.err, c.want); n == 0 || strings.Contains(r.err, "connection unexpectedly closed") {
					t.Errorf("the client's screen lacks %q, or has more:\n%s", c.want, r)
				}
				k.unhurt(r.out + r.err)
				if d := cmp.Diff([]string{"a: a", "sub/b: b", "sub/deep/c: c"}, k.gotten(k.served)); d != "" {
					t.Errorf("inside, -before +after:\n%s", d)
				}
				if _, err := os.Stat(k.dir + "/got/a"); err == nil {
					t.Error("something was read")
				}
			})
		}
	}
}

// TestRrsyncNamedAside: an absolute folder besides the destination begins with the
// name of the key's directory, too, and is in no other of its directories.
func TestRrsyncNamedAside(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	k.allow("one="+k.served, "two="+k.dir+"/gotten")
	must(t, os.Mkdir(k.dir+"/gotten", 0o755))
	for i, program := range []string{"rsync", k.ours} {
		kept := fmt.Sprintf("kept%d", i)
		k.run(program, "-rcb", "--backup-dir=/one/"+kept, "src/a", "h:one/").expect(t, 0)
		if got := k.read("served/" + kept + "/a"); got != "a" {
			t.Errorf("%s: the backup says %q", program, got)
		}
		k.write("served/a", "a")
		for dir, why := range map[string]string{"/two/x": "not in the directory of the destination", "/" + kept: "begin with one of the key's directories"} {
			if r := k.run(program, "-rcb", "--backup-dir="+dir, "src/a", "h:one/"); r.code == 0 || !strings.Contains(r.err, why) || k.read("served/a") != "a" {
				t.Errorf("%s, --backup-dir=%s: %s", program, dir, r)
			}
		}
	}
}

// TestRrsyncCVSIgnore: what the server's user ignores stays untold, and comes.
func TestRrsyncCVSIgnore(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	k.write("src/.cvsignore", "a\n")
	k.write("rsh", "export HOME="+k.dir+"/src CVSIGNORE=deep\n"+k.read("rsh"))
	for i, program := range []string{"rsync", k.ours} {
		dst := fmt.Sprintf("got%d", i)
		k.run(program, "-rC", "h:", dst+"/").expect(t, 0)
		if d := cmp.Diff([]string{"a: a", "sub/b: b", "sub/deep/c: c"}, k.gotten(k.dir+"/"+dst)); d != "" {
			t.Errorf("%s, -want +got:\n%s", program, d)
		}
	}
}
