package doctor

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/client"
	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/options"
)

// house is a folder with a scripted remote shell in it, and a home.
type house struct {
	t   *testing.T
	dir string
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir()}
	if err := os.Mkdir(h.dir+"/home", 0o755); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *house) write(name, text string) {
	h.t.Helper()
	if err := os.WriteFile(filepath.Join(h.dir, name), []byte(text), 0o644); err != nil {
		h.t.Fatal(err)
	}
}

// shell makes a remote shell that runs a script, in which $* is what is asked for.
func (h *house) shell(script string) string {
	h.t.Helper()
	h.write("rsh", "while [ \"$1\" != patient ]; do shift; done; shift\nHOME="+h.dir+"/home\nTMPDIR="+h.dir+"\nexport HOME TMPDIR\n"+script+"\n")
	return "sh " + h.dir + "/rsh"
}

// visit has the doctor look at the script, and a transfer fail or not.
func (h *house) visit(script string, change func(*Job)) (Report, error) {
	h.t.Helper()
	j := &Job{
		Host: client.Remote{User: "me", Host: "patient"}, Options: &options.Options{Shell: h.shell(script)},
		Timeout: time.Minute, Now: time.Now, Temp: h.dir,
	}
	if change != nil {
		change(j)
	}
	report, err := j.Run(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	opt, err := options.Parse([]string{"-q", "-r"})
	if err != nil {
		h.t.Fatal(err)
	}
	opt.Shell, opt.RsyncPath = j.Options.Shell, j.Options.RsyncPath
	c := &client.Client{Options: opt, Observer: &listener{}, Shell: client.Shell{Stderr: &bytes.Buffer{}}}
	ctx, stop := context.WithTimeout(h.t.Context(), time.Minute)
	defer stop()
	_, err = c.ListFiles(ctx, []client.Remote{{Host: "patient", Shell: true, Path: "home"}}, func(*filelist.Entry) {})
	return report, err
}

// run is a remote shell that does what is asked for.
const run = `cd "$HOME/.." && eval "$*"`

// TestPatients: what the doctor says of each kind of shell, and what a transfer
// says that meets it.
func TestPatients(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, script string
		files        map[string]string
		change       func(*Job)
		want         string // the checks, and of those that are not well what is to be changed
		transfer     string // "" if it works
	}{
		{name: "well", script: run, want: "ok login; ok shell; ok rsync; ok clock; ok protocol; ok round trip"},
		{name: "motd", script: "cat $HOME/motd; " + run, files: map[string]string{"home/motd": "Have a nice day\n", "home/.profile": "\ncat $HOME/motd\n"},
			want: "ok login; failed shell: DIR/home/.profile there, line 2: cat $HOME/motd", transfer: "Have a nice day"},
		{name: "bashrc", script: ". $HOME/.bashrc; " + run, files: map[string]string{"home/.bashrc": "echo Welcome\n"},
			want: "ok login; failed shell: DIR/home/.bashrc there, line 1: echo Welcome", transfer: "something prints at each login: \"Welcome"},
		{name: "text from nowhere", script: "echo From nowhere; " + run,
			want: "ok login; failed shell: look in .bashrc, .profile", transfer: "From nowhere"},
		{name: "nologin", script: "echo This account is currently not available.; exit 1",
			want: "failed login: give it one there (chsh -s /bin/sh USER", transfer: "chsh"},
		{name: "/etc/nologin", script: "echo System is going down. Unprivileged users are not permitted to log in anymore. >&2; exit 254",
			want: "failed login: wait until it has started, or remove /run/nologin or /etc/nologin there", transfer: "/etc/nologin"},
		{name: "terminal by its line ends", script: `printf 'Last login: today\r\n'; ` + run,
			want: "ok login; failed shell: take -t out of the remote shell's command", transfer: "ssh -T"},
		{name: "terminal by its name", script: `[ "$1" = tty ] && echo /dev/pts/7 && exit; ` + run, want: "ok login; failed shell: take -t out"},
		{name: "a cat that is none", script: `[ "$1" = cat ] && exec tr '\200-\377' '?'; ` + run, want: "ok login; failed shell: look at command="},
		{name: "missing", script: "rsync() { return 127; }; command() { return 1; }; sh() { return 1; }; " + run,
			want: "ok login; ok shell; failed rsync: install it there, or say where it is with --rsync-path=PROGRAM", transfer: "There is no rsync where"},
		{name: "missing in the path", script: "PATH=$HOME/../bin; " + run, files: map[string]string{"bin": ""},
			want: "ok login; failed shell", transfer: "There is no rsync where"},
		{name: "wrong path", script: run, change: func(j *Job) { j.Options.RsyncPath = "/opt/none/rsync" },
			want: "ok login; ok shell; failed rsync: say --rsync-path=/", transfer: "/opt/none/rsync there"},
		{name: "no rsync at all", script: run, change: func(j *Job) { j.Options.RsyncPath = "echo" },
			want: "ok login; ok shell; failed rsync: name the right program with --rsync-path", transfer: "--server"},
		{name: "rrsync that refuses", script: "echo 'rrsync error: Restricted directory does not exist!' >&2; exit 1",
			want: "ok login; ok forced; failed protocol: Stay within what it allows", transfer: "Restricted directory does not exist!"},
		{name: "rrsync", script: `SSH_ORIGINAL_COMMAND="$*"; export SSH_ORIGINAL_COMMAND; exec rrsync -ro $HOME/..`,
			want: "ok login; ok forced; ok protocol; ok rights; ok round trip"},
		{name: "daemon", script: `exec rsync --server --daemon --config=$HOME/../conf .`, files: map[string]string{"conf": "use chroot = no\n[music]\npath = /\n"},
			want: "ok login; ok daemon; ok protocol; ok rights; ok round trip", transfer: "write two colons"},
		{name: "daemon that fails", script: `printf '@RSYNCD: 32.0 md5\n@ERROR: no\n'`,
			want: "ok login; failed daemon: look at rsyncd.conf there", transfer: "write two colons"},
		{name: "one fixed rsync", script: `exec rsync --server --sender -vnlogDtprxz --numeric-ids . /`,
			want: "ok login; failed forced: let it look at what is asked for", transfer: "-"},
		{name: "another forced command", script: `echo Hello`, want: "ok login; failed shell: look at command= of this key", transfer: "Hello"},
		{name: "an old version", script: `[ "${1##*/}" = rsync ] && [ "$2" = --server ] && printf '\003\000\000\000' && exit; ` + run,
			want: "ok login; ok shell; ok rsync; ok clock; failed protocol: Try --protocol=NUM", transfer: "version 3"},
		{name: "a key that is refused", script: "echo 'me@patient: Permission denied (publickey).' >&2; exit 255",
			want: "failed login: add your public key", transfer: "accepts no key"},
		{name: "a strange host", script: "echo 'Host key verification failed.' >&2; exit 255", want: "failed login: connect once by hand", transfer: "known_hosts"},
		{name: "nobody there", script: "echo 'ssh: connect to host patient port 22: Connection refused' >&2; exit 255",
			want: "failed login: check the name, the port", transfer: "no connection"},
		{name: "a clock ahead", script: "date() { echo 4102444800; }; " + run, want: "ok login; ok shell; ok rsync; warning clock: set it; ok protocol; ok round trip"},
		{name: "a clock behind", script: "date() { echo 1000000000; }; " + run, want: "ok login; ok shell; ok rsync; warning clock: set it; ok protocol; ok round trip"},
		{name: "no clock", script: "date() { echo soon; }; " + run, want: "ok login; ok shell; ok rsync; skipped clock; ok protocol; ok round trip"},
		{name: "no mktemp", script: "mktemp() { return 1; }; " + run, want: "ok login; ok shell; ok rsync; ok clock; ok protocol; skipped round trip"},
		{name: "a mktemp that lies", script: "mktemp() { echo '/tmp/a; rm -r /'; }; " + run, want: "ok login; ok shell; ok rsync; ok clock; ok protocol; skipped round trip"},
		{name: "nowhere to write", script: "mktemp() { echo $HOME/none/none; }; " + run,
			want: "ok login; ok shell; ok rsync; ok clock; ok protocol; failed round trip"},
		{name: "a shell that hangs", script: "exec sleep 600", change: func(j *Job) { j.Timeout = 100 * time.Millisecond }, want: "failed login: try the same", transfer: "-"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			for name, text := range c.files {
				h.write(name, text)
			}
			if c.transfer == "-" { // which is not what this is about
				c.script = strings.Replace(c.script, "exec sleep 600", `[ "$1" = true ] && exec sleep 600; exit 1`, 1)
			}
			report, err := h.visit(c.script, c.change)
			wants := strings.Split(strings.ReplaceAll(c.want, "DIR", h.dir), "; ")
			well := true
			for i, check := range report.Checks {
				text := fmt.Sprint(check.State, " ", check.Name)
				if check.Fix != "" {
					text += ": " + check.Fix
				}
				if i >= len(wants) || !strings.HasPrefix(text, wants[i]) {
					t.Errorf("check %d: %s (%s)", i+1, text, check.Says)
				}
				well = well && check.State != Failed
			}
			if len(report.Checks) < len(wants) || report.OK != well || report.Host != "me@patient" {
				t.Errorf("%d checks, want %d: %+v", len(report.Checks), len(wants), report)
			}
			switch {
			case c.transfer == "-":
			case c.transfer == "" && report.OK && err != nil:
				t.Errorf("the transfer: %v", err)
			case c.transfer != "" && (err == nil || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(c.transfer))):
				t.Errorf("the transfer says %v, want %q", err, c.transfer)
			}
			if left, err := filepath.Glob(h.dir + "/*/probe"); err != nil || len(left) > 0 {
				t.Errorf("left behind: %q %v", left, err)
			}
		})
	}
}
