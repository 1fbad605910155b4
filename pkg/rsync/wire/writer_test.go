package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// unframe takes a stream apart into "tag payload", with neighbours of data
// joined, and fails on empty data frames.
func unframe(t *testing.T, p []byte) []string {
	t.Helper()
	var out []string
	for len(p) > 0 {
		if len(p) < 4 {
			t.Fatalf("%d bytes are no header", len(p))
		}
		tag, n := proto.Tag(p[3]-proto.TagBase), int(p[0])|int(p[1])<<8|int(p[2])<<16
		if tag == proto.TagData && n == 0 {
			t.Error("an empty data frame")
		}
		text := fmt.Sprintf("%d %s", tag, p[4:4+n])
		if last := len(out) - 1; tag == proto.TagData && last >= 0 && strings.HasPrefix(out[last], "0 ") {
			out[last] += text[2:]
		} else {
			out = append(out, text)
		}
		p = p[4+n:]
	}
	return out
}

func TestWriterPlain(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out, 0)
	long := strings.Repeat("long ", 500)
	fmt.Fprint(w, "a")
	if out.Len() != 0 || w.Pending() != 1 || w.Total() != 1 {
		t.Errorf("%q is out, %d pending, total %d", out.String(), w.Pending(), w.Total())
	}
	fmt.Fprint(w, long)
	if w.Message(proto.TagInfo, []byte("x")) {
		t.Error("a message without frames")
	}
	if err := w.Flush(); err != nil || out.String() != "a"+long || w.Total() != int64(1+len(long)) || w.Pending() != 0 {
		t.Errorf("%v, %d bytes, total %d", err, out.Len(), w.Total())
	}
}

func TestWriterFrames(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out, 0)
	fmt.Fprint(w, "plain")
	w.StartMux()
	long := strings.Repeat("0123456789", 130)
	fmt.Fprint(w, "one")
	w.Message(proto.TagInfo, []byte("hello"))
	w.Message(proto.TagNoop, nil)
	fmt.Fprint(w, "two", long)
	w.Message(proto.TagError, bytes.Repeat([]byte("e"), 5000))
	fmt.Fprint(w, "three")
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil { // nothing more
		t.Fatal(err)
	}
	got, ok := bytes.CutPrefix(out.Bytes(), []byte("plain"))
	if !ok {
		t.Fatalf("what came before the frames: %q", got)
	}
	want := []string{"0 one", "2 hello", "42 ", "0 two" + long, "3 " + strings.Repeat("e", 508), "0 three"}
	if d := cmp.Diff(want, unframe(t, got)); d != "" {
		t.Error(d)
	}
	if w.Total() != int64(out.Len()) {
		t.Errorf("total %d, %d are out", w.Total(), out.Len())
	}
}

// A large buffer must not make frames that their header cannot count.
func TestWriterLargeBuffer(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out, proto.MaxFrame+1000)
	w.StartMux()
	big := make([]byte, proto.MaxFrame+500)
	if _, err := w.Write(big); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	r := NewReader(&out, 0)
	r.StartMux(nil)
	if n, err := io.Copy(io.Discard, struct{ io.Reader }{r}); n != int64(len(big)) || err != nil {
		t.Errorf("%d bytes came, %v", n, err)
	}
}

func TestFillFrom(t *testing.T) {
	for _, mux := range []bool{false, true} {
		var out bytes.Buffer
		w := NewWriter(&out, 512)
		if mux {
			w.StartMux()
		}
		enough := errors.New("no more")
		var want strings.Builder
		for i := range 50 {
			n := i * 10 % 400
			err := w.FillFrom([]byte("<"), n, func(p []byte) error {
				if len(p) != n {
					t.Fatalf("asked for %d, got room for %d", n, len(p))
				}
				copy(p, bytes.Repeat([]byte{byte('a' + i%26)}, n))
				if i%7 == 3 {
					return enough
				}
				return nil
			})
			switch {
			case i%7 == 3 && err != enough || i%7 != 3 && err != nil:
				t.Fatal(err)
			case err == nil:
				want.WriteString("<" + strings.Repeat(string(rune('a'+i%26)), n))
			}
			w.Message(proto.TagNoop, nil)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		got := out.String()
		if mux {
			r := NewReader(&out, 0)
			r.StartMux(nil)
			p, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			got = string(p)
		}
		if got != want.String() {
			t.Errorf("mux %v: %q\nwant %q", mux, got, want.String())
		}
	}
}

// An error right after the start of a frame leaves no empty frame behind.
func TestFillFromNothing(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out, 0)
	w.StartMux()
	if err := w.FillFrom(nil, 10, func([]byte) error { return io.EOF }); err != io.EOF {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil || out.Len() != 0 {
		t.Errorf("%v, %x went out", err, out.Bytes())
	}
}

func TestFillFromTooMuch(t *testing.T) {
	w := NewWriter(io.Discard, 512)
	for _, n := range []int{-1, 512, 509, 505, 1 << 30} {
		called := false
		err := w.FillFrom([]byte("pre"), n, func([]byte) error { called = true; return nil })
		if tooMuch := n < 0 || n > 505; errors.Is(err, ErrTooLong) != tooMuch || called == tooMuch {
			t.Errorf("%d bytes: %v, called %v", n, err, called)
		}
	}
}

type brokenPipe struct{ after int }

func (b *brokenPipe) Write(p []byte) (int, error) {
	if b.after -= len(p); b.after < 0 {
		return 0, io.ErrClosedPipe
	}
	return len(p), nil
}

func TestWriterErrorSticks(t *testing.T) {
	w := NewWriter(&brokenPipe{after: 600}, 512)
	w.StartMux()
	_, err := w.Write(make([]byte, 5000))
	if !errors.Is(err, io.ErrClosedPipe) || !proto.IsGone(err) {
		t.Fatalf("%v", err)
	}
	if _, err := w.Write([]byte("x")); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("later write: %v", err)
	}
	if err := w.FillFrom(nil, 1, func([]byte) error { return nil }); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("later fill: %v", err)
	}
	if w.Message(proto.TagInfo, nil) {
		t.Error("later message")
	}
	if err := w.Flush(); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("later flush: %v", err)
	}
}

// Messages from other goroutines come whole and in their order, and the data
// between them is not touched.
func TestWriterConcurrency(t *testing.T) {
	pr, pw := io.Pipe()
	w := NewWriter(pw, 600)
	w.StartMux()
	const talkers, each = 4, 200
	data := appendValues(nil)
	var wg sync.WaitGroup
	for talker := range talkers {
		wg.Go(func() {
			for i := range each {
				w.Message(proto.TagInfo, fmt.Appendf(nil, "%d %d", talker, i))
			}
		})
	}
	wg.Go(func() {
		for i := range each {
			if i%10 == 0 {
				_ = w.Flush()
			}
			_, _ = w.Write(data)
			_ = w.FillFrom(data[:5], len(data)-5, func(p []byte) error { copy(p, data[5:]); return nil })
			w.Total()
		}
	})
	go func() {
		wg.Wait()
		_ = w.Flush()
		pw.Close()
	}()
	next := make([]int, talkers)
	r := NewReader(pr, 0)
	r.StartMux(func(tag proto.Tag, p []byte) error {
		var talker, i int
		if _, err := fmt.Sscan(string(p), &talker, &i); err != nil || talker >= talkers || next[talker] != i {
			return fmt.Errorf("message %q out of order", p)
		}
		next[talker]++
		return nil
	})
	for i := range 2 * each {
		if got := readValues(r); got != wantValues() {
			t.Fatalf("values %d: %q, %v", i, got, r.Err())
		}
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("at the end: %d, %v", n, err)
	}
	if d := cmp.Diff([]int{each, each, each, each}, next); d != "" {
		t.Error(d)
	}
}

func TestReplaceWriter(t *testing.T) {
	var a, b bytes.Buffer
	w := NewWriter(&a, 0)
	fmt.Fprint(w, "a")
	_ = w.Flush()
	w.Replace(&b)
	fmt.Fprint(w, "b")
	if err := w.Flush(); err != nil || a.String() != "a" || b.String() != "b" {
		t.Errorf("%v: %q, %q", err, a.String(), b.String())
	}
}

// stuck is a destination whose peer does not read.
type stuck struct{ in, out chan struct{} }

func (s *stuck) Write(p []byte) (int, error) {
	s.in <- struct{}{}
	<-s.out
	return len(p), nil
}

// A goroutine that reports something while the owner waits for the peer must
// come back to reading: the peer may be waiting for that.
func TestMessageNeverWaits(t *testing.T) {
	dst := &stuck{make(chan struct{}), make(chan struct{})}
	w := NewWriter(dst, 512)
	w.StartMux()
	flushed := make(chan error)
	go func() {
		_, _ = w.Write([]byte("data"))
		flushed <- w.Flush()
	}()
	<-dst.in // the owner is stuck now
	told := make(chan bool)
	go func() { told <- w.Message(proto.TagInfo, []byte("hello")) }()
	select {
	case ok := <-told:
		if !ok {
			t.Error("the message was dropped")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the message waits for the network")
	}
	close(dst.out)
	if err := <-flushed; err != nil {
		t.Error(err)
	}
}

// A peer that reads nothing must not make us keep messages without end.
func TestMessageQueueIsBounded(t *testing.T) {
	w := NewWriter(io.Discard, 512)
	w.StartMux()
	for range 10_000 {
		w.Message(proto.TagInfo, make([]byte, 500))
	}
	if n := w.Pending(); n > maxQueue {
		t.Errorf("%d bytes wait", n)
	}
}
