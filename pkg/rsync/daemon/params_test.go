package daemon_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// paramCase is a module with some parameters, and what a client does with it.
type paramCase struct {
	name, conf, args string
	log              bool // the logs must be the same, too
}

func paramCases() []paramCase {
	const logging = "transfer logging = yes\n"
	return []paramCase{
		{"include and exclude from", "include from = @DIR@/inc\nexclude from = @DIR@/exc\nexclude = two.txt\n", "-a|@URL@/m/|d/", false},
		{"filter before files", "filter = - one.txt\ninclude from = @DIR@/inc\nexclude = *\n", "-a|@URL@/m/|d/", false},
		{"merge files of folders", "filter = : .rules - *.nothing\n", "-a|@URL@/m/|d/", false},
		{"merge files below", "filter = : .rules\n", "-a|@URL@/m/sub/|@URL@/m/two.txt|@URL@/m/odd|d/", false},
		{"merge files that are not inherited", "filter = :n .rules\n", "-r|@URL@/m/|d/", false},
		{"merge files of names", "filter = dir-merge,- .names + *.txt - *.log\n", "-r|@URL@/m/|d/", false},
		{"merge files from the module on", "filter = : /.rules\n", "-r|@URL@/m/sub/|d/", false},
		{"merge files from a folder on", "filter = : sub/.rules\n", "-r|@URL@/m/|d/", false},
		{"merge files of cvs", "filter = :C\n", "-r|@URL@/m/|d/", false},
		{"merge files by a merge file", "filter = merge @DIR@/merge\n", "-r|@URL@/m/|d/", false},
		{"no merge files in a list of patterns", "exclude from = @DIR@/merge\n", "-r|@URL@/m/|d/", false},
		{"merge files keep", "read only = no\nfilter = : .rules\n", "-r|--delete-before|--exclude=.rules|src/|@URL@/m/", false},
		{"merge files keep what goes", "read only = no\nfilter = : .rules\n", "-r|--delete-after|have/|@URL@/m/", false},
		{"merge files refuse nothing", "read only = no\nfilter = : .rules\n", "-r|m/|@URL@/m/", false},
		{"excluded from are refused", "read only = no\nexclude from = @DIR@/exc\n", "-a|src/|@URL@/m/", false},
		{"excluded from are kept", "read only = no\nexclude from = @DIR@/exc\n", "-r|--delete|src/|@URL@/m/", false},
		{"incoming chmod", "read only = no\nincoming chmod = D2770,Fo-rwx,Fg-w\n", "-r|src/|@URL@/m/", false},
		{"incoming chmod and -p", "read only = no\nincoming chmod = u+x,go=\n", "-rp|src/|@URL@/m/", false},
		{"outgoing chmod", "outgoing chmod = a-w,Fu+x,D700\n", "-rp|@URL@/m/|d/", false},
		{"ignore nonreadable", "ignore nonreadable = yes\nuid = nobody\ngid = *\n", "-r|@URL@/m/|d/", false},
		{"nonreadable", "uid = nobody\ngid = *\n", "-r|@URL@/m/|d/", false},
		{"transfer logging", logging, "-a|@URL@/m/|d/", true},
		{"logging below", logging, "-a|@URL@/m/sub/|@URL@/m/one.txt|d/", true},
		{"logging again", logging, "-a|@URL@/m/|have/", true},
		{"logging nothing", logging, "-an|@URL@/m/|d/", true},
		{"logging a list", logging, "@URL@/m/", true},
		{"logging a push", logging + "read only = no\n", "-a|src/|@URL@/m/", true},
		{"logging a push below", logging + "read only = no\n", "-a|src/new.txt|src/sub|@URL@/m/sub/deep/", true},
		{"logging deletions", logging + "read only = no\n", "-a|--delete-before|src/|@URL@/m/", true},
		{"log format", logging + "log format = |%-12n|%9l|%'l|%B|%M|%U|%o|%m|%P|%u|%h|%a|%f%L|%z|100%\n", "-a|@URL@/m/|d/", true},
		{"log format of items", logging + "log format = %i %n%L %G\n", "-a|@URL@/m/|d/", true},
		{"log format of pushed items", logging + "read only = no\nlog format = %i %o %n%L\n", "-a|--delete-before|src/|@URL@/m/", true},
		{"log format without %o", logging + "read only = no\nlog format = %n\n", "-a|--delete-before|src/|@URL@/m/", true},
		{"log format of sums", logging + "log format = %C %n\n", "-a|--checksum-choice=md5|@URL@/m/|d/", true},
		{"log format of other sums", logging + "log format = %C %n %U %%\n", "-rc|@URL@/m/|d/", true},
		{"log of a list of names", logging, "-a|--files-from=names|@URL@/m/|d/", true},
		{"log of a list of names in folders", logging, "-a|--no-R|--files-from=names|@URL@/m/|d/", true},
		{"log of what cannot be printed", logging, "-a|@URL@/m/odd/|d/", true},
		{"munged by default", "read only = no\nmunge symlinks = unset\n", "-rl|src/|@URL@/m/", false},
		{"munged", "read only = no\nmunge symlinks = yes\n", "-rl|src/|@URL@/m/", false},
		{"unmunged", "", "-rl|@URL@/m/|d/", false},
		{"fake super", "read only = no\nfake super = yes\n", "-a|--chmod=u+s|--chown=77:88|src/|@URL@/m/", false},
		{"fake super read", "fake super = yes\n", "-a|@URL@/m/|d/", false},
		{"a client's fake super", "read only = no\n", "-a|-M--fake-super|--chmod=u+s|src/|@URL@/m/", false},
		{"temp dir", "read only = no\ntemp dir = /sub\n", "-a|src/|@URL@/m/", false},
		{"temp dir is missing", "read only = no\ntemp dir = sub/none\n", "-a|src/|@URL@/m/", false},
		{"the client's temp dir", "read only = no\ntemp dir = none\n", "-a|--temp-dir=/odd|src/|@URL@/m/sub/", false},
		{"temp dir climbs", "read only = no\n", "-a|--temp-dir=../../../odd|src/|@URL@/m/sub/", false},
		{"temp dir elsewhere", "read only = no\n", "-a|--temp-dir=@DIR@/src|src/|@URL@/m/sub/", false},
		{"backup dir climbs", "read only = no\n", "-ab|--delete|--backup-dir=../../../deep/bak|src/|@URL@/m/sub/", false},
		{"absolute backup dir", "read only = no\n", "-ab|--delete|--backup-dir=/odd/bak|src/|@URL@/m/sub/", false},
		{"odd backup dir", "read only = no\n", `-ab|--delete|--backup-dir=o d*d\x$|--suffix=[~]|src/|@URL@/m/sub/`, false},
		{"odd user map", "read only = no\nfake super = yes\n", "-a|--usermap=*:77|--groupmap=?*:78|src/|@URL@/m/", false},
		{"link dest climbs", "read only = no\n", "-a|--link-dest=../../../sub|m/sub/|@URL@/m/odd/", false},
		{"absolute copy dest", "read only = no\n", "-a|--copy-dest=/sub|m/sub/|@URL@/m/odd/", false},
		{"absolute compare dest", "read only = no\n", "-a|--compare-dest=/../sub|m/sub/|@URL@/m/odd/", false},
		{"a path is made", "read only = no\n", "-a|--mkpath|src/|@URL@/m/a/b/c/", false},
		{"a file's path is made", "read only = no\n", "-ai|--mkpath|src/new.txt|@URL@/m/a/b/c", false},
		{"a path below a file", "read only = no\n", "-a|--mkpath|src/|@URL@/m/one.txt/a/b", false},
		{"ignore errors", "read only = no\nignore errors = yes\n", "-r|--delete|src/|@URL@/m/", false},
	}
}

func (p *place) params() *place {
	p.write(map[string]string{
		"m/one.txt": "1", "m/two.txt": "22", "m/keep.log": "l", "m/sub/x.txt": "x", "m/sub/deep/y.log": "y", "m/link": "-> one.txt", "m/munged": "-> /rsyncd-munged/there",
		"m/odd/a\x01b\nc\x7fd": "o", "m/é": "u", "m/private": "p",
		"src/new.txt": "n", "src/one.txt": "changed", "src/new.log": "l", "src/sub/z": "z", "src/ln": "-> new.txt",
		"m/.rules": "- two.txt\n", "m/sub/.rules": "+ keep.*\n- *.log\n- /x.txt\n", "m/sub/.names": "deep\n", "m/sub/x.txt~": "b", "m/sub/.cvsignore": "*.txt\n",
		"merge": ": .rules\n- *.txt\n", "names": "one.txt\nsub/x.txt\n", "inc": "# comment\n; comment\none.txt\nkeep.log\n", "exc": "*.log\n\n- sub/\n+ nothing\n", "d/": "", "have/one.txt": "1",
	})
	for _, f := range []string{"m/link", "m/munged", "src/ln"} {
		p.must(lchtimes(p.path(f)))
	}
	for _, d := range strings.Fields("m m/sub m/sub/deep m/odd src src/sub d have") {
		p.must(os.Chtimes(p.path(d), time.Unix(1e9, 0), time.Unix(1e9, 0)))
	}
	p.must(os.Chmod(p.path("m/private"), 0o600))
	return p
}

// TestParams: what a module's parameters do is what they do in C rsync's
// daemon, to files and, where it matters, in the log.
func TestParams(t *testing.T) {
	t.Parallel()
	for _, c := range paramCases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			run := func(p *place, addr string) string {
				out, code := p.rsync(addr, strings.Split(c.args, "|")...)
				out = regexp.MustCompile(`(?m)^(rsync error|(rsync: )?(\[Receiver\] )?(The temp-dir|mkdir)|d|file has vanished).*\n`).ReplaceAllString(out, "")
				if c.name == "nonreadable" {
					out = ""
				}
				return fmt.Sprint(code, "\n", out, p.modes("m"), p.modes("d"))
			}
			theirs, ours := newPlace(t).params(), newPlace(t).params()
			there := theirs.debian(theirs.conf("[m]\npath = @DIR@/m\nmunge symlinks = no\n" + c.conf))
			want := run(theirs, there)
			server := ours.ours(ours.conf("[m]\npath = @DIR@/m\nmunge symlinks = no\n"+c.conf), nil)
			if d := cmp.Diff(want, run(ours, server.addr)); d != "" {
				t.Errorf("C rsync's daemon (-) and ours (+):\n%s", d)
			}
			if !c.log {
				return
			}
			eventually(t, "the end", func() bool {
				return strings.Contains(server.log.String(), "total size") && strings.Contains(theirs.read("rsyncd.log"), "total size")
			})
			if d := cmp.Diff(whole(theirs.read("rsyncd.log"), theirs), whole(server.log.String(), ours)); d != "" {
				t.Errorf("log of C rsync's daemon (-) and ours (+):\n%s", d)
			}
		})
	}
}

// whole is a log without what differs from run to run.
func whole(log string, p *place) []string {
	var lines []string
	for line := range strings.Lines(log) {
		text := regexp.MustCompile(`^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[\d+\] `).ReplaceAllString(line, "")
		text = regexp.MustCompile(`^sent \d+ bytes  received \d+ bytes`).ReplaceAllString(text, "sent, received")
		// The first client only looks whether C rsync's daemon listens.
		if text != line && !regexp.MustCompile(`starting, listening|^connect from|safe_read|^rsync error`).MatchString(text) {
			lines = append(lines, strings.ReplaceAll(strings.TrimRight(text, "\n"), p.dir, "@DIR@"))
		}
	}
	return lines
}

// TestOpenNoatime: whether reading a file shows is decided by the module, else by
// the client.
func TestOpenNoatime(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"yes", "no", "unset"} {
		for _, args := range []string{"-rI|@URL@/m/|d/", "-rI|-M--open-noatime|@URL@/m/|d/"} {
			t.Run(value+" "+args, func(t *testing.T) {
				t.Parallel()
				text := "[m]\npath = @DIR@/m\nopen noatime = " + value + "\n"
				run := func(p *place, addr string) (touched bool) {
					file := p.path("m/f")
					before := time.Unix(1e9, 0)
					p.must(os.Chtimes(file, before, before.Add(time.Hour)))
					if out, code := p.rsync(addr, strings.Split(args, "|")...); code != 0 || p.read("d/f") != "x" {
						p.Errorf("code %d, %s", code, out)
					}
					info, err := os.Stat(file)
					p.must(err)
					return int64(info.Sys().(*syscall.Stat_t).Atim.Sec) != before.Unix()
				}
				theirs, ours := newPlace(t), newPlace(t)
				for _, p := range []*place{theirs, ours} {
					p.write(map[string]string{"m/f": "x", "d/": ""})
				}
				want := run(theirs, theirs.debian(theirs.conf(text)))
				if got := run(ours, ours.ours(ours.conf(text), nil).addr); got != want {
					t.Errorf("reading shows: %v with ours, %v with C rsync's daemon", got, want)
				}
				if value == "yes" && want {
					t.Error("even C rsync's daemon leaves a mark")
				}
			})
		}
	}
}
