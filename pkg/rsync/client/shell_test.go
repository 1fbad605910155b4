package client

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
)

// mute is an observer that keeps messages only.
type mute struct{ text strings.Builder }

func (m *mute) Listed(int, bool)                 {}
func (m *mute) Item(*filelist.Entry, proto.Item) {}
func (m *mute) Data(*filelist.Entry, int64)      {}
func (m *mute) Deleted(string, uint32)           {}
func (m *mute) Message(_ proto.Tag, text string) { fmt.Fprintln(&m.text, text) }

// pullBy pulls through a remote shell that is this script. sh reads it: a file
// that was just written may still be open in a child that another test is
// starting, and then cannot be executed.
func pullBy(t *testing.T, ctx context.Context, script string) error {
	t.Helper()
	dir := t.TempDir()
	shell := filepath.Join(dir, "shell")
	if err := os.WriteFile(shell, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	root, err := rootfs.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	opt, err := options.Parse([]string{"-a", "-e", "sh " + shell, "host:src/", "dst"})
	if err != nil {
		t.Fatal(err)
	}
	c := &Client{Options: opt, Observer: &mute{}}
	_, err = c.Pull(ctx, []Remote{{Host: "host", Shell: true, Path: "src/"}}, transfer.Dest{Root: root, Path: "dst"})
	return err
}

// TestUncleanShell: what comes in place of a version is shown, with what may be
// behind it.
func TestUncleanShell(t *testing.T) {
	for _, c := range []struct {
		name, script string
		code         proto.Exit
		words        []string
	}{
		{"a greeting at login", "echo Welcome to the kitchen; exec cat", proto.ExitProtocol, []string{"is your shell clean?", `"Welcome to the kitchen\n"`, ".bashrc", "ssh HOST true"}},
		{"no shell", "echo This account is currently not available.", proto.ExitProtocol, []string{"is your shell clean?", "no shell to log in"}},
		{"a daemon", "echo '@RSYNCD: 31.0'", proto.ExitProtocol, []string{"HOST::MODULE"}},
		{"a terminal", `printf 'hi\r\n'`, proto.ExitProtocol, []string{"ssh -T"}},
		{"version skew", `printf '\021\000\000\000'`, proto.ExitProtocol, []string{"version 17", "20 to 32", "--protocol"}},
		{"not found", "exit 127", 127, []string{"--rsync-path"}},
		{"wrong path", "echo 'sh: 1: /opt/rsync: not found' >&2; exit 127", 127, []string{"--rsync-path"}},
		{"rrsync", "echo '/usr/bin/rrsync error: option -z is not allowed' >&2; exit 1", proto.ExitStreamIO, []string{"forced command has refused", "option -z is not allowed", "authorized_keys"}},
		{"no key", "echo 'root@host: Permission denied (publickey).' >&2; exit 255", 255, []string{"no key of yours", "authorized_keys there"}},
		{"no host key", "echo 'Host key verification failed.' >&2; exit 255", 255, []string{"known_hosts", "ssh-keygen -R"}},
		{"boots", "echo 'System is booting up. Unprivileged users are not permitted to log in yet. See pam_nologin(8).' >&2; exit 255", 255, []string{"/run/nologin"}},
		{"a terminal's echo", `printf ' \000\000\000 ^@^@^@'; exec head -c 100 >/dev/null`, proto.ExitProtocol, []string{"terminal", "RequestTTY no"}},
		{"refused", "exit 3", proto.ExitStreamIO, []string{"unexpectedly closed", "status 3"}},
		{"no connection", "exit 255", 255, []string{"unexpectedly closed", "status 255"}},
		{"leaves in the middle", `printf '\036\000\000\000'; exec head -c 4 >/dev/null`, proto.ExitStreamIO, []string{"compatibility flags"}},
		{"killed", "kill -9 $$", 137, []string{"status 137"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			err := pullBy(t, ctx, c.script)
			if proto.ExitCode(err) != c.code {
				t.Errorf("code %d, want %d: %v", proto.ExitCode(err), c.code, err)
			}
			for _, w := range c.words {
				if err == nil || !strings.Contains(err.Error(), w) {
					t.Errorf("%v\ndoes not contain %q", err, w)
				}
			}
		})
	}
}

func TestShellMissing(t *testing.T) {
	opt, err := options.Parse([]string{"-a", "-e", "/nonexistent/shell -x", "h:a", "b"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = (&Client{Options: opt, Observer: &mute{}}).ListFiles(t.Context(), []Remote{{Host: "h", Shell: true, Path: "a"}}, nil)
	if proto.ExitCode(err) != proto.ExitIPC || !strings.Contains(err.Error(), "/nonexistent/shell") {
		t.Errorf("%v (code %d)", err, proto.ExitCode(err))
	}
}

// TestShellCancelled: a context that ends ends the shell, and nothing is left
// of it.
func TestShellCancelled(t *testing.T) {
	t.Parallel()
	pidFile := filepath.Join(t.TempDir(), "pid")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- pullBy(t, ctx, "echo $$ > "+pidFile+".new; mv "+pidFile+".new "+pidFile+"; exec sleep 1000")
	}()
	var pid int
	for deadline := time.Now().Add(20 * time.Second); pid == 0; time.Sleep(5 * time.Millisecond) {
		if text, err := os.ReadFile(pidFile); err == nil {
			pid, _ = strconv.Atoi(strings.TrimSpace(string(text)))
		}
		if time.Now().After(deadline) {
			t.Fatal("the shell does not start")
		}
	}
	cancel()
	select {
	case err := <-done:
		if proto.ExitCode(err) < proto.ExitSignal {
			t.Errorf("code %d: %v", proto.ExitCode(err), err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the pull goes on")
	}
	if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
		t.Errorf("the shell is still there: %v", err)
	}
}

// TestShellCommand has the words that rsync 3.5.0 starts a shell with.
func TestShellCommand(t *testing.T) {
	for _, c := range []struct{ args, env, want string }{
		{"-a user@h:x y", "", "ssh -l user h rsync --server --sender -logDtpre.iLsfxCIvu . x"},
		{"-a user@h:x y", "rsh -n", "rsh -n -l user h rsync --server --sender -logDtpre.iLsfxCIvu . x"},
		{"-4 -e /usr/bin/ssh h:x y", "rsh", "/usr/bin/ssh -4 h rsync --server --sender -e.LsfxCIvu . x"},
		{"-6 -e /usr/bin/dbclient [::1]:x y", "", "/usr/bin/dbclient ::1 rsync --server --sender -e.LsfxCIvu . x"},
		{"--rsync-path=/opt/rsync --protocol=29 -r h: y", "rsh", "rsh h /opt/rsync --server --sender -r . ."},
		{"-r h:a :b y", "rsh", "rsh h rsync --server --sender -re.iLsfxCIvu . a b"},
	} {
		opt, err := options.Parse(strings.Fields(c.args))
		if err != nil {
			t.Fatal(err)
		}
		route, err := ParseRoute(opt.Args)
		if err != nil {
			t.Fatal(err)
		}
		cl := &Client{Options: opt, Shell: Shell{Default: c.env}}
		open, _ := cl.arguments(proto.ShowsLetters(cl.version()), route.From, false)
		words, err := cl.Shell.command(route.From[0], opt, open)
		if got := strings.Join(words, " "); got != c.want || err != nil {
			t.Errorf("%s:\n%s (%v), want\n%s", c.args, got, err, c.want)
		}
	}
}

// TestConnectProgram replaces the network by a program.
func TestConnectProgram(t *testing.T) {
	opt, err := options.Parse([]string{"rsync://h:99/"})
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	c := &Client{
		Options: opt, Observer: &mute{}, Say: func(l string) { said = append(said, l) },
		Shell: Shell{Connect: `printf '@RSYNCD: 29\n'; read greeting; read list; echo "%H $RSYNC_PORT %%"; echo '@RSYNCD: EXIT'`},
	}
	if err := c.List(t.Context(), Remote{Host: "h", Port: 99}); err != nil || len(said) != 1 || said[0] != "h 99 %" {
		t.Errorf("%q, %v", said, err)
	}
}

// TestListHostile: servers that answer a list with what was not asked for.
func TestListHostile(t *testing.T) {
	hello := `\035\000\000\000` + `\001\000\000\000`              // version 29, seed
	file := `\030\001f` + `\001\000\000\000` + `\000\000\000\000` // flags, name, size, time
	for _, c := range []struct{ name, list, words string }{
		{"an unrequested name", strings.Replace(file, `\001f`, `\001g`, 1) + `\244\201\000\000` + `\000` + `\000\000\000\000`, "rejecting unrequested file-list name: g"},
		{"a file that was not asked for", file + `\244\201\000\000` + `\000` + `\000\000\000\000` + `\000\000\000\000\000\200`, "not asked for"},
		{"an end in the middle", file, "unexpected EOF"},
		{"a name that climbs", strings.Replace(file, `\001f`, `\004../f`, 1) + `\244\201\000\000` + `\000`, "../f"},
		{"a long name", `\102\377\377\377\177`, "name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			shell := filepath.Join(t.TempDir(), "shell")
			frame := len(strings.ReplaceAll(regexp.MustCompile(`\\[0-7]{3}`).ReplaceAllString(c.list, "x"), `\\`, "x"))
			script := fmt.Sprintf("#!/bin/sh\nprintf '%s'\nprintf '\\%03o\\%03o\\000\\007'\nprintf '%s'\nexec cat >/dev/null\n", hello, frame%256, frame/256, c.list)
			if c.words == "unexpected EOF" {
				script = strings.Replace(script, "exec cat >/dev/null", "exec head -c 8 >/dev/null", 1)
			}
			if err := os.WriteFile(shell, []byte(script), 0o755); err != nil {
				t.Fatal(err)
			}
			opt, err := options.Parse([]string{"-r", "-e", "sh " + shell, "--timeout=20", "host:f"})
			if err != nil {
				t.Fatal(err)
			}
			_, err = (&Client{Options: opt, Observer: &mute{}}).ListFiles(t.Context(), []Remote{{Host: "host", Shell: true, Path: "f"}}, func(*filelist.Entry) {})
			if err == nil || !strings.Contains(err.Error(), c.words) {
				t.Errorf("%v, want %q", err, c.words)
			}
		})
	}
}
