package transfer

import (
	"strings"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
)

// A batch that ends the last part of a list of which more was to come: nobody
// will read that, so that the wait for it would have no end.
func TestReplayEndsUnfinishedPart(t *testing.T) {
	r := &receiver{common: &common{}, replay: newReplay()}
	r.Caps.IncRecurse = true
	list := &filelist.List{}
	list.Start = 1
	r.publish(list)
	r.replay.passed(list.End())
	ended := make(chan error, 1)
	go func() {
		_, err := (&fileReceiver{receiver: r}).done()
		ended <- err
	}()
	select {
	case err := <-ended:
		if err == nil || !strings.Contains(err.Error(), "still in use") {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("it waits")
	}
}
