package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// ways are a copy between two folders in each way there is.
func ways() []string {
	return []string{"src/ dst/", "SHELL:src/ dst/", "src/ SHELL:dst/", "DAEMON:src/ dst/", "src/ DAEMON:dst/"}
}

// TestRsyncWords compares our output with that of Debian's rsync for --info and
// --out-format, and the like.
func TestRsyncWords(t *testing.T) {
	t.Parallel()
	w := newTwin(t)
	const all = "%n|%L|%i|%l|%'l|%''l|%b|%c|%C|%M|%B|%U|%G|%f|%o|%m|%%|%z|%20n|%-20n|%'10l|%10''l|%-10'l|%05U|%7%|%03n|%"
	for _, flags := range []string{
		"-a --info=name", "-av --info=name0", "-a --info=name2,stats2", "-av --info=stats0,flist0", "-a --info=all2,progress0,flist1 --delete", "-avv --info=none",
		"-av --info=del0 --delete", "-a --info=del --delete", "-avv --delete", "-a --info=progress2", "-a --progress --info=flist0",
		"-ac --delete --out-format=" + all, "-aI --out-format=" + all + " --cc=xxh64", "-a --protocol=29 --out-format=%C_%n", "-aiiI --out-format=%o_%n --cc=md5", "-a --delete --out-format=%n", "-av --delete --out-format=%o_%n", "-a --log-format=%i_%n", "-a --progress --out-format=%b_%n",
		"-rl --out-format=%U_%G_%n", "-av --outbuf=B", "-a8v --outbuf=N",
	} {
		for _, way := range ways() {
			w.same(t, flags+" "+way)
		}
	}
	for _, line := range []string{"--info=nonsense a b", "--debug=nonsense a b", "--outbuf=x a b"} {
		w.same(t, line)
	}
}

// TestRsyncLog compares log files.
func TestRsyncLog(t *testing.T) {
	t.Parallel()
	w := newTwin(t)
	for _, flags := range []string{"-av --delete", "-a --delete", "-a --log-file-format=%o_%n_%l", "-avn --delete", "-a --log-file-format=%n --delete", "-ai --info=stats0"} {
		for _, way := range ways() {
			t.Run(flags+" "+way, func(t *testing.T) {
				w.fill(t)
				var logs []string
				for _, side := range sides {
					w.run(t, side, flags+" --log-file=log "+way)
					text, err := os.ReadFile(w.dir + "/" + side + "/log")
					must(t, err)
					logs = append(logs, plainLog(string(text)))
				}
				if d := cmp.Diff(comparable(logs[0]), comparable(logs[1])); d != "" {
					t.Errorf("-rsync's +ours:\n%s", d)
				}
			})
		}
	}
	r := start(t, exec.Command(w.ours, "-a", "--log-file="+w.dir+"/no/such", w.dir+"/ours/src/", w.dir+"/copy")).wait()
	if r.code != 0 || !strings.Contains(r.err, "failed to open log-file") {
		t.Errorf("a log that cannot be: %s", r)
	}
}

// plainLog takes out of a log what differs with time, process and program.
func plainLog(text string) string {
	for _, r := range []struct{ from, to string }{
		{`(?m)^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[\d+\] `, "TIME "}, {`total size \d+`, "total size N"},
		{`(?m)rsync error: .*$`, "rsync error"}, {`(?m)(\[sender\] )?link_stat .* failed.*$`, "link_stat"}, {`(?m)(\[Receiver\] )?mkdir .* failed.*$`, "mkdir"},
		{`rsync: `, ""},
	} {
		text = regexp.MustCompile(r.from).ReplaceAllString(text, r.to)
	}
	return text
}

// TestServerLog compares the log files that servers keep for a client that asks
// with -M--log-file: rsync's server for rsync, and ours for both clients.
func TestServerLog(t *testing.T) {
	t.Parallel()
	w := newTwin(t)
	const all = "%o|%n|%L|%i|%l|%'l|%b|%f|%h|%a|%m|%u|%P|%C|%U|%G|%B|%M|%%|%z"
	for i, flags := range []string{
		"-a --delete", "-avv --delete", "-aii -s", "-an --delete", "-aI -M--log-file-format=" + all, "-rc --delete -M--log-file-format=" + all,
		"-a --delete -M--log-file-format=%n", "-aR -M--log-file-format=%i_%f_%n", "-aii -M--log-file-format=%i_%f_%4'l", "-a --protocol=28", "-a --delete --protocol=29", "-ab --remove-source-files",
	} {
		for _, way := range []string{"SHELL:src/ dst/", "SHELL:src/d SHELL:src/./old SHELL:none dst", "src/ SHELL:dst/", "src/ SHELL:no/such"} {
			w.fill(t)
			var logs []string
			for j, server := range []string{"rsync", w.ours} {
				client := []string{"rsync", w.ours}[i*j%2]
				args := []string{"-e", "sh " + w.dir + "/rsh", "--rsync-path=" + server, "-M--log-file=log"}
				cmd := exec.Command(client, append(args, strings.Fields(strings.ReplaceAll(flags+" "+way, "SHELL:", "h:"))...)...)
				cmd.Dir = filepath.Join(w.dir, sides[j])
				r := start(t, cmd).wait()
				text, err := os.ReadFile(cmd.Dir + "/log")
				if err != nil {
					t.Fatalf("%s %s: %v: %s", flags, way, err, r)
				}
				logs = append(logs, plainLog(string(text)))
			}
			if d := cmp.Diff(comparable(logs[0]), comparable(logs[1])); d != "" {
				t.Errorf("%s %s: -rsync's +ours:\n%s", flags, way, d)
			}
		}
	}
	w.fill(t)
	for _, server := range []string{"rsync", w.ours} {
		w.run(t, "real", "-a -M--log-file=no/such --rsync-path="+server+" src/ SHELL:new/").contains(t, 0, `Ignoring "log file" setting`)
	}
	w.run(t, "ours", "-a -M--log-file=log src/ copied").expect(t, 0) // both sides are one process
	if text, err := os.ReadFile(w.dir + "/ours/log"); err != nil || !strings.Contains(string(text), ">f+++++++++ old") {
		t.Errorf("the log of a local copy: %v\n%s", err, text)
	}
	w.run(t, "real", "-a -M--log-file="+w.dir+"/log src/ DAEMON:dst/").contains(t, 4, "--log-file")
}

// TestLogNamesFromFile compares what logs call files that a list names, whose
// entries are of more sources than the one on the command line.
func TestLogNamesFromFile(t *testing.T) {
	t.Parallel()
	w := newTwin(t)
	w.fill(t)
	for _, side := range sides {
		here := w.dir + "/" + side + "/"
		must(t, os.WriteFile(here+"src/d/named", []byte("named"), 0o644))
		must(t, os.WriteFile(here+"names", []byte("old\nd/named\nd/\n./d/./named\n/old\n"), 0o644))
	}
	for _, way := range []string{
		"SHELL:src/ got -M--log-file=log -M--log-file-format=%i_%f_%n --rsync-path=SERVER", "src SHELL:got --log-file=log", "src got --log-file=log", "SRC got --log-file=log",
	} {
		for _, flags := range []string{"-a --no-R --files-from=names", "-aR --files-from=names", "-aR --no-implied-dirs --files-from=names"} {
			var logs []string
			for i, side := range sides {
				here := w.dir + "/" + side + "/"
				must(t, os.RemoveAll(here+"got"))
				must(t, os.RemoveAll(here+"log"))
				line := strings.NewReplacer("SERVER", []string{"rsync", w.ours}[i], "SRC", here+"src").Replace(flags + " --log-file-format=%i_%f_%n " + way)
				w.run(t, side, line)
				text, err := os.ReadFile(here + "log")
				must(t, err)
				logs = append(logs, plainLog(string(text)))
			}
			if d := cmp.Diff(comparable(logs[0]), comparable(logs[1])); d != "" || !strings.Contains(logs[1], "named") {
				t.Errorf("%s %s: -rsync's +ours:\n%s", flags, way, d)
			}
		}
	}
}

// TestServerLogTimesOfLinks: a server that sends to a version which may not set
// the times of links logs them so.
func TestServerLogTimesOfLinks(t *testing.T) {
	t.Parallel()
	w := newTwin(t)
	w.fill(t)
	for _, protocol := range []string{"29", "31"} {
		var logs []string
		for i, side := range sides {
			here := w.dir + "/" + side + "/"
			must(t, os.RemoveAll(here+"got"))
			must(t, os.RemoveAll(here+"log"))
			must(t, os.Mkdir(here+"got", 0o755))
			must(t, os.Symlink("big", here+"got/l"))
			w.run(t, side, "-a --protocol="+protocol+" SHELL:src/ got -M--log-file=log -M--log-file-format=%i_%n --rsync-path="+[]string{"rsync", w.ours}[i])
			text, err := os.ReadFile(here + "log")
			must(t, err)
			logs = append(logs, plainLog(string(text)))
		}
		if d := cmp.Diff(comparable(logs[0]), comparable(logs[1])); d != "" || !strings.Contains(logs[1], "_l") {
			t.Errorf("protocol %s: -rsync's +ours:\n%s\n%s", protocol, d, logs[1])
		}
	}
}

// TestRsyncHelpOfWords: what may be asked for is listed, as many words as
// rsync's help has.
func TestRsyncHelpOfWords(t *testing.T) {
	t.Parallel()
	words := regexp.MustCompile(`(?m)^[A-Z]+ |^\d\) .*$`)
	for _, option := range []string{"--info=help", "--debug=help"} {
		want, err := exec.Command("rsync", option).Output()
		must(t, err)
		r := call(t, "rsync", option)
		if d := cmp.Diff(words.FindAllString(string(want), -1), words.FindAllString(r.out, -1)); d != "" || r.code != 0 {
			t.Errorf("%s: code %d\n%s", option, r.code, d)
		}
	}
	dir := tempDir(t)
	r := call(t, "rsync", "--debug=io,cmd,hash2", "-r", dir+"/", dir+"/x")
	if r.code != 0 || !strings.Contains(r.err, fmt.Sprintf("--debug=%s", "HASH,IO")) {
		t.Errorf("--debug: %s", r)
	}
}
