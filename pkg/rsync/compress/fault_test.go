package compress

import (
	"io"
	"testing"
)

// A panic of an encoder in the background comes out where its frame is written,
// where a session contains it; elsewhere it would end every session.
func TestFaultInBackground(t *testing.T) {
	f := &frames{workers: 2, out: io.Discard, encode: func([]byte, []byte) []byte { panic("a fault") }}
	defer func() {
		if p := recover(); p != "a fault" {
			t.Errorf("the panic that comes out is %v", p)
		}
	}()
	if err := f.add(make([]byte, frameSize+1)); err != nil {
		t.Error(err)
	}
	t.Errorf("flush: %v, not a panic", f.flush())
}
