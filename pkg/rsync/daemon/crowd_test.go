package daemon_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/daemon"
)

// inUse is the memory that the heap and the stacks of this process take.
func inUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// TestCrowd: two hundred clients at once, and none fails.
func TestCrowd(t *testing.T) {
	const clients = 200
	files := map[string]string{"mod/one": "1", "mod/sub/two": "22"}
	for i := range clients {
		files[fmt.Sprintf("d%d/", i)] = ""
	}
	p := newPlace(t).write(files)
	s := p.ours(p.conf(fmt.Sprintf("connections per address = %d\n[mod]\npath = @DIR@/mod\n", clients)), func(s *daemon.Server) { s.MaxConnections = clients })
	before := inUse()
	var wg sync.WaitGroup
	var most atomic.Int64
	watching, done := context.WithCancel(t.Context())
	var watch sync.WaitGroup
	watch.Go(func() {
		for watching.Err() == nil {
			most.Store(max(most.Load(), int64(inUse())-int64(before)))
			select {
			case <-watching.Done():
			case <-time.After(50 * time.Millisecond):
			}
		}
	})
	for i := range clients {
		wg.Go(func() {
			if out, code := p.rsync(s.addr, "-r", "@URL@/mod/", fmt.Sprintf("d%d/", i)); code != 0 {
				t.Errorf("client %d: code %d, %s", i, code, out)
			}
		})
	}
	wg.Wait()
	done()
	watch.Wait()
	t.Logf("%d KiB for a client at the most", most.Load()>>10/clients)
	for i := range clients {
		if _, err := os.Stat(p.path(fmt.Sprintf("d%d/sub/two", i))); err != nil {
			t.Error(err)
		}
	}
}
