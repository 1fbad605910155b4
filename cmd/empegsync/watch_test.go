package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestServeStatus: the page and the metrics are there for this machine under
// names that are known, show what workers complain of, and change nothing.
func TestServeStatus(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	file := filepath.Join(dir, "rsyncd.conf")
	must(t, os.WriteFile(file, []byte("use chroot = no\nuid = nobody\ngid = *\nstatus address = 0\nstatus names = Mirror.example\n[m]\npath = "+dir+"\n"), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "one"), []byte("1"), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "secret"), []byte("1"), 0o600))
	s := serve(t, "--config", file)
	var at string
	until(t, "where the page is", func() bool {
		m := regexp.MustCompile(`status page at (http://127\.0\.0\.1:\d+/)\n`).FindStringSubmatch(s.out.String())
		if m != nil {
			at = m[1]
		}
		return at != ""
	})
	ask := func(method, host, path string) (int, string) {
		r, err := http.NewRequest(method, at+path, nil)
		must(t, err)
		if host != "" {
			r.Host = host
		}
		resp, err := http.DefaultClient.Do(r)
		must(t, err)
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		must(t, err)
		return resp.StatusCode, string(text)
	}
	for _, c := range []struct {
		method, host, path string
		code               int
	}{
		{"GET", "", "", 200}, {"GET", "mirror.example:80", "", 200}, {"GET", "evil.example", "", 421}, {"GET", "evil.example", "metrics", 421}, {"POST", "", "", 405}, {"GET", "", "none", 404},
	} {
		if code, text := ask(c.method, c.host, c.path); code != c.code {
			t.Errorf("%+v: %d, %s", c, code, text)
		}
	}
	rsync(t, "/", "-r", "rsync://"+s.addr+"/m/", tempDir(t))
	until(t, "the transfer in the metrics", func() bool {
		_, text := ask("GET", "", "metrics")
		return strings.Contains(text, `empegsync_daemon_transfers_total{module="m",result="`)
	})
	_, page := ask("GET", "", "")
	for _, want := range []string{"downloads m/", "127.0.0.1", "read only"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in\n%s", want, page)
		}
	}
	if os.Geteuid() == 0 && !strings.Contains(page, "permission denied") && !strings.Contains(page, "some files were not transferred") {
		t.Errorf("nothing of the worker's complaint in\n%s", page)
	}
	must(t, os.WriteFile(file, []byte("\nstatus address = nowhere:x\n[m]\npath = /\n"), 0o644))
	call(t, "serve", "--check", "--config", file).expect(t, 1, file+":2: status address", "write a port")
}

// TestLogJSON: each line of the log is a JSON object, the workers' too.
func TestLogJSON(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	file, log, own := filepath.Join(dir, "rsyncd.conf"), filepath.Join(dir, "log"), filepath.Join(dir, "own")
	must(t, os.WriteFile(file, []byte("log file = "+log+"\nlog json = yes\nuse chroot = no\nuid = nobody\ngid = *\ntransfer logging = yes\n[m]\npath = "+dir+"/m\n[n]\npath = "+dir+"/m\nlog file = "+own+"\n"), 0o644))
	must(t, os.Mkdir(filepath.Join(dir, "m"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "m", "a \"b"), []byte("12345"), 0o644))
	s := serve(t, "--config", file)
	to := tempDir(t)
	for _, module := range []string{"m", "n"} {
		if r := rsync(t, "/", "-r", "rsync://"+s.addr+"/"+module+"/", to+"/"+module); r.code != 0 {
			t.Fatal(r)
		}
	}
	for _, name := range []string{log, own} {
		type record struct {
			Level, Msg, From, Module, Event, Op, Name, Request string
			Length, Exit                                       *int
			Pid                                                int
		}
		events := map[string]record{}
		until(t, "the end in "+name, func() bool {
			text, _ := os.ReadFile(name)
			for line := range strings.Lines(string(text)) {
				var r record
				if err := json.Unmarshal([]byte(line), &r); err != nil {
					t.Fatalf("%s: %v in %q", name, err, line)
				}
				if r.Event != "" {
					events[r.Event] = r
				}
			}
			return events["end"].Event != ""
		})
		f, begin, end := events["file"], events["begin"], events["end"]
		if f.Name != "a \"b" || f.Op != "send" || f.Length == nil || *f.Length != 5 || f.Level != "ACCESS" || f.Pid == 0 || f.From != "127.0.0.1" ||
			!strings.HasPrefix(f.Msg, "send localhost [127.0.0.1] ") {
			t.Errorf("%s: file %+v", name, f)
		}
		if !strings.HasSuffix(begin.Request, "/") || end.Exit == nil || *end.Exit != 0 || !strings.Contains(end.Msg, "total size 5") {
			t.Errorf("%s: begin %+v, end %+v", name, begin, end)
		}
	}
}
