package main

import (
	"bytes"
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
