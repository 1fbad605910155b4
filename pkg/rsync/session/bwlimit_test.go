package session

import (
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// TestLimitRate: under a clock of the test's own, a megabyte takes as long as it
// should, and a pause buys nothing.
func TestLimitRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		go func() {
			buf := make([]byte, 64*1024)
			for {
				if _, err := far.Read(buf); err != nil {
					return
				}
			}
		}()
		c := LimitRate(near, 100)
		data := make([]byte, 1<<20)
		for range 2 {
			start := time.Now()
			if n, err := c.Write(data); n != len(data) || err != nil {
				t.Fatal(n, err)
			}
			if d := time.Since(start).Seconds(); d < 10 || d > 10.3 {
				t.Errorf("1 MiB at 100 KiB/s took %.2f s", d)
			}
			time.Sleep(time.Minute)
		}
		go func() {
			time.Sleep(time.Second)
			c.Close()
		}()
		if n, err := c.Write(data); err == nil || n > 200*1024 {
			t.Errorf("closed after a second: %d, %v", n, err)
		}
		far.Close()
	})
}
