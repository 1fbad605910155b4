package daemon_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFence: what a worker can still do, built as the program is built. Its own
// eyes tell what landlock has left of the file system; its standing with the
// kernel is read from /proc while it serves.
func TestFence(t *testing.T) {
	t.Parallel()
	p := newPlace(t).write(map[string]string{"m/inside": "1"})
	p.must(os.Chmod(p.path("m/inside"), 0o644))
	binary := p.path("fenced")
	build := exec.Command("go", "build", "-o", binary, "./testdata/fenced")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH="+runtime.GOARCH)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	version, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	landlock := errno == 0 && version >= 2
	t.Logf("landlock version %d, %v", version, errno)
	ids := []int{os.Geteuid()}
	if os.Geteuid() == 0 {
		ids = []int{0, 65534}
	}
	for _, id := range ids {
		text := p.fenced(binary, id)
		want := []string{"inside: <nil>", `names: <nil>`, "chroot: operation not permitted"}
		if landlock {
			want = append(want, "outside: open /etc/hostname: permission denied", "write: open /tmp/fenced: permission denied")
		}
		for _, w := range want {
			if !strings.Contains(text, w+"\n") {
				t.Errorf("uid %d: no %q in\n%s", id, w, text)
			}
		}
	}
}

// fenced runs the worker and returns what it has found out, after a look at it
// while it stands still.
func (p *place) fenced(binary string, id int) string {
	p.Helper()
	cmd := exec.Command(binary, p.path("m"), fmt.Sprint(id))
	out, err := cmd.StdoutPipe()
	p.must(err)
	p.must(cmd.Start())
	var text strings.Builder
	for lines := bufio.NewScanner(out); lines.Scan(); {
		fmt.Fprintln(&text, lines.Text())
		var pid int
		if n, _ := fmt.Sscanf(lines.Text(), "process: %d", &pid); n != 1 {
			continue
		}
		p.Cleanup(func() {
			if p.Failed() {
				_ = syscall.Kill(pid, syscall.SIGKILL) // who stands still notices nothing
			}
		})
		p.standing(pid, id)
		eventually(p, "it stands still", func() bool {
			status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			return strings.Contains(string(status), "T (stopped)")
		})
		p.must(syscall.Kill(pid, syscall.SIGCONT))
	}
	if err := cmd.Wait(); err != nil {
		p.Errorf("uid %d: %v\n%s", id, err, &text)
	}
	return text.String()
}

// standing looks at what /proc/PID/status says of a worker, of each thread.
func (p *place) standing(pid, id int) {
	p.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(threads) == 0 {
		p.Fatalf("process %d has no threads: %v", pid, err)
	}
	for _, name := range threads {
		if text, err := os.ReadFile(name); err == nil { // else it has ended
			p.thread(string(text), id)
		}
	}
}

func (p *place) thread(status string, id int) {
	p.Helper()
	value := func(name string) string {
		m := regexp.MustCompile(`(?m)^` + name + `:\s*(.*?)\s*$`).FindStringSubmatch(status)
		if m == nil {
			return "(no " + name + ")"
		}
		return m[1]
	}
	caps := "0000000000000000"
	if id == 0 { // CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, FSETID, MKNOD, SETFCAP
		caps = "000000008800001f"
	}
	for name, want := range map[string]string{
		"NoNewPrivs": "1", "CapEff": caps, "CapPrm": caps, "CapInh": "0000000000000000", "CapAmb": "0000000000000000",
		"Uid": strings.TrimSpace(strings.Repeat(fmt.Sprintf("%d\t", id), 4)),
	} {
		if got := value(name); got != want {
			p.Errorf("uid %d: %s is %q, want %q", id, name, got, want)
		}
	}
}
