package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// traps puts links to the outside into the directory, as a client that may
// write there can.
func (k *restrictedKey) traps() {
	k.t.Helper()
	for name, to := range map[string]string{"abs": k.outside, "rel": "../outside", "file": "../outside/secret", "sub/up": "../../outside", "chain": "sub/up"} {
		must(k.t, os.Symlink(to, filepath.Join(k.served, name)))
		old := []unix.Timespec{{Sec: 1e9}, {Sec: 1e9}}
		must(k.t, unix.UtimesNanoAt(unix.AT_FDCWD, filepath.Join(k.served, name), old, unix.AT_SYMLINK_NOFOLLOW))
	}
}

// TestRrsyncConfines: links, climbing paths and every option that takes a path
// lead to nothing outside, for Debian's rsync and ours.
func TestRrsyncConfines(t *testing.T) {
	t.Parallel()
	k := newKey(t, "-no-lock", "-allow=copy-links,keep-dirlinks,copy-dirlinks,copy-unsafe-links")
	k.traps()
	out := k.outside
	var pulls, pushes [][]string
	for _, from := range []string{"h:abs/", "h:rel/", "h:rel/secret", "h:file", "h:sub/up/", "h:chain/sub/", "h:abs/*", "h:*/secret", "h:" + out + "/", "h:./abs/./secret"} {
		pulls = append(pulls, []string{"-rL", from}, []string{"-rtR", "--copy-unsafe-links", from})
	}
	for _, list := range []string{":/file", ":abs/secret", ":" + out + "/rules", ":rel/rules"} {
		pulls = append(pulls, []string{"-r", "--files-from=" + list, "h:"})
	}
	k.write("got-list", "abs/secret\n../outside/secret\nfile\n"+out+"/secret\n")
	pulls = append(pulls, []string{"-rL", "--files-from=got-list", "h:"}, []string{"-rk", "h:"}, []string{"-rL", "h:"})
	for _, rule := range []string{": " + out + "/rules", ":- ../outside/rules", ": rel/rules", ":- abs/secret"} {
		pulls = append(pulls, []string{"-rvv", "--filter=" + rule, "h:"})
		pushes = append(pushes, []string{"-rvv", "--delete", "--filter=" + rule, "src/", "h:in/"})
	}
	for _, dir := range []string{out, "/abs", "/rel", "/sub/up", "/../outside", "../outside"} {
		for _, option := range []string{"backup-dir", "partial-dir", "temp-dir", "compare-dest", "copy-dest", "link-dest"} {
			pushes = append(pushes, []string{"-rcb", "--" + option + "=" + dir, "src/", "h:in"})
		}
	}
	for _, to := range []string{"h:abs/", "h:rel/new", "h:file", "h:sub/up/", "h:chain", "h:" + out + "/"} {
		pushes = append(pushes, []string{"-rcK", "src/", to}, []string{"-c", "--inplace", "src/a", to})
	}
	for i, c := range append(pulls, pushes...) {
		program := []string{"rsync", k.ours}[i%2]
		dst := fmt.Sprintf("got%d", i)
		if i < len(pulls) {
			c = append(c, dst+"/")
		}
		r := k.run(program, c...)
		told := r.out + r.err
		if text, err := exec.Command("grep", "-rh", "SECRET", k.dir+"/"+dst).Output(); err == nil {
			told += string(text)
		}
		if k.unhurt(told); t.Failed() {
			t.Fatalf("%s %q: %s", program, c, r)
		}
		must(t, os.RemoveAll(k.served+"/in"))
	}
}

// TestRrsyncLogsInside: a log that a client asks for lies in the key's folder
// whatever it is called, leads nowhere else, and is refused where it could
// change a file that must stay as it is.
func TestRrsyncLogsInside(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	k.traps()
	must(t, unix.Mkfifo(k.served+"/fifo", 0o644))
	for i, c := range []struct {
		flags, log, at string // at: where it is, "" for a refusal
	}{
		{"", "log", "log"}, {"", "/sub/log", "sub/log"}, {"", k.outside + "/log", ""}, {"-allow=log-file-format", "log --log-file-format=%n", "log"},
		{"", "../outside/log", ""}, {"", "sub/../../outside/secret", ""}, {"", "abs/log", ""}, {"", "rel/secret", ""}, {"", "file", ""},
		{"", "sub/up/log", ""}, {"", "fifo", ""}, {"", "sub", ""}, {"", "log --log-file-format=%n", ""},
		{"-ro", "log", ""}, {"-no-overwrite", "a", ""}, {"-append", "a", ""}, {"-append", "new", ""}, {"-no-overwrite -allow=log-file", "a", ""},
		{"-no-del", "log", "log"}, {"-wo", "log", "log"}, {"-deny=log-file", "log", ""}, {"one=served two=src", "one/log", "log"}, {"one=served two=src", "log", ""},
		{"-quota=2k", "sub/deep/log", ""},
	} {
		k.allow(strings.Fields(c.flags)...)
		k.before = k.beyond() // with the command
		for j, way := range [][]string{{"h:sub/", "got/"}, {"src/sub", "h:"}, {"-n", "src/sub", "h:"}} {
			if c.flags == "-wo" && j == 0 || c.flags == "-quota=2k" && j > 0 {
				continue
			}
			if strings.HasPrefix(c.flags, "one=") {
				way = [][]string{{"h:one/sub/", "got/"}, {"src/sub", "h:one"}, {"-n", "src/sub", "h:one"}}[j]
			}
			var remote []string
			for w := range strings.FieldsSeq("--log-file=" + c.log) {
				remote = append(remote, "-M"+w)
			}
			r := k.run([]string{"rsync", k.ours}[(i+j)%2], append(append(remote, "-rI"), way...)...)
			text := ""
			if c.at != "" {
				text = k.read("served/" + c.at)
				must(t, os.Remove(filepath.Join(k.served, c.at)))
			}
			if c.at == "" && c.flags != "-quota=2k" && c.log != k.outside+"/log" && r.code != 4 || c.at != "" && (r.code != 0 || !strings.Contains(text, "file list")) {
				t.Errorf("%s, --log-file=%s, %q: %s\n%s", c.flags, c.log, way, r, text)
			}
		}
		k.unhurt("")
	}
	if d := cmp.Diff([]string{"a: a", "sub/b: new b", "sub/deep/c: c"}, k.gotten(k.served)); d != "" {
		t.Errorf("something has been logged to, or made, -want +got:\n%s", d)
	}
	k.allow()
	for range 2 { // a log grows
		k.run("rsync", "-r", "-M--log-file=sub/b", "h:sub/deep", "got/").expect(t, 0)
	}
	if text := k.read("served/sub/b"); !strings.HasPrefix(text, "new b") || strings.Count(text, "building file list") != 2 {
		t.Errorf("the log has lost what was there:\n%s", text)
	}
	// While one session writes, no other writes a log.
	lock, err := os.Open(k.served)
	must(t, err)
	defer lock.Close()
	must(t, unix.Flock(int(lock.Fd()), unix.LOCK_EX))
	k.allow()
	k.run("rsync", "-r", "-M--log-file=log", "h:sub/", "got/").contains(t, 4, "another session")
	k.run("rsync", "-r", "h:sub/", "got/").expect(t, 0)
}

// TestRrsyncRacedLinks: a folder that becomes a link to the outside and back
// while files go through it leads nowhere.
func TestRrsyncRacedLinks(t *testing.T) {
	t.Parallel()
	k := newKey(t, "-no-lock")
	must(t, os.MkdirAll(k.served+"/real/sub", 0o755))
	k.write("served/real/sub/b", "b")
	must(t, os.Symlink("../outside", k.served+"/link"))
	must(t, os.Rename(k.served+"/real", k.served+"/flip"))
	ctx, stop := context.WithCancel(t.Context())
	flipped := make(chan int)
	go func() {
		n := 0
		for ; ctx.Err() == nil; n++ {
			// The two names swap what they stand for, in one step.
			if err := unix.Renameat2(unix.AT_FDCWD, k.served+"/flip", unix.AT_FDCWD, k.served+"/link", unix.RENAME_EXCHANGE); err != nil {
				break
			}
		}
		flipped <- n
	}()
	for i := range 12 {
		program := []string{"rsync", k.ours}[i%2]
		dst := fmt.Sprintf("%s/got%d", k.dir, i)
		k.run(program, "-rI", "h:flip/", "h:flip/sub", dst+"/")
		if text, err := exec.Command("grep", "-rh", "SECRET", dst).Output(); err == nil {
			t.Errorf("read: %s", text)
		}
		k.run(program, "-rcI", "src/", "h:flip")
		k.run(program, "-rcI", "--temp-dir=/flip", "--inplace", "src/sub", "h:flip/")
	}
	stop()
	if n := <-flipped; n < 10 {
		t.Errorf("only %d flips", n)
	}
	k.unhurt("")
}

// TestRrsyncCommands: commands as no rsync sends them are refused, or taken for
// what they say below the directory; nothing else is run.
func TestRrsyncCommands(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	for command, want := range map[string]string{
		"": "SSH_ORIGINAL_COMMAND", "sh -c id": "for rsync alone", "/bin/sh": "for rsync alone", "rsyncx --server . /": "for rsync alone",
		"sudo rsync --server . /": "for rsync alone", "rsync": "rsync --server", "rsync -a / /tmp": "rsync --server",
		"rsync --server --daemon .": "modules", "rsync --server --sender --daemon --config=/etc/passwd .": "modules",
		"rsync --server --sender . /;id": "shell", "rsync --server --sender . `id`": "shell", "rsync --server --sender . $HOME": "shell",
		"rsync --server --sender . /\nid": "shell", "rsync --server --sender . / >x": "shell", "rsync --server 'x": "quote",
		"rsync --server --sender -e 'sh -c id' / /": "unexpected argument", "rsync --server --sender": `"."`,
		"rsync --server --no-such . /":                                  "unknown option",
		"rsync --server --sender --write-batch=" + k.outside + "/b . /": "--write-batch", "rsync --server --sender --password-file=x . /": "--password-file",
		"rsync --server --sender --help . /": "--help",
	} {
		cmd := exec.Command("sh", k.dir+"/rsh", "h", command)
		cmd.Stdin = nil
		r := start(t, cmd).wait()
		if r.code == 0 || r.out != "" || strings.Count(r.err, "\n") != 1 || !strings.Contains(r.err, want) {
			t.Errorf("%q: want one line with %q: %s", command, want, r)
		}
		k.unhurt(r.err)
	}
	// Names that look like options, or like several words, are names.
	for _, name := range []string{"--delete", "-e sh", "a --remove-source-files", "new\nline", "; id", "-", "$(id)", "--", "*", "~"} {
		for i, program := range []string{"rsync", k.ours} {
			args := [][]string{{"--no-s", "-a"}, {"-s", "-a"}}[i]
			k.write("src/"+name, name)
			k.run(program, append(args, k.dir+"/src/"+name, "h:in/")...).expect(t, 0)
			dst, err := os.MkdirTemp(k.dir, "got")
			must(t, err)
			k.run(program, append(args, "h:in/"+strings.ReplaceAll(name, "*", "[*]"), dst+"/")...).expect(t, 0)
			if d := cmp.Diff([]string{name + ": " + name}, k.gotten(dst)); d != "" {
				t.Errorf("%s %q, -want +got:\n%s", program, name, d)
			}
			must(t, os.RemoveAll(k.served+"/in"))
			must(t, os.Remove(filepath.Join(k.dir, "src", name)))
		}
	}
	k.unhurt("")
}

// TestRrsyncKeepsVersions: with -append every text that has ever come stays
// somewhere, whatever the client tries.
func TestRrsyncKeepsVersions(t *testing.T) {
	t.Parallel()
	k := newKey(t, "-append")
	texts := []string{"a", "b", "c"}
	push := func(args ...string) result {
		k.t.Helper()
		n := len(texts)
		for _, name := range []string{"a", "sub/b", "n"} {
			text := fmt.Sprintf("%s, version %d", name, n)
			k.write("src/"+name, text)
			must(t, os.Chtimes(k.dir+"/src/"+name, time.Unix(1e9+int64(n), 0), time.Unix(1e9+int64(n), 0)))
			texts = append(texts, text)
		}
		return k.run([]string{"rsync", k.ours}[n/3%2], args...)
	}
	for _, args := range [][]string{
		{"-a"}, {"-aP"}, {"-aH"}, {"-ac", "--no-whole-file"}, {"-aI", "--temp-dir=sub"}, {"-rz"}, {"-a", "--protocol=27"}, {"-a", "--fuzzy", "--copy-dest=/sub"}, {"-aW", "--fsync"},
	} {
		r := push(append(args, "src/", "h:")...)
		r.expect(t, 0)
		if !strings.Contains(r.out, "backed up a to /.versions/") {
			t.Errorf("%q: the client does not hear what was put aside: %s", args, r)
		}
	}
	push("-a", "src/a", "h:sub/b").expect(t, 0) // one file under another name
	texts = texts[:len(texts)-2]                // the others have not gone
	k.write("src/.versions", "in the way")
	push("-a", "src/", "h:").contains(t, 23, "refused to receive")
	must(t, os.Remove(k.dir+"/src/.versions"))
	old, err := filepath.Glob(k.served + "/.versions/*/a")
	must(t, err)
	rel, err := filepath.Rel(k.served, old[0])
	must(t, err)
	must(t, os.MkdirAll(filepath.Dir(k.dir+"/src/"+rel), 0o755))
	k.write("src/"+rel, "forged")
	push("-a", "src/", "h:").contains(t, 23, "refused to receive")
	must(t, os.RemoveAll(k.dir+"/src/.versions"))
	must(t, os.Symlink(".versions", k.dir+"/src/l"))
	must(t, os.Symlink(filepath.Dir(rel), k.dir+"/src/sub/v"))
	push("-a", "src/", "h:").expect(t, 0)
	for _, to := range []string{"h:l/", "h:sub/v/", "h:sub/v", "h:" + filepath.Dir(rel), "h:./.versions//"} {
		if r := push("-a", "src/a", to); r.code == 0 {
			t.Errorf("%s: %s", to, r)
		}
		texts = texts[:len(texts)-3] // they must not have come
	}
	// What becomes a folder, and a folder that becomes a file, stay as well.
	must(t, os.Remove(k.dir+"/src/n"))
	must(t, os.RemoveAll(k.dir+"/src/sub"))
	must(t, os.Mkdir(k.dir+"/src/n", 0o755))
	k.write("src/n/in", "it is a folder now")
	k.write("src/sub", "it is a file now")
	for _, program := range []string{"rsync", k.ours} {
		k.run(program, "-a", "src/", "h:")
	}
	have := ""
	for _, f := range k.gotten(k.served) {
		_, text, _ := strings.Cut(f, ": ")
		have += "|" + text + "|"
	}
	for _, text := range texts {
		if !strings.Contains(have, "|"+text+"|") {
			t.Errorf("%q is lost", text)
		}
	}
	if strings.Contains(have, "forged") {
		t.Error("a version was forged")
	}
	k.unhurt("")
}

// TestRrsyncBounds: -no-overwrite tells what it leaves, -no-del loses nothing to
// backups, -quota holds, -wo -munge stores no live link, devices are not made.
func TestRrsyncBounds(t *testing.T) {
	t.Parallel()
	for _, ours := range []bool{false, true} {
		k := newKey(t, "-no-overwrite")
		program := "rsync"
		if ours {
			program = k.ours
		}
		r := k.run(program, "-r", "src/", "h:")
		if r.code != 0 || !strings.Contains(r.out+r.err, `"a" is there already`) || !strings.Contains(r.out+r.err, `"sub/b" is there already`) {
			t.Errorf("what stays is not told: %s", r)
		}
		want := []string{"a: a", "n: new n", "sub/b: b", "sub/deep/c: c"}
		if d := cmp.Diff(want, k.gotten(k.served)); d != "" {
			t.Errorf("-no-overwrite, -want +got:\n%s", d)
		}
		if r := k.run(program, "-rt", "served/n", "h:"); strings.Contains(r.out+r.err, "there already") {
			t.Errorf("what is the same is told: %s", r)
		}
		k.allow("-no-del")
		k.run(program, "-rb", "--suffix=ub", "src/n", "h:s").contains(t, 0)
		k.write("src/s", "two")
		if r := k.run(program, "-rcb", "--suffix=ub", "src/s", "h:"); r.code == 0 { // its backup would be where sub is
			t.Errorf("a backup in the place of a folder: %s", r)
		}
		if got := k.gotten(k.served + "/sub"); len(got) != 2 {
			t.Errorf("-no-del has lost files to a backup: %q", got)
		}
		k.allow("-quota=100k")
		k.write("src/big", strings.Repeat("0123456789", 20_000))
		k.run(program, "-r", "src/big", "h:").contains(t, 11, "quota of 102400 bytes")
		k.write("src/big", strings.Repeat("0123456789", 5_000))
		k.run(program, "-r", "src/big", "h:").expect(t, 0)
		if names, err := filepath.Glob(k.served + "/.big*"); err != nil || len(names) > 0 {
			t.Errorf("left behind: %q, %v", names, err)
		}
		k.allow("-munge")
		must(t, os.Symlink("../outside", k.dir+"/src/link"))
		must(t, unix.Mkfifo(k.dir+"/src/fifo", 0o644))
		if r := k.run(program, "-a", "src/", "h:munged"); r.code != 0 || !strings.Contains(r.out, "fifo") {
			t.Errorf("a fifo that is left out is not told: %s", r)
		}
		if to, err := os.Readlink(k.served + "/munged/link"); err != nil || to != "/rsyncd-munged/../outside" {
			t.Errorf("the link leads to %q, %v", to, err)
		}
		if _, err := os.Lstat(k.served + "/munged/fifo"); err == nil {
			t.Error("a fifo was made")
		}
		must(t, os.RemoveAll(k.dir+"/src/fifo"))
		k.allow("one="+k.served+"/sub", "two="+k.served+"/munged")
		dst := k.dir + "/got"
		k.run(program, "-r", "h:one/b", "h:/two/n", dst+"/").expect(t, 0)
		if d := cmp.Diff([]string{"b: b", "n: new n"}, k.gotten(dst)); d != "" {
			t.Errorf("several directories, -want +got:\n%s", d)
		}
		lock, err := os.Open(k.served)
		must(t, err)
		must(t, unix.Flock(int(lock.Fd()), unix.LOCK_EX))
		k.allow()
		k.run(program, "-r", "src/", "h:").contains(t, 4, "another session")
		k.run(program, "-r", "h:a", dst).expect(t, 0)
		k.allow("-no-lock")
		k.run(program, "-r", "src/n", "h:").expect(t, 0)
		lock.Close()
	}
}

// TestForcedDaemonOfAUser: somebody other than root is served from the rsyncd.conf
// of the folder that the shell starts in, which is the home folder.
func TestForcedDaemonOfAUser(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	k.write("rsyncd.conf", "max connections = 1\nlock file = "+k.dir+"/home/lock\nuse chroot = no\n[system]\npath = "+k.served+"\nlist = false\n")
	must(t, os.MkdirAll(k.dir+"/home", 0o755))
	must(t, os.Rename(k.dir+"/rsyncd.conf", k.dir+"/home/rsyncd.conf"))
	k.write("rsh", "cd "+k.dir+"/home\nexec "+k.ours+" --server --daemon .\n")
	for _, program := range []string{"rsync", k.ours} {
		dst, err := os.MkdirTemp(k.dir, "got")
		must(t, err)
		cmd := exec.Command(program, "-e", "sh "+k.dir+"/rsh", "-rtx", "--numeric-ids", "--delete", "host::system/", dst+"/")
		cmd.Dir = k.dir
		if os.Geteuid() == 0 {
			const nobody = 65534
			must(t, os.Chown(dst, nobody, nobody))
			must(t, os.Chown(k.dir+"/home", nobody, nobody))
			must(t, os.Chmod(k.dir, 0o755))
			must(t, os.Chmod(filepath.Dir(k.dir), 0o755))
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		}
		start(t, cmd).wait().expect(t, 0)
		if d := cmp.Diff([]string{"a: a", "sub/b: b", "sub/deep/c: c"}, k.gotten(dst)); d != "" {
			t.Errorf("%s, -want +got:\n%s", program, d)
		}
	}
}

// TestRrsyncMergeFiles: a merge file outside the key's folder hides none of a client's files, from which it could tell what is in
// it, and no client loosens or names the confines.
func TestRrsyncMergeFiles(t *testing.T) {
	t.Parallel()
	k := newKey(t, "-ro")
	k.traps()
	must(t, os.WriteFile(k.outside+"/picks", []byte("a\n"), 0o644))
	must(t, os.WriteFile(k.served+"/names", []byte("b\n"), 0o644))
	k.before = k.beyond()
	for i, c := range []struct{ rule, hidden string }{
		{":- " + k.outside + "/picks", ""}, {":- ../outside/picks", ""}, {":- abs/picks", ""}, {":- /rel/picks", ""}, {":- sub/up/picks", ""},
		{":- /names", "b"}, {":- names", "b"},
	} {
		dst := fmt.Sprintf("got%d", i)
		r := k.run([]string{"rsync", k.ours}[i%2], "-r", "--filter="+c.rule, "h:", dst+"/")
		var missing []string
		for _, name := range []string{"a", "sub/b", "sub/deep/c"} {
			if _, err := os.Lstat(filepath.Join(k.dir, dst, name)); err != nil {
				missing = append(missing, filepath.Base(name))
			}
		}
		// A rule file that cannot be read may end the run or leave its folder out, as long as it picks no names.
		if got := strings.Join(missing, " "); got != c.hidden && (r.code == 0 || got != "a b c") {
			t.Errorf("%s: %q is missing, want %q: %s", c.rule, got, c.hidden, r)
		}
		k.unhurt(r.out + r.err)
	}
	for _, option := range []string{"--insecure-links", "--confine-root=/"} {
		if r := k.run("rsync", "-r", "-M"+option, "h:", "got/"); r.code == 0 {
			t.Errorf("%s is accepted: %s", option, r)
		}
	}
}
