package session

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

const idle = 10 * time.Second

// timedOut checks that an operation ended by timeout, after how long.
func timedOut(t *testing.T, start time.Time, err error, want time.Duration) {
	t.Helper()
	if !errors.Is(err, os.ErrDeadlineExceeded) || proto.ExitCode(err) != proto.ExitTimeout || !strings.Contains(err.Error(), "for 10s") {
		t.Errorf("error %v, code %d", err, proto.ExitCode(err))
	}
	if d := time.Since(start); d != want {
		t.Errorf("after %v, want %v", d, want)
	}
}

func TestIdleRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pipe(t)
		c := IdleTimeout(a.Conn, idle)
		go func() {
			for range 5 {
				time.Sleep(idle - time.Second)
				_, _ = b.Write([]byte("x"))
			}
		}()
		start := time.Now()
		if _, err := io.ReadFull(c, make([]byte, 5)); err != nil {
			t.Fatal(err)
		}
		n, err := c.Read(make([]byte, 5))
		timedOut(t, start, err, 5*(idle-time.Second)+idle)
		if n != 0 {
			t.Errorf("%d bytes", n)
		}
	})
}

func TestIdleWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pipe(t)
		c := IdleTimeout(a.Conn, idle)
		go func() {
			for range 5 {
				time.Sleep(idle - time.Second)
				_, _ = b.Read(make([]byte, 1))
			}
		}()
		start := time.Now()
		n, err := c.Write([]byte("seven b"))
		// A write does not tell when its parts went out, but when it was given
		// up: that counts as the last move.
		timedOut(t, start, err, 6*idle)
		if n != 5 {
			t.Errorf("%d bytes written", n)
		}
	})
}

// What moves in one direction keeps the other alive: a receiver may be silent
// for long while its peer sends.
func TestOneDirectionKeepsTheOther(t *testing.T) {
	const steps = 20
	step := func(f func()) {
		for range steps {
			time.Sleep(idle / 2)
			f()
		}
	}
	// From the last move on the waiting side gets idle more.
	const want = steps*idle/2 + idle
	t.Run("writes keep a read", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a, b := pipe(t)
			c := IdleTimeout(a.Conn, idle)
			go func() { _, _ = io.Copy(io.Discard, b.Conn) }()
			go step(func() { _, _ = c.Write([]byte("x")) })
			start := time.Now()
			_, err := c.Read(make([]byte, 1))
			timedOut(t, start, err, want)
			a.Close()
		})
	})
	t.Run("reads keep a write", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a, b := pipe(t)
			c := IdleTimeout(a.Conn, idle)
			go func() {
				for _, err := c.Read(make([]byte, 1)); err == nil; _, err = c.Read(make([]byte, 1)) {
				}
			}()
			go step(func() { _, _ = b.Write([]byte("x")) })
			start := time.Now()
			_, err := c.Write([]byte("never read"))
			timedOut(t, start, err, want)
		})
	})
}

// Errors that are no timeouts come through as they are.
func TestIdlePassesErrors(t *testing.T) {
	a, b := loopback(t)
	c := IdleTimeout(a.Conn, time.Hour)
	if n, err := c.Write(nil); n != 0 || err != nil {
		t.Errorf("write of nothing: %d, %v", n, err)
	}
	b.Close()
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("read: %v", err)
	}
	a.Close()
	if _, err := c.Write([]byte("x")); !errors.Is(err, net.ErrClosed) || proto.ExitCode(err) == proto.ExitTimeout {
		t.Errorf("write: %v", err)
	}
}

// A side that works on its own is not stalled, though nothing moves.
func TestTouchKeepsAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := pipe(t)
		c := IdleTimeout(a.Conn, idle)
		go func() {
			for range 3 {
				time.Sleep(idle - time.Second)
				Touch(c)
			}
		}()
		start := time.Now()
		_, err := c.Read(make([]byte, 1))
		timedOut(t, start, err, 3*(idle-time.Second)+idle)
		Touch(a.Conn) // any other connection: nothing happens
	})
}
