package wire

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// A tee sees what is data, however it is written and read, and nothing else.
func TestTee(t *testing.T) {
	big := strings.Repeat("0123456789", 300)
	var sent, wrote, apart bytes.Buffer
	w := NewWriter(&sent, 1024)
	put := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	write := func(s string) { _, err := w.Write([]byte(s)); put(err) }
	fill := func(s string) {
		put(w.FillFrom([]byte(s[:2]), len(s)-2, func(p []byte) error { copy(p, s[2:]); return nil }))
	}
	write("before")
	w.StartMux()
	w.Tee(&wrote, false)
	w.Message(proto.TagInfo, []byte("message"))
	write("abcd" + big)
	fill("efgh")
	w.Tee(&apart, true)
	write("ij")
	fill("klm")
	if err := w.FillFrom(nil, 5, func([]byte) error { return io.EOF }); err != io.EOF {
		t.Error(err)
	}
	w.Tee(&wrote, false)
	write("nop")
	put(w.Flush())
	if want := "abcd" + big + "efghnop"; wrote.String() != want || apart.String() != "ijklm" {
		t.Errorf("the tee has %q and apart %q", wrote.String(), apart.String())
	}

	for _, src := range []io.Reader{bytes.NewReader(sent.Bytes()), iotest.OneByteReader(bytes.NewReader(sent.Bytes()))} {
		var read bytes.Buffer
		r := NewReader(src, 512)
		if got := r.Bytes(6, 6, "start"); string(got) != "before" {
			t.Fatalf("%q, %v", got, r.Err())
		}
		r.StartMux(nil)
		r.Tee(&read)
		r.Int32()
		r.Full(make([]byte, len(big)))
		for n := 4; n > 0; {
			n -= len(r.Next(n))
		}
		r.Full(make([]byte, 3))
		if r.Err() != nil || read.String() != wrote.String() {
			t.Errorf("%v: the tee has %q", r.Err(), read.String())
		}
	}
}

// What the tee cannot take ends the stream.
func TestTeeFails(t *testing.T) {
	full := errors.New("full")
	bad := writerFunc(func([]byte) (int, error) { return 0, full })
	w := NewWriter(io.Discard, 512)
	w.Tee(bad, false)
	if _, err := w.Write([]byte("x")); err != full || w.Flush() != full {
		t.Error(err, w.Flush())
	}
	r := NewReader(strings.NewReader("abcd"), 512)
	r.Tee(bad)
	r.Int32()
	if r.Err() != full {
		t.Error(r.Err())
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
