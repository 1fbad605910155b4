package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// hear is a system's log.
func hear(t *testing.T, socket string) (next func() string, stop func()) {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	next = func() string {
		t.Helper()
		must(t, conn.SetReadDeadline(time.Now().Add(patience)))
		buf := make([]byte, 4096)
		n, err := conn.Read(buf)
		must(t, err)
		return string(buf[:n])
	}
	return next, func() { conn.Close() }
}

func TestSyslogFile(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	var spare bytes.Buffer
	s := &syslogFile{socket: filepath.Join(dir, "log"), facility: 21, tag: "mirror", spare: &spare}
	write := func(line string) {
		t.Helper()
		if n, err := s.Write([]byte(line)); n != len(line) || err != nil {
			t.Errorf("%q: %d, %v", line, n, err)
		}
	}
	write("nobody listens\n")
	if spare.String() != "nobody listens\n" {
		t.Errorf("the spare log: %q", &spare)
	}
	next, stop := hear(t, s.socket)
	write("2026/11/22 06:00:00 [1234] rsync on m/ from x\n2026/11/22 06:00:00 [1234] warning: hm\n")
	for _, want := range []string{`^<174>\w{3} [ \d]\d [\d:]{8} mirror\[1234\]: rsync on m/ from x$`, `^<172>.* mirror\[1234\]: warning: hm$`} {
		if got := next(); !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("%q, want %s", got, want)
		}
	}
	// The log is started anew.
	stop()
	must(t, os.RemoveAll(s.socket))
	next, _ = hear(t, s.socket)
	write("error: once more\n")
	if got := next(); !strings.HasPrefix(got, "<171>") || !strings.HasSuffix(got, " mirror: error: once more") {
		t.Errorf("%q", got)
	}
}

func TestSyslogSettings(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	for text, want := range map[string]string{
		"syslog facility = local5\nsyslog tag = mirror\n[m]\npath = /tmp\n": "",
		"syslog facility = nonsense\n[m]\npath = /tmp\n":                    "nonsense",
		"[m]\npath = /tmp\nsyslog tag = x\n":                                "global",
	} {
		file := filepath.Join(dir, "conf")
		must(t, os.WriteFile(file, []byte(text), 0o644))
		r := call(t, "serve", "--check", "--config", file)
		if (r.code == 0) != (want == "") || !strings.Contains(r.err, want) {
			t.Errorf("%q: %s", text, r)
		}
	}
}

// TestLogIsNoLink: a log's lines go through no link, since somebody else may have put
// it there, and are not lost; a log that has been moved away is begun anew.
func TestLogIsNoLink(t *testing.T) {
	dir := t.TempDir()
	var spare bytes.Buffer
	l := &logFile{name: filepath.Join(dir, "log"), spare: &spare}
	must(t, os.WriteFile(filepath.Join(dir, "other"), nil, 0o644))
	must(t, os.Symlink("other", l.name))
	for range 2 {
		if _, err := l.Write([]byte("line\n")); err != nil {
			t.Error(err)
		}
	}
	if text := spare.String(); strings.Count(text, "cannot be written") != 1 || !strings.HasSuffix(text, "line\nline\n") {
		t.Errorf("in its place: %q", text)
	}
	for i := range 2 {
		must(t, os.Rename(l.name, fmt.Sprint(l.name, i)))
		if _, err := l.Write([]byte("more\n")); err != nil {
			t.Error(err)
		}
	}
	for name, want := range map[string]string{"other": "", "log": "more\n", "log1": "more\n"} {
		if text, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(text) != want {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}
