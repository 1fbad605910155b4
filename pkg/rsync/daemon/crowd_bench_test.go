package daemon_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/ownport"
)

// crowdSize is how many clients come at once.
const crowdSize = 200

// BenchmarkCrowd has two hundred clients at once served by the program, which has a
// worker of another user for each, and then by C rsync's daemon. It takes root:
//
//	go test -run - -bench Crowd -benchtime 3x ./pkg/rsync/daemon
func BenchmarkCrowd(b *testing.B) {
	if os.Geteuid() != 0 {
		b.Skip("only root has workers")
	}
	program := filepath.Join(b.TempDir(), "empegsync")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "github.com/empegsync/empegsync/cmd/empegsync")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	text := "uid = nobody\ngid = *\nlisten backlog = 200\nlog file = @DIR@/log\n"
	module := "[mod]\npath = @DIR@/mod\n"
	files := map[string]string{}
	for i := range crowdSize {
		files[fmt.Sprintf("mod/%d/file%d", i%10, i)] = strings.Repeat("x", 2000)
	}
	var wall, processor []float64
	for b.Loop() {
		ours, theirs := newPlace(b).write(files), newPlace(b).write(files)
		config := ours.conf(text + fmt.Sprintf("total connections = %d\nconnections per address = %[1]d\n", crowdSize) + module)
		mine := ours.crowd(config, program, "serve", "--address", "@ADDR@", "--config", "@CONF@")
		other := theirs.crowd(theirs.conf(text+module), "rsync", "--daemon", "--no-detach", "--address=127.0.0.1", "--port=@PORT@", "--config=@CONF@")
		wall = append(wall, mine.took.Seconds()/other.took.Seconds())
		processor = append(processor, mine.processor.Seconds()/other.processor.Seconds())
		b.ReportMetric(mine.processes, "workers-at-most")
		b.ReportMetric(other.processes, "rsyncs-at-most")
		b.ReportMetric(mine.each, "KiB/worker")
		b.ReportMetric(other.each, "KiB/rsync")
	}
	b.ReportMetric(median(wall), "wall-ratio")
	b.ReportMetric(median(processor), "daemon-cpu-ratio")
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// crowded is what a crowd costs.
type crowded struct {
	took, processor time.Duration // processor: the daemon's and its processes'
	processes, each float64       // at most; KiB of memory that each has for its own, then
}

// crowd has all clients pull at once from a daemon that is started for it, each into a
// folder of its own; none may fail. In the daemon's words @ADDR@, @PORT@ and @CONF@
// are what it is to use.
func (p *place) crowd(config string, words ...string) (c crowded) {
	p.Helper()
	addr := ownport.HoldAddress(p)
	_, port, _ := net.SplitHostPort(addr)
	file := p.path("rsyncd.conf")
	p.must(os.WriteFile(file, []byte(config), 0o644))
	for i := range words {
		words[i] = strings.NewReplacer("@ADDR@", addr, "@PORT@", port, "@CONF@", file).Replace(words[i])
	}
	daemon := exec.Command(words[0], words[1:]...)
	p.must(daemon.Start())
	defer func() {
		p.must(daemon.Process.Signal(syscall.SIGTERM))
		_ = daemon.Wait() // C rsync's exit code is not 0
		c.processor = daemon.ProcessState.UserTime() + daemon.ProcessState.SystemTime()
	}()
	eventually(p, "the daemon listens", func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	done := make(chan struct{})
	var watch, wg sync.WaitGroup
	watch.Go(func() {
		for {
			if n, kib := memoryOf(daemon.Process.Pid); float64(n) > c.processes {
				c.processes, c.each = float64(n), float64(kib)/float64(n)
			}
			select {
			case <-done:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	})
	began := time.Now()
	for i := range crowdSize {
		wg.Go(func() {
			if out, code := p.rsync(addr, "-r", "@URL@/mod/", fmt.Sprintf("to%d/", i)); code != 0 {
				p.Errorf("client %d: code %d, %s", i, code, out)
			}
		})
	}
	wg.Wait()
	c.took = time.Since(began)
	close(done)
	watch.Wait()
	for i := range crowdSize {
		if _, err := os.Stat(p.path(fmt.Sprintf("to%d/9/file199", i))); err != nil {
			p.Error(err)
		}
	}
	return c
}

// memoryOf counts the processes that another one has started, and the memory in KiB
// that is theirs: what is shared is divided among those who share it.
func memoryOf(parent int) (n int, kib int64) {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", parent))
	for _, list := range lists {
		pids, _ := os.ReadFile(list)
		for _, pid := range strings.Fields(string(pids)) {
			text, err := os.ReadFile("/proc/" + pid + "/smaps_rollup")
			if err != nil {
				continue // it has ended
			}
			_, text, _ = bytes.Cut(text, []byte("\nPss:"))
			if fields := bytes.Fields(text); len(fields) > 0 {
				if k, err := strconv.ParseInt(string(fields[0]), 10, 64); err == nil {
					n, kib = n+1, kib+k
				}
			}
		}
	}
	return n, kib
}
