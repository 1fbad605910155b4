package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// ErrTooLong is the cause of an error about a length beyond its limit.
var ErrTooLong = errors.New("longer than allowed")

// A MessageHandler gets each message that is not data. payload is only valid
// during the call. An error ends the reading.
type MessageHandler func(tag proto.Tag, payload []byte) error

// maxMessage bounds the payload of a message that is not data.
const maxMessage = 64 * 1024

// Reader reads a byte stream, plain or in frames, through one buffer. The
// first error sticks: later calls return zero values and [Reader.Err] the
// error, a [proto.Gone] where the source has ended. It is for one goroutine.
type Reader struct {
	src     io.Reader
	buf     []byte
	r, w    int   // unread raw bytes are buf[r:w]
	err     error // as the source has given it
	scratch [8]byte
	lost    bool // err is the source's

	unflushed bool // err is onBlock's

	mux       bool
	frame     int // payload bytes of the current data frame still to come
	onMessage MessageHandler
	onBlock   func() error

	total int64 // raw bytes read from src
	data  int64 // bytes of payload consumed
	tee   io.Writer
}

// NewReader returns a reader with a buffer of size bytes (at least 512).
func NewReader(src io.Reader, size int) *Reader {
	return &Reader{src: src, buf: make([]byte, max(size, 512))}
}

// StartMux makes the reader expect frames from here on (io.c:
// io_start_multiplex_in). Messages other than data go to h.
func (r *Reader) StartMux(h MessageHandler) { r.mux, r.onMessage = true, h }

// StopMux makes the reader expect plain bytes from here on, which must be where
// a frame ends.
func (r *Reader) StopMux() error {
	if r.frame != 0 {
		return r.Fail(fmt.Errorf("multiplexed stream: a frame goes on for %d bytes where frames end", r.frame))
	}
	r.mux = false
	return r.Err()
}

// OnBlock sets a function that is called before a read from the source, so
// that what the peer waits for can be flushed.
func (r *Reader) OnBlock(f func() error) { r.onBlock = f }

// Resume has reading go on where nothing but the function of [Reader.OnBlock] has
// failed, which is not called any more: the source may still have something.
func (r *Reader) Resume() {
	r.onBlock = nil
	if r.unflushed {
		r.err, r.unflushed = nil, false
	}
}

// Err returns the first error; io.EOF inside a value or a frame has become
// io.ErrUnexpectedEOF.
func (r *Reader) Err() error {
	if r.lost {
		return hangup(r.err)
	}
	return r.err
}

// readErr is Err for those who call Read, to whom io.EOF is a value.
func (r *Reader) readErr() error {
	if r.err == io.EOF {
		return io.EOF
	}
	return r.Err()
}

// Total returns the raw bytes read so far, frame headers included.
func (r *Reader) Total() int64 { return r.total }

// Payload returns the bytes of data consumed so far, frame headers and messages
// left out (io.c:total_data_read).
func (r *Reader) Payload() int64 { return r.data }

// Buffered returns how many bytes can be had without blocking.
func (r *Reader) Buffered() int { return r.w - r.r }

// Prime returns what is buffered, without consuming it; into an empty buffer
// it reads once before. Its error does not stick: the caller may have set a
// deadline to look for early bytes.
func (r *Reader) Prime() ([]byte, error) {
	if r.r < r.w {
		return r.buf[r.r:r.w], nil
	}
	return r.PrimeMore()
}

// PrimeMore reads once, behind what is buffered already, and returns all that
// is buffered then, as [Reader.Prime] does. A full buffer reads nothing more.
func (r *Reader) PrimeMore() ([]byte, error) {
	r.makeRoom()
	if r.w == len(r.buf) {
		return r.buf[r.r:r.w], io.ErrShortBuffer
	}
	n, err := r.src.Read(r.buf[r.w:])
	r.total += int64(n)
	r.w += n
	return r.buf[r.r:r.w], hangup(err)
}

// makeRoom moves unread bytes to the buffer's start if they reach its end.
func (r *Reader) makeRoom() {
	switch {
	case r.r == r.w:
		r.r, r.w = 0, 0
	case r.w == len(r.buf):
		r.w = copy(r.buf, r.buf[r.r:r.w])
		r.r = 0
	}
}

// Fail makes err the reader's error unless it has one, and returns the error
// that holds. Decoders call it for values that make no sense.
func (r *Reader) Fail(err error) error {
	if r.err == nil {
		r.err = err
	}
	return r.Err()
}

// fill reads more raw bytes; false means that there is an error.
func (r *Reader) fill() bool {
	if r.err != nil {
		return false
	}
	r.makeRoom()
	n := r.readSource(r.buf[r.w:])
	r.w += n
	return n > 0
}

// readSource reads from the source, with the hook before and the count after. 0
// means that there is an error.
func (r *Reader) readSource(p []byte) int {
	if r.onBlock != nil {
		if err := r.onBlock(); err != nil {
			r.err, r.unflushed = err, true
			return 0
		}
	}
	for range 100 {
		n, err := r.src.Read(p)
		r.total += int64(n)
		if n > 0 {
			return n
		}
		if err != nil {
			r.err, r.lost = err, true
			return 0
		}
	}
	r.err = io.ErrNoProgress
	return 0
}

// header makes the buffer hold payload of a data frame, handling the messages
// before it.
func (r *Reader) header() bool {
	for r.frame == 0 {
		for r.w-r.r < 4 {
			if r.fill() {
				continue
			}
			if r.w > r.r {
				r.eofInside()
			}
			return false
		}
		h := binary.LittleEndian.Uint32(r.buf[r.r:])
		r.r += 4
		tag := proto.Tag(h >> 24)
		if tag < proto.TagBase {
			r.Fail(fmt.Errorf("multiplexed stream: frame tag %d is below %d", tag, proto.TagBase))
			return false
		}
		tag -= proto.TagBase
		n := int(h & proto.MaxFrame)
		if tag == proto.TagData {
			r.frame = n
			continue
		}
		if !r.message(tag, n) {
			return false
		}
	}
	return true
}

// message reads a message's payload and hands it on.
func (r *Reader) message(tag proto.Tag, n int) bool {
	if n > maxMessage {
		r.Fail(fmt.Errorf("message of %d bytes with tag %d: %w", n, tag, ErrTooLong))
		return false
	}
	payload := make([]byte, n)
	for got := 0; got < n; {
		if r.r == r.w && !r.fill() {
			r.eofInside()
			return false
		}
		c := copy(payload[got:], r.buf[r.r:r.w])
		got += c
		r.r += c
	}
	if r.onMessage == nil {
		return true
	}
	if err := r.onMessage(tag, payload); err != nil {
		r.Fail(err)
		return false
	}
	return true
}

func (r *Reader) eofInside() {
	if r.err == io.EOF {
		r.err = io.ErrUnexpectedEOF
	}
}

// payload returns the contiguous payload that is in the buffer, at least one
// byte, or nil on error.
func (r *Reader) payload() []byte {
	if r.mux && r.frame == 0 && !r.header() {
		return nil
	}
	for r.r == r.w {
		if !r.fill() {
			if r.mux {
				r.eofInside()
			}
			return nil
		}
	}
	p := r.buf[r.r:r.w]
	if r.mux && len(p) > r.frame {
		p = p[:r.frame]
	}
	return p
}

// Tee has all payload that is consumed from here on written to w, too, without
// frames and messages. Its errors become the reader's.
func (r *Reader) Tee(w io.Writer) { r.tee = w }

// consumed counts payload that has been handed out.
func (r *Reader) consumed(p []byte) {
	r.data += int64(len(p))
	if r.mux {
		r.frame -= len(p)
	}
	if r.tee != nil && len(p) > 0 {
		if _, err := r.tee.Write(p); err != nil {
			r.Fail(err)
		}
	}
}

func (r *Reader) consume(n int) {
	p := r.buf[r.r : r.r+n]
	r.r += n
	r.consumed(p)
}

// peekFixed reads n <= 8 bytes; on error they are zero. The slice is valid
// until the next call.
func (r *Reader) peekFixed(n int) []byte {
	if r.err == nil && r.w-r.r >= n && (!r.mux || r.frame >= n) {
		p := r.buf[r.r : r.r+n]
		r.consume(n)
		return p
	}
	p := r.scratch[:n]
	clear(p)
	if !r.Full(p) {
		clear(p)
	}
	return p
}

// Full fills p; false means that there is an error.
func (r *Reader) Full(p []byte) bool {
	for len(p) > 0 {
		n, err := r.Read(p)
		if err != nil {
			r.eofInside()
			return false
		}
		p = p[n:]
	}
	return r.err == nil
}

// Read reads payload as an io.Reader does. Large reads that start with an
// empty buffer go past it.
func (r *Reader) Read(p []byte) (int, error) {
	if r.err != nil || len(p) == 0 {
		return 0, r.readErr()
	}
	if r.mux && r.frame == 0 && !r.header() {
		return 0, r.readErr()
	}
	if r.mux && len(p) > r.frame {
		p = p[:r.frame]
	}
	if r.r == r.w && len(p) >= len(r.buf)/2 {
		n := r.readSource(p)
		r.consumed(p[:n])
		if r.mux {
			r.eofInside()
		}
		return n, r.readErr()
	}
	q := r.payload()
	if q == nil {
		return 0, r.readErr()
	}
	n := copy(p, q)
	r.consume(n)
	return n, nil
}

// Next returns up to limit bytes of payload from the buffer without copying,
// nil on error. The slice is valid until the next call.
func (r *Reader) Next(limit int) []byte {
	if r.err != nil {
		return nil
	}
	p := r.payload()
	if p == nil {
		r.eofInside()
		return nil
	}
	p = p[:min(len(p), limit)]
	r.consume(len(p))
	return p
}

// Replace changes the source for what is read from now on.
func (r *Reader) Replace(src io.Reader) { r.src = src }
