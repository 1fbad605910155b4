package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// stranger is somebody who is neither root nor who runs the tests.
const stranger = 54321

// refusesLink is what is said of a stranger's link.
const refusesLink = "refusing to follow a symlink owned by an untrusted user"

// linkPlaces are the places of a command line where its user names a path: @ stands for it, and holds what it leads to, "" for a
// folder. codes are the exit codes where a stranger's link is on the way, of rsync 3.5.0 and then, if it is another, ours.
func linkPlaces() []struct {
	name, holds string
	args        string
	codes       []int
} {
	return []struct {
		name, holds string
		args        string
		codes       []int
	}{
		{"destination", "", "-a src/ @", []int{3}},
		{"destination/", "", "-a src/ @/", []int{3}},
		{"dry destination", "", "-an src/ @/", []int{3}},
		{"in the destination", "", "-a src/ @/new", []int{3}},
		{"file in the destination", "", "-a src/a @/new", []int{3}},
		{"--mkpath", "", "-a --mkpath src/ @/x/y/", []int{3}},
		{"remote destination", "", "-a -e SHELL src/ host:BASE/@", []int{3}},
		{"source", "", "-a @/ dst/", []int{0}}, // whose links are its user's business
		{"file in a source", "", "-a @/a dst/", []int{0}},
		{"--relative", "", "-aR @/./a dst/", []int{0}},
		{"--backup-dir", "", "-abI --backup-dir=BASE/@ src/ dst/", []int{11}},
		{"--temp-dir", "", "-aI --temp-dir=BASE/@ src/ dst/", []int{23, 11}},                      // each file fails; ours ends at once
		{"--partial-dir", "", "-aI --no-whole-file --partial-dir=BASE/@ src/ dst/", []int{2, 11}}, // "got a block match with no basis file"
		{"--link-dest", "", "-aI --link-dest=BASE/@ src/ dst/", []int{0}},
		{"--compare-dest", "", "-a --compare-dest=../@ src/ new/", []int{0}},
		{"--copy-dest", "", "-a --copy-dest=BASE/@ src/ new/", []int{0}},
		{"--log-file", "log", "-a --log-file=@ src/ dst/", []int{0}},
		{"--files-from", "names", "-a --files-from=@ src/ dst/", []int{1}},
		{"remote --files-from", "names", "-a -e SHELL --files-from=:BASE/@ host:BASE/src dst/", []int{12, 1}}, // ours hears why
		{"--exclude-from", "names", "-a --exclude-from=@ src/ dst/", []int{11}},
		{"--include-from", "names", "-a --include-from=@ --exclude=* src/ dst/", []int{11}},
		{"--filter", "rules", "-a --filter=._@ src/ dst/", []int{11}},
		{"--write-batch", "new", "-a --write-batch=@ src/ dst/", []int{3}},
		{"--read-batch", "batch", "-a --read-batch=@ dst/", []int{11}},
		{"name of a list", "", "-a --files-from=list ./ new/", []int{23}},
		{"--password-file", "secret", "--password-file=@ rsync://user@ADDR/m/", []int{1}},
		{"--early-input", "names", "--early-input=@ rsync://user@ADDR/m/", []int{5}},
	}
}

// rsyncGoesOn tells where rsync makes folders behind a stranger's link before it refuses it, or moves what it still can.
func rsyncGoesOn(place string) bool {
	return slices.Contains([]string{"--temp-dir", "--partial-dir", "--mkpath", "in the destination"}, place)
}

// linkScene lays a folder out in which "L" is a link of uid's: to the folder that holds what is named, or to the thing itself. It
// returns what the path to the thing is then.
func linkScene(t *testing.T, holds string, uid int, whole bool) (dir, named string) {
	t.Helper()
	dir = tempDir(t)
	for _, d := range []string{"real/sub", "src", "dst", "bin"} {
		must(t, os.MkdirAll(filepath.Join(dir, d), 0o755))
	}
	for name, text := range map[string]string{"src/a": "one", "src/b": "two", "dst/a": "old", "real/sub/a": "one", "real/sub/names": "a\n",
		"real/sub/rules": "- b\n", "real/sub/secret": "word\n", "real/sub/log": ""} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	if holds == "batch" {
		cmd := exec.Command("rsync", "-a", "--only-write-batch=real/sub/batch", "src/", "bin/")
		cmd.Dir = dir
		must(t, cmd.Run())
	}
	target := "real"
	if named = filepath.Join("L/sub", holds); whole {
		target, named = filepath.Join("real/sub", holds), "L"
	}
	link := filepath.Join(dir, "L")
	must(t, os.Symlink(target, link))
	must(t, os.Lchown(link, uid, -1))
	must(t, os.WriteFile(filepath.Join(dir, "list"), []byte(named+"/a\n"), 0o600))
	return dir, named
}

// TestLinkOwners: in each place where its user names a path, rsync follows root's links and refuses a stranger's (CVE-2026-53802,
// CVE-2026-53803), and this program does what it does.
func TestLinkOwners(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root makes links that somebody else owns")
	}
	conf := filepath.Join(tempDir(t), "rsyncd.conf")
	must(t, os.WriteFile(conf+".secrets", []byte("user:word\n"), 0o600))
	addr := serveConfig(t, "[m]\npath = /etc/default\nauth users = user\nsecrets file = "+conf+".secrets\n").addr
	for _, p := range linkPlaces() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			for _, whole := range []bool{false, true} {
				for _, uid := range []int{0, stranger} {
					what := fmt.Sprintf("owner %d, the thing itself %v", uid, whole)
					codes := p.codes
					if uid == 0 {
						codes = []int{0}
					}
					told := uid != 0 && codes[0]+len(codes) > 1 || uid != 0 && strings.HasSuffix(p.name, "-dest") || uid != 0 && p.holds == "log"
					var left []string
					for i, program := range []string{"rsync", ""} {
						dir, named := linkScene(t, p.holds, uid, whole)
						shell := "'sh " + dir + "/bin/shell'"
						if program == "" {
							program = filepath.Join(dir, "bin/rsync")
							must(t, os.Symlink(os.Getenv(binaryVar), program))
						}
						must(t, os.WriteFile(dir+"/bin/shell", []byte("shift 2\nexec "+program+" \"$@\"\n"), 0o600))
						line := strings.NewReplacer("@ADDR", "@"+addr, "@", named, "BASE", dir, "SHELL", shell).Replace(p.args)
						out, code := shellLine(t, dir, program+" "+line)
						want := codes[min(i, len(codes)-1)]
						if p.name == "--write-batch" && want != 0 && whole {
							want = 11 // the script beside it was made
						}
						if code != want || strings.Contains(out, refusesLink) != told {
							t.Errorf("%s, %s %s: code %d, want %d; told %v: %s", what, program, line, code, want, told, out)
						}
						left = append(left, leftIn(t, dir))
					}
					if diff := cmp.Diff(left[0], left[1]); diff != "" && (uid == 0 || !rsyncGoesOn(p.name)) {
						t.Errorf("%s: what is there then (-rsync +ours):\n%s", what, diff)
					}
				}
			}
		})
	}
}

// shellLine runs a command line of the shell's in a folder.
func shellLine(t *testing.T, dir, line string) (out string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", "exec "+line)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "HOME="+dir, "LC_ALL=C", "RSYNC_PASSWORD=word")
	cmd.WaitDelay = patience
	text, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v", line, err)
	}
	return string(text), cmd.ProcessState.ExitCode()
}

// leftIn lists what is below a folder, with what is in files but those that no two runs write alike.
func leftIn(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	must(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, p)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case rel == "bin":
			return fs.SkipDir
		}
		text := []byte(nil)
		if base := d.Name(); d.Type().IsRegular() && !strings.HasPrefix(base, "new") && base != "log" && !strings.HasSuffix(base, ".sh") && !strings.HasPrefix(base, "batch") {
			text, err = os.ReadFile(p)
		}
		fmt.Fprintf(&b, "%s %s %q\n", rel, d.Type(), text)
		return err
	}))
	return b.String()
}
