package daemon_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/daemon"
)

// crowdSize is how many clients come at once.
const crowdSize = 200

// BenchmarkCrowd has two hundred clients at once served by workers of another user,
// a process each, and then by C rsync's daemon. It takes root:
//
//	go test -run - -bench Crowd -benchtime 1x ./pkg/rsync/daemon
func BenchmarkCrowd(b *testing.B) {
	if os.Geteuid() != 0 {
		b.Skip("only root has workers")
	}
	text := "uid = nobody\ngid = *\nlisten backlog = 200\n[mod]\npath = @DIR@/mod\n"
	files := map[string]string{}
	for i := range 200 {
		files[fmt.Sprintf("mod/%d/file%d", i%10, i)] = strings.Repeat("x", 2000)
	}
	for b.Loop() {
		ours, theirs := newPlace(b).write(files), newPlace(b).write(files)
		s := ours.ours(ours.conf(text+"max connections = 1000\nlock file = @DIR@/lock\n"), func(s *daemon.Server) { s.MaxConnections, s.MaxPerAddress = crowdSize, crowdSize })
		mine := ours.crowd(s.addr, func(words string) bool { return strings.HasPrefix(words, "empegsync\x00worker") })
		addr := theirs.debian(theirs.conf(text))
		other := theirs.crowd(addr, func(words string) bool {
			return strings.Contains(words, "--daemon") && strings.Contains(words, theirs.path("rsyncd.conf"))
		})
		b.ReportMetric(mine.took.Seconds()/other.took.Seconds(), "wall-ratio")
		b.ReportMetric(mine.processes, "workers-at-most")
		b.ReportMetric(other.processes, "rsyncs-at-most")
		b.ReportMetric(mine.each, "KiB/worker")
		b.ReportMetric(other.each, "KiB/rsync")
	}
}

// crowded is what a crowd costs.
type crowded struct {
	took            time.Duration
	processes, each float64 // at most; KiB of memory that each has for its own, then
}

// crowd has all clients pull at once, each into a folder of its own; none may fail.
func (p *place) crowd(addr string, of func(words string) bool) (c crowded) {
	p.Helper()
	done := make(chan struct{})
	var watch, wg sync.WaitGroup
	watch.Go(func() {
		for {
			if n, kib := memoryOf(of); float64(n) > c.processes {
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

// memoryOf counts the processes whose command line is meant, and the memory in KiB
// that is theirs: what is shared is divided among those who share it.
func memoryOf(of func(words string) bool) (n int, kib int64) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		words, err := os.ReadFile(dir + "/cmdline")
		if err != nil || !of(string(words)) {
			continue
		}
		text, err := os.ReadFile(dir + "/smaps_rollup")
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
	return n, kib
}
