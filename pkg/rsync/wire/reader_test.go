package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

func frame(tag proto.Tag, payload string) []byte {
	b := make([]byte, 4, 4+len(payload))
	putHeader(b, tag, len(payload))
	return append(b, payload...)
}

// sources are ways in which the same bytes may arrive.
func sources(p []byte) map[string]io.Reader {
	return map[string]io.Reader{
		"whole":    bytes.NewReader(p),
		"bytes":    iotest.OneByteReader(bytes.NewReader(p)),
		"halves":   iotest.HalfReader(bytes.NewReader(p)),
		"with EOF": iotest.DataErrReader(bytes.NewReader(p)),
	}
}

// appendValues appends one of each form in a row, which readValues reads back.
func appendValues(b []byte) []byte {
	b = AppendInt32(b, -5)
	b = AppendUint16(b, 0xbeef)
	b = AppendLongInt(b, 1<<40)
	b = AppendVarInt(b, 1<<29)
	b = AppendVarLong(b, 1<<50, 3)
	b = AppendVString(b, strings.Repeat("v", 130))
	b = append(b, "a line\n"...)
	return append(b, "some raw bytes"...)
}

func readValues(r *Reader) string {
	s := fmt.Sprint(r.Int32(), r.Uint16(), r.LongInt(), r.VarInt(), r.VarLong(3), r.VString(200, "s"), r.Line('\n', 20, "l"))
	raw := make([]byte, len("some raw bytes"))
	r.Full(raw)
	return s + string(raw)
}

func wantValues() string {
	return fmt.Sprint(-5, 0xbeef, int64(1<<40), 1<<29, int64(1<<50), strings.Repeat("v", 130), "a line") + "some raw bytes"
}

// Data may be cut into frames anywhere, with messages and empty frames between.
func TestFramesCutAnywhere(t *testing.T) {
	data := appendValues(nil)
	for cut := range data {
		stream := frame(proto.TagInfo, "before")
		stream = append(stream, frame(proto.TagData, string(data[:cut]))...)
		stream = append(stream, frame(proto.TagData, "")...)
		stream = append(stream, frame(proto.TagNoop, "")...)
		stream = append(stream, frame(proto.TagWarning, "between")...)
		stream = append(stream, frame(proto.TagData, string(data[cut:]))...)
		for name, src := range sources(stream) {
			var heard []string
			r := NewReader(src, 0)
			r.StartMux(func(tag proto.Tag, p []byte) error {
				heard = append(heard, fmt.Sprintf("%d %s", tag, p))
				return nil
			})
			if got := readValues(r); got != wantValues() || r.Err() != nil {
				t.Fatalf("cut at %d, %s: %q, %v", cut, name, got, r.Err())
			}
			if d := cmp.Diff([]string{"2 before", "42 ", "4 between"}, heard); d != "" {
				t.Fatalf("cut at %d, %s: messages:\n%s", cut, name, d)
			}
			if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
				t.Fatalf("at the end: %d, %v", n, err)
			}
			if r.Total() != int64(len(stream)) {
				t.Fatalf("total %d, want %d", r.Total(), len(stream))
			}
		}
	}
}

// The end of the stream is only clean between frames.
func TestEndInsideAFrame(t *testing.T) {
	stream := append(frame(proto.TagData, "abcdef"), frame(proto.TagInfo, "text")...)
	clean := map[int]bool{0: true, 10: true, len(stream): true}
	for cut := 0; cut <= len(stream); cut++ {
		for name, read := range map[string]func(r *Reader) error{
			"copy": func(r *Reader) error { _, err := io.Copy(io.Discard, struct{ io.Reader }{r}); return err },
			"large": func(r *Reader) error {
				_, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{r}, make([]byte, 1024))
				return err
			},
		} {
			r := from(stream[:cut])
			r.StartMux(nil)
			err := read(r)
			if clean[cut] && err != nil || !clean[cut] && !(errors.Is(err, io.ErrUnexpectedEOF) && proto.IsGone(err)) {
				t.Errorf("cut at %d, %s: %v", cut, name, err)
			}
		}
	}
}

func TestReadsOfEverySize(t *testing.T) {
	data := strings.Repeat("0123456789abcdef", 400)
	var stream []byte
	for i := 0; i < len(data); i += 700 {
		stream = append(stream, frame(proto.TagData, data[i:min(i+700, len(data))])...)
	}
	for _, size := range []int{1, 3, 255, 256, 300, 5000, 10_000} {
		r := from(stream)
		r.StartMux(nil)
		var got bytes.Buffer
		if _, err := io.CopyBuffer(&got, struct{ io.Reader }{r}, make([]byte, size)); err != nil || got.String() != data {
			t.Errorf("reads of %d: %v, %d bytes", size, err, got.Len())
		}
		r = from(stream)
		r.StartMux(nil)
		got.Reset()
		for p := r.Next(size); p != nil; p = r.Next(size) {
			if len(p) > size {
				t.Fatalf("Next(%d) gives %d", size, len(p))
			}
			got.Write(p)
		}
		if got.String() != data || !errors.Is(r.Err(), io.ErrUnexpectedEOF) {
			t.Errorf("Next(%d): %v, %d bytes", size, r.Err(), got.Len())
		}
	}
}

func TestBadFrames(t *testing.T) {
	boom := errors.New("boom")
	for _, tt := range []struct {
		name   string
		stream []byte
		want   string
	}{
		{"tag below the base", []byte{5, 0, 0, 6, 'h', 'e', 'l', 'l', 'o'}, "multiplexed stream: frame tag 6 is below 7"},
		{"text instead of a frame", []byte("bash: rsync: not found\n"), ""},
		{"message of 64 KiB and one", frame(proto.TagInfo, strings.Repeat("x", 64*1024+1)), "message of 65537 bytes with tag 2: longer than allowed"},
		{"message that announces 16 MiB", []byte{0xff, 0xff, 0xff, 9}, "message of 16777215 bytes with tag 2: longer than allowed"},
		{"handler's error", frame(proto.TagError, "x"), "boom"},
	} {
		r := from(tt.stream)
		r.StartMux(func(proto.Tag, []byte) error { return boom })
		if got := r.Byte(); got != 0 || r.Err() == nil || tt.want != "" && r.Err().Error() != tt.want {
			t.Errorf("%s: byte %d, %v, want %s", tt.name, got, r.Err(), tt.want)
		}
	}
	r := from(append(frame(proto.TagInfo, strings.Repeat("x", 64*1024)), frame(proto.TagData, "d")...))
	r.StartMux(nil)
	if r.Byte() != 'd' || r.Err() != nil {
		t.Errorf("the longest message: %v", r.Err())
	}
}

// Frames end where a frame does; what a peer puts behind that in one is no stream.
func TestStopMux(t *testing.T) {
	r := from(append(frame(proto.TagData, "ab"), 'c'))
	r.StartMux(nil)
	r.Byte()
	if err := r.StopMux(); err == nil || err != r.Err() {
		t.Errorf("frames end inside of one: %v, and the reader's error is %v", err, r.Err())
	}
	r = from(append(frame(proto.TagData, "ab"), 'c'))
	r.StartMux(nil)
	r.Byte()
	r.Byte()
	if err := r.StopMux(); err != nil || r.Byte() != 'c' {
		t.Errorf("plain bytes behind a frame: %v, %v", err, r.Err())
	}
}

// Before the reader waits for its source, what the peer waits for goes out.
func TestOnBlock(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out, 0)
	r := NewReader(iotest.OneByteReader(strings.NewReader("abcd")), 0)
	flushes := 0
	r.OnBlock(func() error { flushes++; return w.Flush() })
	fmt.Fprint(w, "question")
	if r.Byte() != 'a' || out.String() != "question" || flushes != 1 {
		t.Errorf("%q went out, %d flushes", out.String(), flushes)
	}
	lost := errors.New("lost")
	r.OnBlock(func() error { return lost })
	if r.Byte(); r.Err() != lost {
		t.Errorf("error %v", r.Err())
	}
}

func TestOnBlockOnlyWhenNeeded(t *testing.T) {
	r := from([]byte("abcdefgh"))
	calls := 0
	r.OnBlock(func() error { calls++; return nil })
	r.Int32()
	r.Int32()
	if calls != 1 || r.Err() != nil {
		t.Errorf("%d calls for one read, %v", calls, r.Err())
	}
}

func TestPrime(t *testing.T) {
	r := NewReader(iotest.OneByteReader(strings.NewReader("abc")), 0)
	for _, want := range []string{"a", "ab", "abc"} {
		if p, err := r.PrimeMore(); string(p) != want || err != nil {
			t.Errorf("%q, %v, want %q", p, err, want)
		}
		if p, err := r.Prime(); string(p) != want || err != nil || r.Buffered() != len(want) {
			t.Errorf("again: %q, %v", p, err)
		}
	}
	if p, err := r.PrimeMore(); string(p) != "abc" || !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %q, %v", p, err)
	}
	if got := r.Line('c', 10, "x"); got != "ab" || r.Err() != nil || r.Total() != 3 {
		t.Errorf("%q, %v: the end that Prime saw must not stick", got, r.Err())
	}
}

func TestPrimeFull(t *testing.T) {
	r := NewReader(strings.NewReader(strings.Repeat("x", 2000)), 512)
	if p, err := r.Prime(); len(p) != 512 || err != nil {
		t.Fatalf("%d bytes, %v", len(p), err)
	}
	if p, err := r.PrimeMore(); len(p) != 512 || err != io.ErrShortBuffer {
		t.Errorf("%d bytes, %v", len(p), err)
	}
	r.Byte()
	if p, err := r.PrimeMore(); len(p) != 512 || err != nil {
		t.Errorf("after one byte: %d bytes, %v", len(p), err)
	}
}

// A source that gives nothing and no error must not hang the reader.
func TestNoProgress(t *testing.T) {
	r := NewReader(nothing{}, 0)
	if r.Byte(); r.Err() != io.ErrNoProgress {
		t.Errorf("%v", r.Err())
	}
}

type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, nil }

func TestReplaceReader(t *testing.T) {
	r := NewReader(strings.NewReader("ab"), 0)
	r.Byte()
	r.Replace(strings.NewReader("cd"))
	if got := string([]byte{r.Byte(), r.Byte(), r.Byte()}); got != "bcd" || r.Err() != nil {
		t.Errorf("%q, %v", got, r.Err())
	}
}

// What the peer has said before it stopped listening can be had after OnBlock's
// function has failed.
func TestResume(t *testing.T) {
	gone := hangup(io.ErrClosedPipe)
	for _, size := range []int{1, 400} { // through the buffer, and past it
		r := from([]byte(strings.Repeat("x", 400)))
		r.OnBlock(func() error { return gone })
		if n, err := r.Read(make([]byte, size)); n != 0 || err != gone {
			t.Errorf("%d bytes, %v", n, err)
		}
		r.Resume()
		if n, err := r.Read(make([]byte, size)); n != size || err != nil {
			t.Errorf("then %d bytes, %v", n, err)
		}
	}
	r := from(nil)
	if r.Byte(); !errors.Is(r.Err(), io.ErrUnexpectedEOF) {
		t.Error(r.Err())
	}
	r.Resume()
	if r.Err() == nil {
		t.Error("the source's own end is forgotten")
	}
}
