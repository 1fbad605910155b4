package install

import (
	"bytes"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// shells are the command lines of shells that a player may have. Its own is a
// bash of 1999.
func shells() [][]string {
	return [][]string{{"sh"}, {"bash"}, {"bash", "--posix"}, {"busybox", "sh"}}
}

const hookPatience = 30 * time.Second

// breakages are programs in all the states that a disk can bring them into.
func breakages() map[string]func(t *testing.T, name string) {
	write := func(text string) func(*testing.T, string) {
		return func(t *testing.T, name string) { must(t, os.WriteFile(name, []byte(text), 0o755)) }
	}
	return map[string]func(*testing.T, string){
		"gone":             func(*testing.T, string) {},
		"empty":            write(""),
		"torn":             write("\x7fELF\x01\x01\x01" + strings.Repeat("\x00", 100) + "\n"),
		"zeros":            write(strings.Repeat("\x00", 100_000)),
		"a script":         write("echo harm\nexit 3\n"),
		"rubbish":          write("\x80\xff\xfe touch harm\nharm\n"),
		"not executable":   func(t *testing.T, name string) { must(t, os.WriteFile(name, []byte("\x7fELF\n"), 0o644)) },
		"a folder":         func(t *testing.T, name string) { must(t, os.Mkdir(name, 0o755)) },
		"a link to itself": func(t *testing.T, name string) { must(t, os.Symlink(name, name)) },
	}
}

// run runs a script to its end, which must come at once, and returns its output
// and exit code.
func runScript(t *testing.T, shell []string, script string, args ...string) (string, int) {
	t.Helper()
	cmd := exec.Command(shell[0], append(append(shell[1:len(shell):len(shell)], script), args...)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	must(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-ended:
	case <-time.After(hookPatience):
		_ = cmd.Process.Kill() // it hangs: the test has failed
		t.Fatalf("%v: the player does not start", shell)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

// Whatever has become of the program, the player starts, with its arguments, its
// exit code, its process and its output.
func TestWrapperAlwaysStartsThePlayer(t *testing.T) {
	for what, breakIt := range breakages() {
		for _, shell := range shells() {
			t.Run(what+" "+strings.Join(shell, " "), func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				name, player, script := filepath.Join(dir, "empegsync"), filepath.Join(dir, "player"), filepath.Join(dir, "wrapper")
				breakIt(t, name)
				must(t, os.WriteFile(player, []byte(playerText), 0o755))
				must(t, os.WriteFile(script, []byte(wrapper(name, player)), 0o755))
				out, code := runScript(t, shell, script, "-i", "two words")
				if out != "the player -i two words\n" || code != 42 {
					t.Errorf("exit code %d, output %q", code, out)
				}
				must(t, os.WriteFile(script, []byte(preinit(name)), 0o755))
				if what == "gone" || what == "a folder" || what == "a link to itself" {
					return // it would wait for the program
				}
				if out, code := runScript(t, shell, script); out != "" || code != 0 {
					t.Errorf("preinit: exit code %d, output %q", code, out)
				}
				if _, err := os.Stat(filepath.Join(dir, "harm")); err == nil {
					t.Error("the broken program was run as a script")
				}
			})
		}
	}
}

// A program that hangs, and holds on to all it was given, delays nothing: the
// player starts while it hangs. It is this test's own binary.
func TestHangingProgramDelaysNothing(t *testing.T) {
	for _, shell := range shells() {
		t.Run(strings.Join(shell, " "), func(t *testing.T) {
			dir := t.TempDir()
			name, player, script := filepath.Join(dir, "empegsync"), filepath.Join(dir, "player"), filepath.Join(dir, "hook")
			must(t, os.Symlink(program(t), name))
			must(t, os.WriteFile(player, []byte(playerText), 0o755))
			for _, text := range []string{wrapper(name, player), preinit(name)} {
				must(t, os.WriteFile(script, []byte(text), 0o755))
				pids := filepath.Join(t.TempDir(), "pids")
				t.Setenv(hangVar, pids)
				runScript(t, shell, script)
				pid := awaitHanging(t, pids)
				end(t, pid)
			}
		})
	}
}

// hangVar has this test's binary hang instead of testing; its value is the file
// that gets its process id.
const hangVar = "EMPEGSYNC_TEST_HANG"

func TestMain(m *testing.M) {
	if name := os.Getenv(hangVar); name != "" && len(os.Args) == 2 && os.Args[1] == "start" {
		signal.Ignore(os.Interrupt)
		temp := name + ".new"
		if os.WriteFile(temp, []byte(strconv.Itoa(os.Getpid())), 0o644) == nil && os.Rename(temp, name) == nil {
			time.Sleep(2 * hookPatience)
		}
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// awaitHanging waits until the program hangs and returns its process id.
func awaitHanging(t *testing.T, pids string) int {
	t.Helper()
	for deadline := time.Now().Add(hookPatience); ; time.Sleep(5 * time.Millisecond) {
		if text, err := os.ReadFile(pids); err == nil {
			pid, err := strconv.Atoi(string(text))
			must(t, err)
			return pid
		}
		if time.Now().After(deadline) {
			t.Fatal("the hook has not started the program")
		}
	}
}

// end ends the program that hangs; it must have been left to itself.
func end(t *testing.T, pid int) {
	t.Helper()
	must(t, syscall.Kill(pid, syscall.SIGKILL))
}
