package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/empegsync/empegsync/pkg/ownport"
)

// visit is what the doctor and a transfer have to say of a host.
type visit struct {
	host     string
	args     []string // of both
	from     string   // what the transfer asks for
	works    bool     // for the doctor
	doctor   []string
	transfer []string // nil: it works
}

// newPatients makes accounts that something is wrong with, and one that is well.
func newPatients(t *testing.T) *accounts {
	t.Helper()
	a := newAccounts(t, map[string]string{"keeper": "/bin/bash", "motd": "/bin/sh", "bashrc": "/bin/bash", "guest": "/usr/sbin/nologin", "bare": "/bin/bash"})
	a.write(kept+"/f", "f")
	a.write("/home/motd/.ssh/rc", "cat /etc/motd\n")
	a.write("/home/bashrc/.bashrc", "umask 022\necho Welcome to the kitchen\n")
	a.write("/home/bare/.bashrc", "PATH=/home/bare/bin\n")
	must(t, os.MkdirAll("/home/bare/bin", 0o755))
	for _, program := range []string{"sh", "cat", "date"} {
		where, err := exec.LookPath(program)
		must(t, err)
		must(t, os.Symlink(where, "/home/bare/bin/"+program))
	}
	a.write("/home/keeper/rsyncd.conf", "use chroot = no\nmax connections = 1\nlock file = /home/keeper/lock\n[music]\npath = "+kept+"\n"+
		"[private]\npath = "+kept+"\nauth users = nobody\nsecrets file = /home/keeper/secrets\n[upload]\npath = "+kept+"\nread only = no\n")
	for _, user := range []string{"keeper", "motd", "bashrc", "guest", "bare"} {
		a.host(user, user, "")
	}
	a.host("tty", "keeper", "", "RequestTTY force")
	a.host("daemon", "keeper", `command="rsync --server --daemon ."`)
	for name, words := range map[string]string{"gone": "rrsync /home/keeper/none", "ro": "rrsync -ro " + kept, "wo": "rrsync -wo " + kept, "rw": "rrsync " + kept, "no-del": "rrsync -no-del " + kept} {
		a.host(name, "keeper", `restrict,command="`+words+`"`)
	}
	must(t, os.Symlink(os.Getenv(binaryVar), "/home/keeper/ours"))
	a.host("our-daemon", "keeper", `command="/home/keeper/ours rsync --server --daemon ."`)
	a.host("our-wo", "keeper", `restrict,command="/home/keeper/ours rrsync -wo -append `+kept+`"`)
	a.host("our-rw", "keeper", `restrict,command="/home/keeper/ours rrsync `+kept+`"`)
	a.host("our-named", "keeper", `restrict,command="/home/keeper/ours rrsync -ro one=/home/keeper/data two=/home/keeper/data"`)
	a.host("fixed", "keeper", `command="rsync --server --sender -vnlogDtprxz --numeric-ids . `+kept+`/"`)
	a.host("other", "keeper", `command="echo Hello, I am a command"`)
	for _, host := range []string{"keeper", "motd", "bashrc", "bare", "ro", "wo", "rw", "our-wo", "our-rw", "no-del", "our-named", "daemon", "our-daemon"} {
		a.connect(host)
	}
	return a
}

// TestUncleanShells has the doctor and a transfer name what is wrong with eight
// kinds of shells and more, and with those that are as they should be.
func TestUncleanShells(t *testing.T) {
	t.Parallel()
	if !inWorld(t) {
		return
	}
	a := newPatients(t)
	for _, c := range []visit{
		{"keeper", nil, kept, true, []string{"ok       round trip", "both sides speak 32: lists in parts", "a backup would work"}, nil},
		{"keeper", []string{"--protocol=29"}, kept, true, []string{"both sides speak 29: the whole list first, times to the second, neither -A nor -X"}, nil},
		{"motd", nil, kept, false,
			[]string{"ok       login", "failed   shell", "closed on Sundays", "/home/motd/.ssh/rc there, line 1: cat /etc/motd (which shows the message of the day, /etc/motd)"},
			[]string{"is your shell clean?", "closed on Sundays", "prints at each login", "~/.ssh/rc"}},
		{"bashrc", nil, kept, false,
			[]string{"failed   shell", "Welcome to the kitchen", "/home/bashrc/.bashrc there, line 2: echo Welcome"},
			[]string{"is your shell clean?", "Welcome to the kitchen", "prints at each login", ".bashrc"}},
		{"guest", nil, kept, false, []string{"failed   login", "no shell to log in with", "chsh"}, []string{"no shell to log in with", "chsh"}},
		{"tty", nil, kept, false, []string{"failed   shell", "terminal", "RequestTTY no"}, []string{"terminal", "RequestTTY no"}},
		{"bare", nil, kept, false, []string{"ok       shell", "failed   rsync", "there is no rsync where", "but there is one at /", "--rsync-path=/"},
			[]string{"There is no rsync where", "--rsync-path"}},
		{"keeper", []string{"--rsync-path=/opt/none/rsync"}, kept, false, []string{"failed   rsync", "at /opt/none/rsync there, but there is one at /", "say --rsync-path=/"},
			[]string{"at /opt/none/rsync there", "--rsync-path"}},
		{"gone", nil, "", false, []string{"ok       forced", "failed   protocol", "forced command has refused", "/home/keeper/none", "authorized_keys"},
			[]string{"forced command has refused", "/home/keeper/none", "authorized_keys"}},
		{"ro", nil, "", true, []string{"ok       forced", "ok       protocol", "it may read there, and not write; paths begin there: ro:", "a list came from there; nothing may be written", "a backup would work"}, nil},
		{"wo", nil, "", true, []string{"ok       protocol", "it may write there, and not read", "a file went there and was removed again; it may not be read back"}, []string{"reading from write-only server is not allowed"}},
		{"rw", nil, "", true, []string{"it may read and write there", "a file went there, came back the same, and was removed again"}, nil},
		{"our-rw", nil, "", true, []string{"it may read and write there", "a file went there, came back the same, and was removed again"}, nil},
		{"no-del", nil, "", true, []string{"it may read and write there", "skipped  round trip no file was sent", "--delete has been disabled", "--leave"}, nil},
		{"our-wo", nil, "", true, []string{"ok       protocol", "it may write there, and not read", "skipped  round trip no file was sent", "does not allow --delete"}, []string{"may only write"}},
		{"our-named", nil, "one/", true, []string{"ok       protocol", "folders with names: our-named:one/ our-named:two/", "one/: it may read there, and not write", "two/: it may read there"}, nil},
		{"daemon", nil, kept, true, []string{"ok       daemon", "write two colons", "its modules: music, private, upload", "music: it may read there, and not write; paths begin there: daemon::music",
			"upload: a file went there, came back the same, and was removed again", "warning  protocol", "a backup would work"}, []string{"daemon's greeting", "HOST::MODULE/PATH"}},
		{"our-daemon", nil, kept, true, []string{"ok       daemon", "write two colons", "its modules: music, private, upload", "upload: a file went there, came back the same, and was removed again", "warning  protocol"}, []string{"daemon's greeting", "HOST::MODULE/PATH"}},
		{"fixed", nil, "", false, []string{"failed   forced", "one fixed rsync", "authorized_keys"}, nil},
		{"other", nil, "", false, []string{"failed   shell", "forced command runs in the place of what is asked for", "Hello"}, []string{"Hello, I am a command"}},
	} {
		t.Run(strings.Join(append([]string{c.host}, c.args...), " "), func(t *testing.T) {
			r := call(t, append([]string{"doctor", "-e", "ssh -q", c.host}, c.args...)...)
			c.says(t, "the doctor", r, r.out, c.works, c.doctor)
			if c.host == "fixed" {
				return // how a transfer ends there depends on its options
			}
			r = call(t, append(append([]string{"rsync", "-a", "-e", "ssh -q"}, c.args...), c.host+":"+c.from, a.dir+"/got "+c.host)...)
			c.says(t, "the transfer", r, r.err, c.transfer == nil, c.transfer)
		})
	}
	for host, works := range map[string]bool{"guest": false, "daemon": true} {
		var report struct {
			OK     bool
			Checks []struct{ Name, State, Says, Fix string }
		}
		r := call(t, "doctor", "--json", "-e", "ssh -q", host)
		if err := json.Unmarshal([]byte(r.out), &report); err != nil || report.OK != works || len(report.Checks) == 0 {
			t.Errorf("as JSON: %v: %s", err, r)
		}
		for _, check := range report.Checks {
			if check.State == "failed" && check.Fix == "" {
				t.Errorf("nothing to change is named for %+v", check)
			}
		}
	}
	for place, c := range map[string]struct {
		says  string
		works bool
	}{
		"our-named:two/": {"it may read there, and not write; paths begin there: our-named:two/", true}, "our-named:three/": {"one, two", false},
		"rw:none/": {"name a folder that is there", false}, "keeper:none": {"name a folder that is there", false}, "keeper:data": {"a backup would work", true},
		"our-daemon::upload/": {"removed again", true}, "daemon::none": {"none", false},
	} {
		if r := call(t, "doctor", "-e", "ssh -q", place); (r.code == 0) != c.works || !strings.Contains(r.out, c.says) || strings.Contains(r.out, "folders with names") {
			t.Errorf("%s: want %q: %s", place, c.says, r)
		}
	}
	if left, err := os.ReadDir(kept); err != nil || len(left) != 1 {
		t.Errorf("the doctor has left something behind: %q %v", left, err)
	}
	for _, host := range []string{"our-wo", "no-del"} {
		r := call(t, "doctor", "--leave", "-e", "ssh -q", host)
		if left, err := filepath.Glob(kept + "/.empegsync-doctor*/probe"); r.code != 0 || !strings.Contains(r.out, "stays there, as --leave says") || err != nil || len(left) != 1 {
			t.Errorf("--leave leaves %q, %v: %s", left, err, r)
		} else {
			must(t, os.RemoveAll(filepath.Dir(left[0])))
		}
	}
}

// says fails the test unless a run has gone as it should, and said so.
func (c visit) says(t *testing.T, who string, r result, text string, works bool, words []string) {
	t.Helper()
	if (r.code == 0) != works {
		t.Errorf("%s: %s", who, r)
	}
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%s does not say %q: %s", who, w, r)
		}
	}
}

// TestDoctorRefused: hosts that cannot be reached, and what is no host.
func TestDoctorRefused(t *testing.T) {
	t.Parallel()
	s := startSSHD(t)
	must(t, os.WriteFile(s.dir+"/keys", nil, 0o600))
	for _, c := range []struct{ shell, want string }{
		{s.ssh, "accepts no key"},
		{strings.NewReplacer("Checking=no", "Checking=yes", "/known", "/nobody").Replace(s.ssh), "known_hosts"},
		{fmt.Sprintf("ssh -F none -p %d", ownport.Hold(t)), "no connection"},
	} {
		if r := call(t, "doctor", "-e", c.shell, "127.0.0.1"); r.code != 1 || !strings.Contains(r.out, c.want) || !strings.Contains(r.out, "-> ") {
			t.Errorf("want %q: %s", c.want, r)
		}
	}
	for _, bad := range []string{"host::", "rsync://host", "rsync://host/music", "a/b", ""} {
		call(t, "doctor", bad).contains(t, 2, "host")
	}
	call(t, "doctor", "-e", "/nonexistent/shell", "h").expect(t, 1, "/nonexistent/shell", "--rsh")
}
