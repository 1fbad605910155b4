package transfer

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// lastWords is how long one of the receiving side's goroutines may take to end
// when the other one has failed.
const lastWords = 5 * time.Second

// both runs the two goroutines of the receiving side, and returns the error that
// came first.
func (r *receiver) both(ctx context.Context) error {
	received, generated := make(chan error, 1), make(chan struct{})
	go func() {
		err := contain(func() error { return r.receiveFiles(ctx) })
		r.events.finish(err)
		received <- err
		if err == nil {
			return
		}
		// The generator hears of it, unless it waits for a peer that does not
		// read. Where it does hear, the streams stay open for last words.
		select {
		case <-generated:
		case <-time.After(lastWords):
			r.Abort()
		}
	}()
	genErr := contain((&generator{receiver: r, touch: map[int32]struct{}{}}).run)
	close(generated)
	r.replay.end()
	recvErr, first := error(nil), false
	if genErr != nil && !r.events.isOver() {
		recvErr, first = r.stopReceiving(received, genErr)
	} else {
		recvErr = <-received
	}
	if r.changeErr != nil {
		return r.changeErr
	}
	return firstCause(genErr, recvErr, first)
}

// firstCause returns which of both goroutines' errors is to be told: the one that
// is no mere consequence, else the generating one's where that came first.
func firstCause(genErr, recvErr error, genFirst bool) error {
	switch {
	case recvErr == nil:
		return genErr
	case genErr == nil:
		return recvErr
	case genFirst, proto.IsGone(recvErr) && !proto.IsGone(genErr):
		return genErr
	}
	return recvErr
}

// stopReceiving ends the receiving goroutine because the generating one has failed
// with genErr. If that is because the peer no longer reads, what the peer has said
// before tells more: then it is heard out first. stopped says that it was not over
// by then: its error comes of being ended.
func (r *receiver) stopReceiving(received <-chan error, genErr error) (err error, stopped bool) {
	if proto.IsGone(genErr) {
		select {
		case err := <-received:
			return err, false
		case <-time.After(lastWords):
		}
	}
	if r.Deafen == nil || r.Deafen() != nil {
		r.Abort()
	}
	select {
	case err := <-received:
		return err, true
	case <-time.After(lastWords):
		r.Abort()
		return <-received, true
	}
}

// hush waits until nobody writes names any more: whoever is told that the session
// has failed is told through the same writer.
func (l *Link) hush(given <-chan error) {
	select {
	case <-given:
	case <-time.After(lastWords):
		l.Abort()
		<-given
	}
}

// Fault is a panic inside a transfer, turned into an error: a fault that one
// peer brings about must not end a daemon that serves others.
type Fault struct {
	Value any
	Stack []byte // for a log, never for the peer
}

func (f *Fault) Error() string {
	return fmt.Sprintf("a fault of this program, please report it: %v", f.Value)
}

// contain runs f and returns a panic in it as a [Fault].
func contain(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = proto.Fail(proto.ExitIPC, &Fault{p, debug.Stack()})
		}
	}()
	return f()
}
