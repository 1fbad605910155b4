package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	watchEvery = 10 * time.Millisecond // looks at a process's memory
	startTime  = 10 * time.Second      // for a server to listen
	stopTime   = 2 * time.Second       // for a server to end by SIGTERM
	mostOutput = 1 << 20               // of a process is kept, in bytes
)

// process is something that runs, with its memory watched.
type process struct {
	cmd      *exec.Cmd
	out, err *output
	watch    *watcher
}

// start starts a program. It is ended when ctx ends.
func start(ctx context.Context, cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, out: &output{}, err: &output{}}
	cmd.Stdout, cmd.Stderr = p.out, p.err
	cmd.WaitDelay = stopTime
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	p.watch = watch(ctx, cmd.Process.Pid)
	return p, nil
}

// usage is what a process and the children it has waited for have used.
type usage struct {
	CPU float64 `json:"cpu"` // seconds, user and system
	RSS int64   `json:"rss"` // peak of the largest process, bytes
}

// wait waits for the end. The error is that of the process.
func (p *process) wait() (usage, error) {
	err := p.cmd.Wait()
	u := usage{RSS: p.watch.stop()}
	if ru, ok := p.cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		u.CPU = seconds(ru.Utime) + seconds(ru.Stime)
	}
	return u, err
}

func seconds(t syscall.Timeval) float64 {
	return (time.Duration(t.Nano()) * time.Nanosecond).Seconds()
}

// settle waits until a server has waited for the processes it has started, so
// that their time is counted.
func (p *process) settle(ctx context.Context) error {
	for deadline := time.Now().Add(stopTime); time.Now().Before(deadline); {
		if len(children(p.cmd.Process.Pid)) == 0 {
			return nil
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s has processes left when its client is done", filepath.Base(p.cmd.Path))
}

// end stops a server by SIGTERM, or by force if it does not hear. How it ends
// says nothing: whatever went wrong was seen by its client.
func (p *process) end() usage {
	p.watch.look()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(stopTime, func() { _ = p.cmd.Process.Kill() })
	defer kill.Stop()
	u, _ := p.wait()
	return u
}

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(watchEvery):
		return nil
	}
}

// watcher keeps the largest peak of a process's and its children's memory.
type watcher struct {
	pid  int
	quit chan struct{}
	done chan struct{}
	mu   sync.Mutex
	peak int64
}

func watch(ctx context.Context, pid int) *watcher {
	w := &watcher{pid: pid, quit: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(w.done)
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-w.quit:
				return
			case <-tick.C:
				w.look()
			}
		}
	}()
	return w
}

// look looks once. A process that has ended meanwhile has no peak any more.
func (w *watcher) look() {
	for _, pid := range family(w.pid) {
		if n, err := peakMemory(pid); err == nil {
			w.mu.Lock()
			w.peak = max(w.peak, n)
			w.mu.Unlock()
		}
	}
}

func (w *watcher) stop() int64 {
	close(w.quit)
	<-w.done
	return w.peak
}

// family is a process and all that descend from it.
func family(pid int) []int {
	all := []int{pid}
	for _, c := range children(pid) {
		all = append(all, family(c)...)
	}
	return all
}

// children are the processes that any thread of a process has started and not
// waited for.
func children(pid int) []int {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	var all []int
	for _, l := range lists {
		text, err := os.ReadFile(l)
		if err != nil {
			continue
		}
		for _, f := range strings.Fields(string(text)) {
			if n, err := strconv.Atoi(f); err == nil {
				all = append(all, n)
			}
		}
	}
	return all
}

// peakMemory is VmHWM of a process in bytes. ru_maxrss would not do: for a new
// program it begins with the peak of whoever started it.
func peakMemory(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	return parsePeak(text)
}

func parsePeak(status []byte) (int64, error) {
	s := bufio.NewScanner(bytes.NewReader(status))
	for s.Scan() {
		if rest, ok := strings.CutPrefix(s.Text(), "VmHWM:"); ok {
			n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("VmHWM: %w", err)
			}
			return n << 10, nil
		}
	}
	return 0, errors.New("no VmHWM: the process has ended")
}

// output keeps what a process says, for another goroutine to look at.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer; what is too much is dropped.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buf.Write(p[:min(len(p), max(mostOutput-o.buf.Len(), 0))])
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

var _ io.Writer = (*output)(nil)
