package daemon_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/daemon"
)

// pest is a client that keeps a connection and gets nowhere.
type pest struct {
	name string
	act  func(ctx context.Context, c net.Conn)
}

func pests() []pest {
	return []pest{
		{"silent", func(ctx context.Context, c net.Conn) { <-ctx.Done() }},
		{"a byte a second", func(ctx context.Context, c net.Conn) {
			for tick := time.NewTicker(time.Second); ; {
				if _, err := c.Write([]byte("@")); err != nil {
					return
				}
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
			}
		}},
		{"an endless line", func(ctx context.Context, c net.Conn) {
			line := []byte(strings.Repeat("x", 4096))
			for ctx.Err() == nil {
				if _, err := c.Write(line); err != nil {
					return
				}
			}
		}},
	}
}

// swarm keeps n connections of a pest, from many addresses, until ctx ends. Who
// is thrown out comes again after a while.
func swarm(ctx context.Context, wg *sync.WaitGroup, addr string, n int, p pest) (made *atomic.Int64) {
	made = new(atomic.Int64)
	for i := range n {
		wg.Go(func() {
			d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(i%50)+1)}}
			for ctx.Err() == nil {
				if c, err := d.DialContext(ctx, "tcp", addr); err == nil {
					made.Add(1)
					stop := context.AfterFunc(ctx, func() { c.Close() })
					p.act(ctx, c)
					stop()
					c.Close()
				}
				select {
				case <-ctx.Done():
				case <-time.After(3 * time.Second):
				}
			}
		})
	}
	return made
}

// inUse is the memory that the heap and the stacks of this process take.
func inUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// TestSwarm: a thousand connections that get nowhere cost little memory, and
// honest clients come in all the while.
func TestSwarm(t *testing.T) {
	p := newPlace(t).write(map[string]string{"mod/one": "1"})
	s := p.ours(p.conf("[mod]\npath = @DIR@/mod\n"), nil)
	honest := func() time.Duration {
		began := time.Now()
		for range 3 {
			if out, code := p.rsync(s.addr, "@URL@/mod/"); code != 0 {
				t.Errorf("an honest client: code %d, %s", code, out)
			}
		}
		return time.Since(began)
	}
	honest()
	alone := honest()
	for _, pest := range pests() {
		const n = 1000
		before := inUse()
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		made := swarm(ctx, &wg, s.addr, n, pest)
		for end := time.Now().Add(time.Minute); made.Load() < n && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		}
		if made.Load() < n {
			t.Fatalf("%s: only %d come in", pest.name, made.Load())
		}
		with := honest()
		grown := int64(inUse()) - int64(before)
		stop()
		wg.Wait()
		t.Logf("%s: honest clients take %.1f times as long; %d KiB more memory, the %d attackers' own share included", pest.name, float64(with)/float64(alone), grown>>10, n)
		if grown > 64<<20 {
			t.Errorf("%s: %d bytes", pest.name, grown)
		}
	}
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
