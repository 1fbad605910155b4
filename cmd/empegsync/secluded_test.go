package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// awkward are names that shells take apart.
func awkward() []string {
	return []string{"plain", "a b", "it's", `q"uo`, "new\nline", "-dash", "--sender", "$HOME", `back\slash`, "~", "a;b&c", "tab\there", "#x", "(y)", "!z", "{p,q}"}
}

// TestArgumentsArriveWhole hands awkward names over between Debian's rsync and
// ours, on either side, through a real shell and to a daemon, quoted and with -s
// past them.
func TestArgumentsArriveWhole(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	ours := filepath.Join(dir, "bin", "rsync")
	for _, d := range []string{"bin", "src"} {
		must(t, os.Mkdir(filepath.Join(dir, d), 0o755))
	}
	must(t, os.Symlink(os.Getenv(binaryVar), ours))
	for _, n := range awkward() {
		must(t, os.WriteFile(filepath.Join(dir, "src", n), []byte(n), 0o644))
	}
	// As ssh does: the words become one line for the account's shell.
	must(t, os.WriteFile(dir+"/rsh", []byte("shift\ncd "+dir+"/src\nexec sh -c \"$*\"\n"), 0o644))
	config := fmt.Sprintf("use chroot = no\n[src]\npath = %s/src\nread only = no\nuid = %d\ngid = %d\n", dir, os.Geteuid(), os.Getegid())
	must(t, os.WriteFile(dir+"/rsyncd.conf", []byte(config), 0o644))
	daemons := map[string]string{"rsync": debianDaemon(t, dir+"/rsyncd.conf"), ours: serve(t, "--config", dir+"/rsyncd.conf").addr}
	for _, pair := range [][2]string{{"rsync", ours}, {ours, "rsync"}, {ours, ours}} {
		for _, flag := range []string{"-s", "--no-s", "-s --protocol=29", "-s --max-size=1k --exclude=none"} {
			for _, over := range []string{"shell", "daemon"} {
				t.Run(fmt.Sprint(filepath.Base(filepath.Dir(pair[0])), "-", filepath.Base(filepath.Dir(pair[1])), flag, over), func(t *testing.T) {
					names := awkward()
					if flag == "--no-s" && over == "shell" || strings.Contains(flag, "29") {
						// A backslash does not save it from a shell, nor from an old list.
						names = slices.DeleteFunc(names, func(n string) bool { return strings.Contains(n, "\n") })
					}
					args := append(strings.Fields(flag), "-a", "-e", "sh "+dir+"/rsh", "--rsync-path="+pair[1])
					place := "h:"
					if over == "daemon" {
						args = append(strings.Fields(flag), "-a")
						place = "rsync://" + daemons[pair[1]] + "/src/"
					}
					dst := t.TempDir()
					pull := slices.Clone(args)
					for _, n := range names {
						pull = append(pull, place+n)
					}
					start(t, exec.Command(pair[0], append(pull, dst)...)).wait().expect(t, 0)
					same := []string{}
					for _, n := range names {
						if text, err := os.ReadFile(filepath.Join(dst, n)); err == nil && string(text) == n {
							same = append(same, n)
						}
					}
					if d := cmp.Diff(names, same); d != "" {
						t.Errorf("arrived, -want +got:\n%s", d)
					}
					for _, n := range names {
						if n == "~" || over == "daemon" && !strings.Contains(n, " ") { // a shell's home; a process for each is dear
							continue
						}
						must(t, os.WriteFile(dir+"/one", []byte("pushed"), 0o644))
						must(t, os.Remove(filepath.Join(dir, "src", n)))
						start(t, exec.Command(pair[0], append(slices.Clone(args), dir+"/one", place+n)...)).wait().expect(t, 0)
						if text, err := os.ReadFile(filepath.Join(dir, "src", n)); err != nil || string(text) != "pushed" {
							t.Errorf("pushed to %q: %q, %v", n, text, err)
						}
						must(t, os.WriteFile(filepath.Join(dir, "src", n), []byte(n), 0o644))
					}
				})
			}
		}
	}
}

// TestSecludedWildcards: with -s it is the server that expands them, ours as
// Debian's.
func TestSecludedWildcards(t *testing.T) {
	t.Parallel()
	w := newTwin(t)
	for _, line := range []string{
		"-s -av SHELL:src/[bn]* SHELL:src/d/? dst", "-s -av SHELL:src/nothing* dst", "-s -r SHELL:src/*/f", "-s -av src/[b]ig SHELL:dst/[o]ld", "-s --old-args -a src dst",
	} {
		w.same(t, line)
	}
}

// TestArgumentsNobodySent: a server under -s that gets nonsense ends with a code.
func TestArgumentsNobodySent(t *testing.T) {
	t.Parallel()
	for said, code := range map[string]int{
		"":                                      12,
		"rsync\x00--nonsense\x00":               12,
		"rsync\x00--nonsense\x00.\x00x\x00\x00": 1,
		"rsync\x00--daemon\x00\x00":             1,
		"rsync\x00\x00":                         1,
		strings.Repeat("a\x00", 2000) + "\x00":  1,
		strings.Repeat("a", 100_000):            12,
	} {
		cmd := empegsync("rsync", "--server", "--sender", "-sre.LfxCIvu")
		cmd.Stdin = strings.NewReader(said)
		r := start(t, cmd).wait()
		if r.code != code {
			t.Errorf("%.40q: %s", said, r)
		}
	}
}
