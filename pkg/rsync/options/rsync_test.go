package options

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// recordTo names the file where this test binary, started by rsync as its
// remote shell, writes the arguments it got.
const recordTo = "OPTIONS_TEST_RECORD_TO"

func TestMain(m *testing.M) {
	if file := os.Getenv(recordTo); file != "" {
		// Arguments are: host rsync --server ...
		if err := os.WriteFile(file, []byte(strings.Join(os.Args[2:], "\x00")), 0o600); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// rsync runs the real one in an empty folder, without anybody's settings.
func rsync(dir string, args ...string) *exec.Cmd {
	cmd := exec.Command("rsync", args...)
	cmd.Dir = dir
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "RSYNC_") && !strings.HasPrefix(v, "HOME=") && !strings.HasPrefix(v, "POPT") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "HOME="+dir)
	return cmd
}

// recorded gives what rsync sends to a remote shell's server.
func recorded(t *testing.T, dir string, args []string) []string {
	t.Helper()
	sent, out := record(t, dir, args)
	if sent == nil {
		t.Fatalf("rsync %q sent nothing: %s", args, out)
	}
	return sent
}

// record is recorded for a command line that may be wrong: then it gives what
// rsync says.
func record(t *testing.T, dir string, args []string) (sent []string, out string) {
	t.Helper()
	file := filepath.Join(dir, "recorded")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	_ = os.Remove(file)
	cmd := rsync(dir, append([]string{"-e", self}, args...)...)
	cmd.Env = append(cmd.Env, recordTo+"="+file)
	said, _ := cmd.CombinedOutput() // it fails: there is no server
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, string(said)
	}
	return strings.Split(string(text), "\x00")[1:], string(said) // without "rsync"
}

// lines are the options given to rsync and to us; TestServerArgs adds source
// and destination for a pull and for a push.
func lines() []string {
	return []string{
		"--bwlimit=100", "--bwlimit=1.5m --timeout=9 --cc=md5", "--bwlimit=9 --no-bwlimit", "--no-s", "-rM--size-only --remote-option=-q", "--old-args",
		"", "-a", "-auv --delete", "-av --progress", "--progress", "-i", "-ii", "-vii", "-q --progress", "-vqq", "-vvvv", "-h -v", "-hh",
		"-r", "-rn", "-d", "-dr", "-d --no-d", "--no-r -a", "-a --no-r", "-a --no-D", "-a --no-devices", "-a --no-specials", "-D",
		"--specials", "--devices", "-l", "-p", "-t", "-o", "-g", "-rOJ", "-u", "-c", "-I", "-W", "--no-W", "-W --no-W",
		"--numeric-ids", "--no-numeric-ids", "--no-i-r -r", "--i-r -r",
		"-r --delete", "-d --delete", "-r --del", "-r --delete-before", "-r --delete-during", "-r --delete-after",
		"-r --delete-excluded", "-r --delete --delete-excluded", "-r --delete-excluded --delete-after", "-r --delete --del",
		"--max-delete=5", "--max-delete=0", "--max-delete=-3", "-r --delete --max-delete=2 --force --ignore-errors",
		"--force --no-force --ignore-errors --no-ignore-errors", "--existing", "--ignore-non-existing", "--ignore-existing",
		"--size-only", "--modify-window=2", "--modify-window=-1", "-@3", "-a@3", "--max-size=1.5k --min-size=1", "--max-size=1kib-1",
		"--min-size=0", "--max-size=k", "-B700", "-B=700", "-B 8k", "-B0", "--timeout=0x10", "--timeout=010", "--timeout=60",
		"--timeout=5 --no-timeout", "--cc=md5", "--cc=auto", "--cc=auto,auto", "--cc=MD5", "--cc=md5,md4", "--cc=none", "--cc=none,md5",
		"--cc=md5,none", "--checksum-seed=7", "--checksum-seed=-1", "--checksum-seed=0", "--fsync", "--stats", "--stats -vv",
		"--exclude=x --include=y --filter=-_z", "-4", "-6 --port=99 --address=127.0.0.1", "--list-only", "-r --list-only", "-d --list-only",
		"--list-only --delete", "-i --no-i -v", "--no-h --no-v", "-v --no-v",
		"-aqn --numeric-ids --ignore-errors --force --size-only --existing --ignore-existing --stats --fsync --modify-window=2 --checksum-seed=7 -WIcOJ",
		"--protocol=29 -a --delete", "--protocol=27 -rv -B 200k", "--protocol=30 -a", "--protocol=31 -r --delete-before",
		"-z", "-zz", "-z --zl=3 --skip-compress=mp3", "--zc=lz4 --cc=md5 -B700 --zl=4 --max-size=5", "--old-compress", "--zc=zlibx", "-z --zc=none",
		"-E", "-aE", "-aE --no-p", "--chmod=u+x --chmod=D755", "--usermap=a:b,1-5:c", "--groupmap=7:d --no-g", "--chown=a:b", "--chown=a",
		"--chown=:b -a", "--super", "--no-super", "--fake-super -a", "-A", "-aAX", "-A --no-A", "-AE --no-p", "-X", "-XXX", "-rXEU", "-aXX --no-X", "-L", "-lLkK", "-aOJKL --safe-links --copy-unsafe-links --ignore-errors --numeric-ids", "--munge-links -a", "--insecure-links", "--confine-root=/x -a", "--insecure-links --no-insecure-links", "--safe-links", "-U", "-UUU", "-UU --open-noatime", "--open-noatime -aU", "-U --no-U", "--open-noatime --no-open-noatime", "--super --force --size-only --stats --numeric-ids  --usermap=a:b --ignore-existing",
		"--zc=auto", "--zl=5", "-z --no-z", "--zc=zlib --zl=-1", "--zc=zstd --protocol=29",
		"-C", "-F", "-FF", "-rm --delete", "-m --no-m", "-rCm0",
		"--stderr=e", "--stderr=al", "--stderr=client -i", "--msgs2stderr -B700", "--no-msgs2stderr", "--zt=3 -z", "--sockopts=SO_KEEPALIVE",
		"--info=name0,del --msgs2stderr --existing --fsync --temp-dir=x --inplace --stats --numeric-ids --ignore-missing-args --modify-window=2",
		"--max-alloc=2m --stats --ignore-missing-args --super --size-only --force -r", "--max-alloc=0 --modify-window=1", "--info=none --copy-dest=x --copy-dest=y", "--iconv=- --no-iconv", "-a --iconv=utf8,iso88591", "--iconv=utf8 -B700", "--iconv=. --timeout=5", "--iconv=,x --list-only", "--iconv=utf8, -r",
	}
}

// peer says what rsync 3.5.0 would send with --protocol: letters from 30 on.
func peer(o *Options, push bool) Peer {
	p := Peer{Push: push, Capabilities: "iLsfxCIvu"}
	if slices.Contains([]int{27, 28, 29}, o.Protocol) {
		p.Capabilities = ""
	}
	return p
}

// ServerArgs gives exactly what rsync 3.5.0 sends, and that can be read.
func TestServerArgs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "src"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, line := range append(append(lines(), fileLines()...), "only source") {
		for _, push := range []bool{false, true} {
			args := append(fields(line), "host:x", "dst")
			if push {
				args = append(fields(line), "src", "host:x")
			}
			if line == "only source" {
				args, push = []string{"host:x"}, false
			}
			o := mustParse(t, args)
			want := recorded(t, dir, args)
			for i := range want {
				want[i] = strings.ReplaceAll(want[i], `\*`, "*") // what a shell makes of it
			}
			got := append(o.ServerArgs(peer(o, push)), ".", "x")
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("rsync %q (-) and we (+):\n%s", args, d)
			}
			read, err := ParseServer(want, Refusal{})
			if err != nil {
				t.Errorf("ParseServer(%q): %v", want, err)
				continue
			}
			if read.Sender == push || read.Recurse != o.Recurse || read.Checksum != o.Checksum || read.Devices != o.Devices ||
				read.Specials != o.Specials || push && (read.Delete != o.Delete || read.MaxDelete != o.MaxDelete || read.MaxSize != o.MaxSize) {
				t.Errorf("%q was understood as %+v", want, read)
			}
		}
	}
}

// What goes to a daemon is the same list, at every version it announces.
func TestServerArgsToDaemon(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for version := 27; version <= 32; version++ {
		for _, line := range []string{"-auv --delete", "--list-only", "-rii -B700 --cc=md5 --timeout=9", "-q", "-z", "-zz", "-z --zl=3 --skip-compress=mp3", "--zc=lz4 --cc=md5 -B700", "--old-compress", "--zc=zlibx", "-z --zc=none", "--zc=auto", "--zl=5"} {
			args := append(fields(line), fmt.Sprint("--protocol=", version), fmt.Sprintf("rsync://%s/mod/x", l.Addr()), "dst")
			sent := make(chan []string, 1)
			go func() { sent <- daemonArgs(l, version) }()
			cmd := rsync(dir, args...)
			_ = cmd.Run() // it fails: the daemon hangs up
			want := <-sent
			o := mustParse(t, args)
			if d := cmp.Diff(want, append(o.ServerArgs(peer(o, false)), ".", "mod/x")); d != "" {
				t.Errorf("rsync %q (-) and we (+):\n%s", args, d)
			}
			if _, err := ParseServer(want, Refusal{}); err != nil {
				t.Errorf("ParseServer(%q): %v", want, err)
			}
		}
	}
}

// daemonArgs plays a daemon's greeting on one connection and gives the
// arguments. // clientserver.c:start_inband_exchange, io.c:read_args
func daemonArgs(l net.Listener, version int) []string {
	conn, err := l.Accept()
	if err != nil {
		return []string{err.Error()}
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprintf(conn, "@RSYNCD: %d.0 sha512 sha256 sha1 md5 md4\n", version)
	r := bufio.NewReader(conn)
	_, _ = r.ReadString('\n') // the client's greeting
	_, _ = r.ReadString('\n') // the module
	fmt.Fprint(conn, "@RSYNCD: OK\n")
	end := byte(0)
	if version < 30 {
		end = '\n'
	}
	var args []string
	for {
		arg, err := r.ReadString(end)
		if err != nil {
			return append(args, err.Error())
		}
		if len(arg) == 1 {
			return args
		}
		args = append(args, arg[:len(arg)-1])
	}
}

// samples gives a value to those options for which 7 is none.
func samples() map[string]string {
	return map[string]string{"remote-option": "-x", "chmod": "u+x", "block-size": "7", "max-alloc": "2m", "bwlimit": "7",
		"exclude-from": "/dev/null", "include-from": "/dev/null", "filter": "-_x", "stderr": "all", "dparam": "port=7",
		"stop-at": "2099-12-31", "info": "none", "debug": "none",
		"outbuf": "L", "iconv": "utf8", "confine-root": "/x"}
}

// Every spelling in the table is one that rsync knows, with an argument where
// it takes one; and what cannot be negated here cannot be negated there.
func TestTableAgainstRsync(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	known := func(args ...string) (bool, string) {
		out, _ := rsync(dir, append(args, "--zzz")...).CombinedOutput()
		return strings.Contains(string(out), "--zzz: unknown option"), string(out)
	}
	special := map[string]string{ // options that end the parse by themselves
		"help": "", "version": "", "sender": "--server", "server": "", "daemon": "", "config": "--daemon", "dparam": "--daemon",
		"detach": "--daemon", "no-detach": "--daemon",
	}
	for _, opt := range All() {
		before, isSpecial := special[opt.Long]
		if isSpecial && before == "" {
			continue
		}
		arg := "7"
		if v, ok := samples()[opt.Long]; ok {
			arg = v
		}
		var spellings []string
		for _, n := range append([]string{opt.Long}, opt.Aliases...) {
			switch {
			case n == "":
			case opt.Arg != "":
				spellings = append(spellings, "--"+n+"="+arg)
			default:
				spellings = append(spellings, "--"+n)
			}
		}
		if opt.Short != "" && before == "" {
			glued := "-" + opt.Short
			if opt.Arg != "" {
				glued += arg
			}
			spellings = append(spellings, glued)
		}
		for _, n := range opt.Negations {
			spellings = append(spellings, "--"+n)
		}
		args := spellings
		if before != "" {
			args = append([]string{before}, spellings...)
		}
		if ok, out := known(args...); !ok && !strings.Contains(out, "This rsync does not support --"+opt.Long) {
			t.Errorf("not all of %q are known to rsync: %s", spellings, out)
		}
		if opt.Long != "" && len(opt.Negations) == 0 && before == "" {
			if ok, _ := known("--no-" + opt.Long); ok {
				t.Errorf("rsync knows --no-%s", opt.Long)
			}
		}
	}
}

// Every option that rsync's help and the summary of its manual name stands in the
// table, with the same letter, and is supported or refused for a reason that the
// README gives, too.
func TestHelpOfRsync(t *testing.T) {
	t.Parallel()
	x, d := newIndex(client), newIndex(daemon)
	names := regexp.MustCompile(`^(--([\w-]+)(=\S+)?)?(?:, )?(?:--([\w-]+)(=\S+)?)?(-(\S))?\s`)
	for _, help := range []struct {
		args  []string
		index index
		least int
	}{{[]string{"--help"}, x, 150}, {[]string{"--daemon", "--help"}, d, 14}} {
		out, err := rsync(t.TempDir(), help.args...).Output()
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, line := range strings.Split(string(out), "\n") {
			m := names.FindStringSubmatch(line)
			if m == nil || m[2] == "" && m[7] == "" || m[2] == "no-OPTION" {
				continue
			}
			found++
			var rows []*row
			for _, long := range []string{m[2], m[4]} {
				if long != "" {
					e, ok := help.index.long[long]
					if !ok {
						t.Errorf("--%s is missing", long)
						continue
					}
					if (m[3] != "") != (e.row.arg != "") {
						t.Errorf("--%s: argument %q in rsync, %q here", long, m[3], e.row.arg)
					}
					rows = append(rows, e.row)
					if !e.off && !e.row.supported() && e.row.why == "" {
						t.Errorf("--%s is refused for no reason", long)
					}
				}
			}
			if m[7] != "" && m[2] != "help" {
				if r := help.index.short[m[7][0]]; r == nil || len(rows) > 0 && r != rows[0] {
					t.Errorf("-%s is missing or another option: %q", m[7], line)
				}
			}
		}
		if found < help.least {
			t.Errorf("rsync %q named %d options, want at least %d", help.args, found, help.least)
		}
	}
}

// What is refused, and the words for it, are the real daemon's.
func TestRefusalAgainstRsync(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "src"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for i, patterns := range []string{"c delete", "* !a !v", "delete-* !delete-during", "a", "archive*", "no-iconv", "* !a !delete* delete-after", "[!a-z]"} {
		conf := filepath.Join(dir, fmt.Sprint("rsyncd.conf", i))
		text := "use chroot = no\nlog file = /dev/null\nrefuse options = " + patterns + "\n[mod]\npath = " + dir + "\nread only = no\n"
		if os.Geteuid() == 0 {
			text = "uid = 0\ngid = 0\n" + text
		}
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		refuse, _ := NewRefusal(fields(patterns))
		for _, line := range []string{"-r", "-c", "-a", "-u", "-O", "-n", "-r --delete", "-r --delete-after", "-r --delete-excluded",
			"-r --del", "--size-only", "-v --stats", "--checksum-seed=3", "-M--insecure-links"} {
			t.Run(patterns+"/"+line, func(t *testing.T) {
				t.Parallel() // rsync sleeps after a refusal
				// The remote shell is the shell: it runs the daemon here.
				args := append(append([]string{"-n"}, fields(line)...), "-e", "sh -c 'exec rsync --server --daemon --config="+conf+" .' x", "src", "host::mod/")
				out, err := rsync(dir, args...).CombinedOutput()
				want := string(regexp.MustCompile(`The server is configured to refuse .*`).Find(out))
				if want == "" && err != nil {
					t.Fatalf("rsync %q: %v: %s", args, err, out)
				}
				want = strings.Replace(want, "--(null) (-D)", "-D", 1) // rsync has no long name for it
				o := mustParse(t, append([]string{"-n"}, append(fields(line), "src", "host::mod/")...))
				got := ""
				if _, err := ParseServer(append(o.ServerArgs(Peer{Push: true, Capabilities: "iLsfxCIvu"}), ".", "mod/"), refuse); err != nil {
					got = err.Error()
				}
				if got != want {
					t.Errorf("rsync says %q, we %q", want, got)
				}
			})
		}
	}
}

// The README names what is refused, no more and no less.
func TestRefusedInReadme(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, ok := strings.Cut(string(text), "refused by name:")
	list, _, _ = strings.Cut(list, "\n\n")
	if !ok {
		t.Fatal("the README has no list of refused options")
	}
	var want []string
	for _, opt := range All() {
		if opt.Why != "" {
			want = append(want, "--"+opt.Long)
		}
	}
	slices.Sort(want)
	got := regexp.MustCompile(`--[a-z-]+`).FindAllString(list, -1)
	slices.Sort(got)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("refused (-), and named in the README (+):\n%s", d)
	}
}
