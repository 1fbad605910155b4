package daemon_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// guide is the configuration of the guide to keeping two players in step, with
// other paths.
const guide = `log file = @DIR@/drive0/rsyncd.log
pid file = @DIR@/drive0/rsyncd.pid
uid = root
gid = root

[drive0]
    path = @DIR@/drive0
    use chroot = no
    read only = no

[drive1]
    path = @DIR@/drive1
    use chroot = no
    read only = no
`

// TestGuide does what the guide does: as it stands where the daemon runs as
// root, and without uid and gid elsewhere.
func TestGuide(t *testing.T) {
	t.Parallel()
	p := newPlace(t).write(map[string]string{
		"drive0/fids/120": "tune", "drive0/fids/121": "tags", "drive0/fids/_00012/0f0": "other layout", "drive0/config.ini": "secret",
		"drive1/fids/130": "more", "slave/fids/999": "gone from the master", "slave/fids/120": "old",
	})
	text := strings.ReplaceAll(guide, "@DIR@", p.dir)
	if os.Geteuid() != 0 {
		s := p.ours(text, nil)
		if out, code := p.rsync(s.addr, "@URL@/drive0/"); code != 5 || !strings.Contains(out, "@ERROR: setgid failed") {
			t.Errorf("as an ordinary user: code %d, %s", code, out)
		}
		text = strings.ReplaceAll(strings.ReplaceAll(text, "uid = root\n", ""), "gid = root\n", "")
	}
	s := p.ours(text, nil)
	out, code := p.rsync(s.addr, "@URL@/")
	if d := cmp.Diff("drive0         \t\ndrive1         \t\n", out); code != 0 || d != "" {
		t.Errorf("list: code %d\n%s", code, d)
	}
	if out, code := p.rsync(s.addr, "-auv", "--delete", "@URL@/drive0/fids", "slave/"); code != 0 || !strings.Contains(out, "deleting fids/999") {
		t.Errorf("pull: code %d\n%s", code, out)
	}
	if d := cmp.Diff(p.tree("drive0/fids"), p.tree("slave/fids")); d != "" {
		t.Errorf("master (-) and slave (+):\n%s", d)
	}
	if out, code := p.rsync(s.addr, "-auv", "--delete", "slave/fids", "@URL@/drive1/"); code != 0 {
		t.Errorf("push: code %d\n%s", code, out)
	}
	if d := cmp.Diff(p.tree("slave/fids"), p.tree("drive1/fids")); d != "" {
		t.Errorf("pushed (-) and there (+):\n%s", d)
	}
	if _, err := os.Stat(p.path("drive0/rsyncd.log")); err == nil {
		t.Error("the daemon's own log file was opened by the server; that is for whoever starts it")
	}
}

// TestVariables: what only a connection knows is put in late, in paths too.
func TestVariables(t *testing.T) {
	t.Parallel()
	p := newPlace(t).write(map[string]string{"at/m/127.0.0.1/f": "x", "d/": ""})
	s := p.ours(p.conf("[m]\npath = @DIR@/at/%RSYNC_MODULE_NAME%/%RSYNC_HOST_ADDR%\ncomment = for %RSYNC_HOST_ADDR%, 100%\nlog file = @DIR@/%RSYNC_MODULE_NAME%.log\n"), nil)
	if out, _ := p.rsync(s.addr, "@URL@/"); out != "m              \tfor 127.0.0.1, 100%\n" {
		t.Errorf("list: %q", out)
	}
	if out, code := p.rsync(s.addr, "-r", "@URL@/m/", "d/"); code != 0 || p.tree("d") != "f = \"x\"\n" {
		t.Errorf("code %d: %s\n%s", code, out, p.tree("d"))
	}
	eventually(t, "the module's own log", func() bool {
		text, _ := os.ReadFile(p.path("m.log"))
		return strings.Contains(string(text), "rsync on m/ from localhost (127.0.0.1)\n") && strings.Contains(string(text), "total size 1\n")
	})
	if strings.Contains(s.log.String(), "rsync on") {
		t.Errorf("the daemon's log has the module's lines:\n%s", s.log)
	}
}

// TestLogFileFails: without its own file a module is logged with the daemon.
func TestLogFileFails(t *testing.T) {
	t.Parallel()
	p := newPlace(t).write(map[string]string{"m/f": "x", "d/": ""})
	s := p.ours(p.conf("[m]\npath = @DIR@/m\nlog file = @DIR@/none/m.log\n"), nil)
	if out, code := p.rsync(s.addr, "-r", "@URL@/m/", "d/"); code != 0 {
		t.Errorf("code %d: %s", code, out)
	}
	eventually(t, "both lines in the daemon's log", func() bool {
		return strings.Contains(s.log.String(), "cannot open the module's log file") && strings.Contains(s.log.String(), "rsync on m/ ")
	})
}
