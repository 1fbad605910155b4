package daemon

import (
	"context"
	"io"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"
)

// TestThrottledDeadline: waiting for a limit is no reason for a timeout, but
// closing ends it, and a ration goes with its last user.
func TestThrottledDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		var all rations
		key := rationKey{"m", netip.Prefix{}, 16 << 10}
		share, release := all.take(key)
		again, release2 := all.take(key)
		if again != share {
			t.Error("a module's transfers do not share")
		}
		ctx, stop := context.WithCancel(t.Context())
		c := &throttled{Conn: near, in: []*rate.Limiter{share.in}, out: []*rate.Limiter{share.out}, portion: portion(key.rate), ctx: ctx, stop: stop}
		go io.Copy(io.Discard, far)
		began := time.Now()
		if err := c.SetDeadline(began.Add(500 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		// 16 KiB, of which the first 2 are free, take 0.9 s.
		if n, err := c.Write(make([]byte, 16<<10)); err != nil || n != 16<<10 || time.Since(began) < 700*time.Millisecond {
			t.Errorf("%d bytes in %v, %v", n, time.Since(began), err)
		}
		time.AfterFunc(50*time.Millisecond, func() { c.Close() })
		if n, err := c.Write(make([]byte, 1<<20)); err == nil || n == 1<<20 {
			t.Errorf("%d bytes after it was closed", n)
		}
		release()
		release()
		if len(all.by) != 1 {
			t.Error("gone with a user left")
		}
		if release2(); len(all.by) != 0 {
			t.Error("kept without users")
		}
	})
}
