package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// daemonLinks are the places of an rsyncd.conf that name a path, @, below which holds lies, "" for a folder. A module "m" there
// gives out two files, a and b. code is what a pull ends with where a stranger's link is on the way, and insecure what with
// "insecure links = yes".
func daemonLinks() []struct {
	name, holds, global, module string
	code, insecure              int
} {
	return []struct {
		name, holds, global, module string
		code, insecure              int
	}{
		{"path", "", "", "path = @", 5, 0},
		{"motd file", "motd", "motd file = @", "", 0, 0}, // which is not shown
		{"secrets file", "secrets", "", "auth users = user\nsecrets file = @", 5, 5},
		{"lock file", "lock", "", "max connections = 2\nlock file = @", 5, 5},
		{"exclude from", "names", "", "exclude from = @", 5, 0},
		{"include from", "names", "", "include from = @\nexclude = *", 5, 0},
		{"filter", "rules", "", "filter = merge @", 5, 0},
		{"log file", "log", "", "log file = @", 0, 0}, // nothing comes into it
	}
}

// TestDaemonLinkOwners: what rsyncd.conf names is reached through root's links and not through a stranger's, by rsync's daemon
// and by this one; "insecure links" lets the module's own through.
func TestDaemonLinkOwners(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root makes links that somebody else owns")
	}
	for _, p := range daemonLinks() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			for _, c := range []struct {
				uid      int
				insecure bool
				code     int
			}{{0, false, 0}, {stranger, false, p.code}, {stranger, true, p.insecure}} {
				var shown [2]string
				for i, program := range []string{"rsync", "ours"} {
					dir, named := linkScene(t, p.holds, c.uid, c.insecure)
					for name, text := range map[string]string{"b": "two", "motd": "hello\n", "secrets": "user:word\n", "lock": "", "log": ""} {
						must(t, os.WriteFile(filepath.Join(dir, "real/sub", name), []byte(text), 0o600))
					}
					place := strings.NewReplacer("@", filepath.Join(dir, named))
					module := place.Replace(p.module)
					if p.holds != "" {
						module += "\npath = " + dir + "/src"
					}
					text := fmt.Sprintf("use chroot = no\nuid = 0\ngid = 0\n%s\n[m]\n%s\ninsecure links = %v\n", place.Replace(p.global), module, c.insecure)
					file := filepath.Join(dir, "rsyncd.conf")
					must(t, os.WriteFile(file, []byte(text), 0o644))
					if i > 0 {
						program = filepath.Join(dir, "bin/rsync")
						must(t, os.Symlink(os.Getenv(binaryVar), program))
					}
					shell := "'sh -c \"exec " + program + " --server --daemon --config=" + file + " .\" x'"
					line := "rsync -r -e " + shell + " user@host::m/ got/"
					out, code := shellLine(t, dir, line)
					if code != c.code {
						t.Errorf("%s, owner %d, insecure %v: code %d, want %d: %s", program, c.uid, c.insecure, code, c.code, out)
					}
					log, err := os.ReadFile(filepath.Join(dir, "real/sub/log"))
					must(t, err)
					shown[i] = fmt.Sprintf("motd %v, log %v, %s", strings.Contains(out, "hello"), len(log) > 0, leftIn(t, filepath.Join(dir, "got")))
				}
				if shown[0] != shown[1] {
					t.Errorf("owner %d, insecure %v: rsync shows %s\nours %s", c.uid, c.insecure, shown[0], shown[1])
				}
			}
		})
	}
}
