package transfer

import (
	"errors"
	"io"
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// The receiving goroutine may report the last phase and end between two looks
// of the generating one.
func TestWaitHearsLastWords(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		name   string
		phases int
		err    error
		want   string
	}{
		{name: "done", phases: 1},
		{name: "gone", want: "the sending side ended early"},
		{name: "failed", err: broken, want: "broken"},
	} {
		r := &receiver{common: &common{}}
		r.W = wire.NewWriter(io.Discard, 512)
		r.events.signal = make(chan struct{}, 1)
		g := &generator{receiver: r}
		looked := false
		err := g.wait(func() bool {
			ready := r.events.phases() > 0
			if !looked {
				looked = true
				for range c.phases {
					r.events.phaseDone()
				}
				r.events.finish(c.err)
			}
			return ready
		})
		if got := message(err); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
