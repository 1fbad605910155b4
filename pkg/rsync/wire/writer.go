package wire

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// Writer gathers what goes to the peer in one buffer, plain or in frames.
//
// One goroutine owns it and writes data. [Writer.Message] alone may be called
// by any goroutine, and never waits for the network: the goroutine that reads
// from the peer must be able to report something while the owner waits for the
// peer to read, or both sides would wait for ever.
type Writer struct {
	dst   io.Writer
	size  int // the buffer's capacity, which any goroutine may ask for
	buf   []byte
	head  int // where the open data frame's header stands, -1: none
	mux   atomic.Bool
	err   error
	total int64
	data  int64 // bytes of payload written
	tee   io.Writer
	apart bool // what is written goes to tee alone

	mu     sync.Mutex
	queue  []byte      // message frames that wait for the owner
	queued atomic.Bool // there are some
	failed atomic.Bool // err is set
}

// maxQueue bounds the messages that wait, in bytes; what is beyond is dropped.
const maxQueue = 1 << 20

// NewWriter returns a writer with a buffer of size bytes (at least 512, at
// most what a frame's header can count).
func NewWriter(dst io.Writer, size int) *Writer {
	size = min(max(size, 512), proto.MaxFrame)
	return &Writer{dst: dst, size: size, buf: make([]byte, 0, size), head: -1}
}

// StartMux puts everything from here on in frames
// (io.c:io_start_multiplex_out). What was written before stays as it is.
func (w *Writer) StartMux() {
	w.mux.Store(true)
}

// StopMux sends what waits and puts what follows into no frames. Messages are
// dropped until [Writer.StartMux].
func (w *Writer) StopMux() error {
	err := w.Flush()
	w.mux.Store(false)
	return err
}

// Err returns the first error of the destination, a [proto.Gone] where nobody reads
// there any more. Like Write it is for the owner.
func (w *Writer) Err() error { return w.err }

// Framed reports whether what is written goes into frames.
func (w *Writer) Framed() bool { return w.mux.Load() }

// Total returns the bytes handed to the destination and those still buffered.
func (w *Writer) Total() int64 {
	return w.total + int64(w.Pending())
}

// Payload returns the bytes of data written so far, frame headers and messages
// left out (io.c:total_data_written).
func (w *Writer) Payload() int64 { return w.data }

// Pending returns the bytes that wait in the buffer.
func (w *Writer) Pending() int {
	if !w.queued.Load() {
		return len(w.buf)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.buf) + len(w.queue)
}

// Write appends p to the data stream. The first error of the destination
// sticks; bytes that were accepted before it may not have arrived.
func (w *Writer) Write(p []byte) (int, error) {
	if w.tee != nil {
		w.copy(p)
		if w.apart || w.err != nil {
			return len(p), w.err
		}
	}
	w.takeQueue()
	n := len(p)
	for len(p) > 0 && w.err == nil {
		room := w.room()
		c := min(len(p), room)
		w.buf = append(w.buf, p[:c]...)
		p = p[c:]
	}
	w.data += int64(n - len(p))
	return n - len(p), w.err
}

// Tee has all data that is written from here on copied to dst, without frames
// and messages. Its errors become the writer's. apart has data go to dst alone
// until it is switched off.
func (w *Writer) Tee(dst io.Writer, apart bool) { w.tee, w.apart = dst, apart }

func (w *Writer) copy(p []byte) {
	if w.err != nil {
		return
	}
	if _, err := w.tee.Write(p); err != nil {
		w.fail(err)
	}
}

func (w *Writer) fail(err error) {
	w.err = err
	w.failed.Store(true)
}

// room opens a frame if need be and returns how many data bytes fit, at least
// one unless there is an error.
func (w *Writer) room() int {
	need := 1
	if w.mux.Load() && w.head < 0 {
		need += 4
	}
	if cap(w.buf)-len(w.buf) < need {
		w.flush()
	}
	if w.mux.Load() && w.head < 0 {
		w.head = len(w.buf)
		w.buf = append(w.buf, 0, 0, 0, 0)
	}
	return cap(w.buf) - len(w.buf)
}

// closeFrame writes the open data frame's header, or takes it back if nothing
// has followed.
func (w *Writer) closeFrame() {
	if w.head < 0 {
		return
	}
	if n := len(w.buf) - w.head - 4; n > 0 {
		putHeader(w.buf[w.head:], proto.TagData, n)
	} else {
		w.buf = w.buf[:w.head]
	}
	w.head = -1
}

func putHeader(b []byte, tag proto.Tag, n int) {
	binary.LittleEndian.PutUint32(b, uint32(tag+proto.TagBase)<<24|uint32(n))
}

// FillFrom lets fill put n bytes straight into the buffer behind prefix, so
// that file data is not copied on its way out. If fill returns an error
// nothing is written. Prefix and data must fit into the buffer together, else
// [ErrTooLong] comes back and fill is not called.
func (w *Writer) FillFrom(prefix []byte, n int, fill func(p []byte) error) error {
	w.takeQueue()
	if n < 0 || n > cap(w.buf)-len(prefix)-4 {
		return fmt.Errorf("write %d bytes at once into a buffer of %d: %w", n, cap(w.buf), ErrTooLong)
	}
	if cap(w.buf)-len(w.buf) < len(prefix)+n+4 {
		w.flush()
	}
	if w.err != nil {
		return w.err
	}
	w.room()
	start := len(w.buf)
	w.buf = append(w.buf, prefix...)
	at := len(w.buf)
	if err := fill(w.buf[at : at+n]); err != nil {
		w.buf = w.buf[:start]
		return err
	}
	w.buf = w.buf[:at+n]
	if w.tee != nil {
		w.copy(w.buf[start:])
		if w.apart {
			w.buf = w.buf[:start]
			return w.err
		}
	}
	w.data += int64(len(prefix) + n)
	return w.err
}

// Message puts a message frame behind the data that the owner has written so
// far; it goes out with the owner's next [Writer.Flush] at the latest. Without
// frames there is no way to send one: it is dropped and false is returned, as
// after an error. Payloads beyond the buffer's size are cut.
func (w *Writer) Message(tag proto.Tag, payload []byte) bool {
	if !w.mux.Load() || w.failed.Load() {
		return false
	}
	payload = payload[:min(len(payload), w.size-4)]
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue)+len(payload) > maxQueue {
		return false
	}
	at := len(w.queue)
	w.queue = append(w.queue, 0, 0, 0, 0)
	putHeader(w.queue[at:], tag, len(payload))
	w.queue = append(w.queue, payload...)
	w.queued.Store(true)
	return true
}

// takeQueue moves the messages that wait behind the data in the buffer.
func (w *Writer) takeQueue() {
	if !w.queued.Load() {
		return
	}
	w.mu.Lock()
	queue := w.queue
	w.queue = nil
	w.queued.Store(false)
	w.mu.Unlock()
	w.closeFrame()
	for len(queue) > 0 && w.err == nil {
		if len(w.buf) == cap(w.buf) {
			w.send()
		}
		n := min(len(queue), cap(w.buf)-len(w.buf))
		w.buf = append(w.buf, queue[:n]...)
		queue = queue[n:]
	}
}

// Flush hands everything to the destination.
func (w *Writer) Flush() error {
	w.takeQueue()
	w.flush()
	return w.err
}

func (w *Writer) flush() {
	w.closeFrame()
	w.send()
}

// send hands the buffer, whose frames are closed, to the destination.
func (w *Writer) send() {
	if len(w.buf) == 0 || w.err != nil {
		w.buf = w.buf[:0]
		return
	}
	n, err := w.dst.Write(w.buf)
	w.total += int64(n)
	w.buf = w.buf[:0]
	if err != nil {
		w.fail(hangup(err))
	}
}

// Replace changes the destination for what is flushed from now on.
func (w *Writer) Replace(dst io.Writer) { w.dst = dst }
