package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/google/go-cmp/cmp"

	"github.com/empegsync/empegsync/pkg/install"
	"github.com/empegsync/empegsync/pkg/ownspace"
)

const installScript = "../../scripts/install.sh"

// onPlayer are the programs that a player has, of those a script may want.
func onPlayer() []string {
	return strings.Fields("cat chmod cmp cp dd df diff echo grep gzip ln ls mkdir mount mv od ps rm rmdir sed stty sync tar umount")
}

// bareShells are shells started with nothing but a player's programs in reach.
func bareShells(t *testing.T) map[string]func(args ...string) *exec.Cmd {
	t.Helper()
	bin := t.TempDir()
	for _, name := range onPlayer() {
		target, err := exec.LookPath(name)
		must(t, err)
		must(t, os.Symlink(target, filepath.Join(bin, name)))
	}
	script, err := filepath.Abs(installScript)
	must(t, err)
	out := map[string]func(args ...string) *exec.Cmd{}
	for _, shell := range [][]string{{"dash"}, {"bash", "--posix"}, {"busybox", "sh"}} {
		name, err := exec.LookPath(shell[0])
		must(t, err)
		out[shell[0]] = func(args ...string) *exec.Cmd {
			cmd := exec.Command(name, append(append(shell[1:len(shell):len(shell)], script), args...)...)
			cmd.Env = []string{"PATH=" + bin}
			return cmd
		}
	}
	return out
}

// withProc gives a player's root what its kernel would tell.
func withProc(t *testing.T, root, cpu, kernel string) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(root, "proc/cpuinfo"), []byte(cpu), 0o644))
	must(t, os.WriteFile(filepath.Join(root, "proc/version"), []byte("Linux version "+kernel+" (root@host) (gcc) #1\n"), 0o644))
}

const (
	goodCPU    = "processor\t: 0\nmodel name\t: ARM926EJ-S rev 5 (v5l)\nCPU architecture: 5TEJ\n"
	strongARM  = "Processor\t: Intel StrongARM-1100 rev 9 (v4l)\nBogoMIPS\t: 207.66\n"
	goodKernel = "6.1.0-49-armmp"
)

// The script does what the verb does, with a player's programs alone.
func TestInstallScript(t *testing.T) {
	t.Parallel()
	for name, shell := range bareShells(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root, other := players(t, 12)
			withPlayer(t, root)
			withPlayer(t, other)
			withProc(t, root, goodCPU, goodKernel)
			withProc(t, other, goodCPU, goodKernel)
			binary := os.Getenv(binaryVar)
			before := state(t, root)
			r := start(t, shell("-n", "--root", root, binary)).wait()
			r.expect(t, 0)
			if !strings.Contains(r.out, "write /empeg/bin/player (the boot hook") {
				t.Errorf("-n: %s", r)
			}
			untouched(t, before, root)

			start(t, shell("--root", root, binary)).wait().expect(t, 0)
			call(t, "install", "--root", other).expect(t, 0)
			got, want := layout(t, root), layout(t, other)
			for _, only := range []map[string]string{got, want} {
				for file := range only {
					if strings.Contains(file, "/fids") || strings.HasPrefix(file, "drive0/var/") {
						delete(only, file) // the two players' own
					}
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the verb's installation and the script's (-verb +script):\n%s", diff)
			}
			r = start(t, shell("--root", root, binary)).wait()
			if r.code != 0 || !strings.Contains(r.out, "\nnothing to do\n") {
				t.Errorf("a second time: %s", r)
			}
		})
	}
}

func TestInstallScriptRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, cpu, kernel string
		change            func(t *testing.T, root string)
		file              string
		tooOld            bool
		want              string
	}{
		{"StrongARM", strongARM, "2.2.17-rmk5-np17-empeg52", nil, "", true, "ARMv4 (Intel StrongARM-1100 rev 9 (v4l))"},
		{"old kernel", goodCPU, "2.6.32-5-kirkwood", nil, "", true, "Linux 2.6.32-5-kirkwood"},
		{"a little too old", goodCPU, "3.1.10", nil, "", true, "Linux 3.1.10"},
		{"no drive", goodCPU, goodKernel, func(t *testing.T, root string) {
			must(t, os.RemoveAll(filepath.Join(root, "drive0")))
		}, "", false, "no " /* its path */},
		{"drive not mounted", goodCPU, goodKernel, func(t *testing.T, root string) {
			must(t, os.RemoveAll(filepath.Join(root, "drive0/var")))
			must(t, os.RemoveAll(filepath.Join(root, "drive0/fids")))
		}, "", false, "is the drive mounted?"},
		{"no file", goodCPU, goodKernel, nil, "/nonexistent", false, "there is no /nonexistent"},
		{"no program", goodCPU, goodKernel, nil, "/etc/passwd", false, "the program does not run here"},
		{"no /proc", goodCPU, goodKernel, func(t *testing.T, root string) {
			must(t, os.Remove(filepath.Join(root, "proc/version")))
		}, "", false, "mount /proc"},
	}
	shells := bareShells(t)
	for _, tt := range tests {
		for name, shell := range shells {
			t.Run(tt.name+" "+name, func(t *testing.T) {
				t.Parallel()
				root, _ := players(t, 12)
				withProc(t, root, tt.cpu, tt.kernel)
				if tt.change != nil {
					tt.change(t, root)
				}
				file := tt.file
				if file == "" {
					file = os.Getenv(binaryVar)
				}
				before := layout(t, root)
				r := start(t, shell("--root", root, file)).wait()
				r.expect(t, 1, tt.want)
				if tt.tooOld != (r.out == install.StockAdvice) {
					t.Errorf("the advice: %s", r)
				}
				delete(before, "drive0/empegsync")
				after := layout(t, root)
				delete(after, "drive0/empegsync") // an empty folder may stay
				if diff := cmp.Diff(before, after); diff != "" {
					t.Errorf("left behind (-before +after):\n%s", diff)
				}
			})
		}
	}
}

// On a read-only drive it writes all the same, and leaves it read-only; a full
// one is told, and nothing half copied stays.
func TestInstallScriptReadOnly(t *testing.T) {
	t.Parallel()
	if !ownspace.Enter(t, 0) {
		return
	}
	root, _ := players(t, 12)
	withPlayer(t, root)
	withProc(t, root, goodCPU, goodKernel)
	drive := filepath.Join(root, "drive0")
	ownFileSystem(t, drive)
	readOnly(t, drive)
	shell := bareShells(t)["dash"]
	start(t, shell("--root", root, os.Getenv(binaryVar))).wait().expect(t, 0)
	wantReadOnly(t, "after install.sh", drive)
	call(t, "uninstall", "--root", root).expect(t, 0)
	wantReadOnly(t, "after uninstall", drive)

	must(t, unix.Mount("", drive, "", unix.MS_REMOUNT|unix.MS_NOSUID, ""))
	fill(t, drive)
	readOnly(t, drive)
	start(t, shell("--root", root, os.Getenv(binaryVar))).wait().expect(t, 1, "KB free and")
	wantReadOnly(t, "after a refusal", drive)
	call(t, "install", "--root", root).expect(t, 1, "free and")
	wantReadOnly(t, "after the verb's refusal", drive)
}

// The shell of a player is from the nineties: no here-documents, which need a
// writable /tmp there, and nothing that came later.
func TestInstallScriptIsPlain(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(installScript)
	must(t, err)
	for _, tooNew := range []string{`<<`, `\blocal\b`, `\[\[`, `\bprintf\b`, `\bfunction\b`, `\$'`, `\btype\b`, `(?m)^\s*(if )?! `, `\+=`, `\$\{[a-z]+[:/#%]`} {
		if found := regexp.MustCompile(tooNew).Find(text); found != nil {
			t.Errorf("%q: an old shell does not know that", found)
		}
	}
}
