package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/memdir"
)

// binaryVar names the binary under test: TestMain builds it once, and children
// of the tests in namespaces of their own find it here.
const binaryVar = "EMPEGSYNC_TEST_BINARY"

// testVersion is stamped into that binary.
const testVersion = "v0-tested"

// patience is how long a test waits for something that must happen. It is only
// used up when a test fails.
const patience = 60 * time.Second

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	if os.Getenv(binaryVar) != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "empegsync-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // other users run it, too
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	binary := filepath.Join(dir, "empegsync")
	tool := os.Getenv("GO")
	if tool == "" {
		tool = "go"
	}
	cmd := exec.Command(tool, "build", "-ldflags", "-X main.version="+testVersion, "-o", binary, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH="+runtime.GOARCH)
	if out, err := cmd.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the binary to test: %v\n%s", err, out)
		return 1
	}
	// A pull syncs the file system it writes to, which on a disk that others use
	// waits for all that they have written.
	if err := errors.Join(os.Setenv(binaryVar, binary), memdir.Use()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// result is what a finished program leaves.
type result struct {
	out, err string
	code     int // -1 if a signal ended it
}

func (r result) String() string {
	return fmt.Sprintf("exit code %d\nstdout:\n%sstderr:\n%s", r.code, r.out, r.err)
}

// process is a running program whose output is kept.
type process struct {
	*exec.Cmd
	t        testing.TB
	out, err lockedBuffer
	ended    chan struct{}
}

// start starts a program; the test's end ends it.
func start(t testing.TB, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{Cmd: cmd, t: t, ended: make(chan struct{})}
	if cmd.Stdout == nil {
		cmd.Stdout = &p.out
	}
	cmd.Stderr = &p.err
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", cmd, err)
	}
	go func() {
		_ = cmd.Wait() // the state says it all
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // as a rule it has ended
		<-p.ended
	})
	return p
}

// empegsync is a command line of the binary under test.
func empegsync(args ...string) *exec.Cmd { return exec.Command(os.Getenv(binaryVar), args...) }

// call runs the binary under test to its end.
func call(t testing.TB, args ...string) result {
	t.Helper()
	return start(t, empegsync(args...)).wait()
}

// wait waits for the end.
func (p *process) wait() result {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatalf("%s hangs\nstdout:\n%sstderr:\n%s", p.Cmd, &p.out, &p.err)
	}
	return result{p.out.String(), p.err.String(), p.ProcessState.ExitCode()}
}

// signal sends a signal; a process that is gone already does not mind.
func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatal(err)
	}
}

// until waits for a condition.
func until(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// expect fails the test unless the exit code is right and the standard error is
// one line with all of these words; no words mean that nothing may be said.
func (r result) expect(t testing.TB, code int, words ...string) {
	t.Helper()
	want := 1
	if len(words) == 0 {
		want = 0
	}
	if n := strings.Count(r.err, "\n"); n != want {
		t.Errorf("%d lines on standard error, want %d", n, want)
	}
	r.contains(t, code, words...)
}

// contains fails the test unless the exit code is right and the standard error
// has all of these words.
func (r result) contains(t testing.TB, code int, words ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d", r.code, code)
	}
	for _, w := range words {
		if !strings.Contains(r.err, w) {
			t.Errorf("standard error lacks %q", w)
		}
	}
	if t.Failed() {
		t.Log(r)
	}
}

// must stops the test on an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// lockedBuffer is a buffer that may be read while it grows.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
