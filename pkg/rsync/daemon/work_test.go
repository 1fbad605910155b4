package daemon

import (
	"context"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestSpread: who keeps a processor busy gets more of them, nobody else does. The
// number is the process's, so that no other test may run beside this one.
func TestSpread(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, c := range []struct {
		name           string
		processors     int
		perTick        time.Duration
		want, mostAsks int
	}{
		{"busy", 3, spreadTick, 3, 2},
		{"half busy", 3, spreadTick / 2, 1, 5},
		{"with no more to have", 1, spreadTick, 1, 1},
	} {
		ctx, stop := context.WithCancel(t.Context())
		used, asks := time.Duration(0), 0
		spread(ctx, c.processors, func() time.Duration {
			if asks++; asks == c.mostAsks {
				stop()
			}
			used += c.perTick
			return used
		})
		stop()
		if n := runtime.GOMAXPROCS(1); n != c.want {
			t.Errorf("%s: %d processors, not %d", c.name, n, c.want)
		}
	}
}

// TestProcessorTime: it grows with what is done, by about as much.
func TestProcessorTime(t *testing.T) {
	before := processorTime()
	for end := time.Now().Add(time.Minute); processorTime() < before+20*time.Millisecond; {
		if time.Now().After(end) {
			t.Fatal("a minute's work takes no time")
		}
	}
}

// TestStartWorker: a worker's timers may be late; those of who starts it stay as they
// are.
func TestStartWorker(t *testing.T) {
	t.Parallel()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("cat", "/proc/self/timerslack_ns")
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := startWorker(cmd); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil || said.String() != "1000000\n" {
		t.Errorf("a worker's slack: %q, %v", &said, err)
	}
	if after, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0); err != nil || after != before {
		t.Errorf("the slack of who starts workers was %d and is %d, %v", before, after, err)
	}
}
