package compress

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"math/bits"

	"github.com/klauspost/compress/zstd"
)

// sendWindow is how far a zstd sender looks back, in bytes: what rsync's
// default level does, less on small machines. Receivers keep as much.
const sendWindow = 256 << 10 << (bits.UintSize / 64 * 3)

// zstdEncoder makes packets of one zstd frame that never ends
// (token.c:send_zstd_token).
type zstdEncoder struct {
	out   *packets
	level int
	enc   *zstd.Encoder
}

func (e *zstdEncoder) begin(bool)         {}
func (e *zstdEncoder) match([]byte) error { return nil }

func (e *zstdEncoder) literal(p []byte) error {
	if e.enc == nil {
		enc, err := zstd.NewWriter(e.out,
			zstd.WithEncoderConcurrency(1), // works in this goroutine, needs no Close
			zstd.WithEncoderCRC(false),
			zstd.WithWindowSize(sendWindow),
			zstd.WithLowerEncoderMem(true),
			zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(e.level)))
		if err != nil {
			return fmt.Errorf("start zstd at level %d: %w", e.level, err)
		}
		e.enc = enc
	}
	_, err := e.enc.Write(p)
	return err
}

func (e *zstdEncoder) flush() error {
	if err := e.enc.Flush(); err != nil {
		return err
	}
	return e.out.finish(0)
}

// zstdDecoder reads packets of zstd frames (token.c:recv_zstd_token).
//
// The library pulls its input, and cannot go on after its source has once had
// nothing to give. So it runs in a coroutine, which gives back control with
// data, or with nil when it needs a packet and a block number or the end comes
// first. It writes each block out before it asks for the next one, so that nil
// also means that all literals are out.
type zstdDecoder struct {
	src       *source
	maxWindow uint32
	err       error // why the coroutine ended

	yield  func([]byte) bool
	resume func() ([]byte, bool)
	stop   func()
}

func (d *zstdDecoder) begin(bool)   {}
func (d *zstdDecoder) see([]byte)   {}
func (d *zstdDecoder) start() error { return d.err }

func (d *zstdDecoder) next() ([]byte, error) {
	if d.resume == nil && d.err == nil {
		d.resume, d.stop = iter.Pull(d.run)
	}
	if d.err != nil {
		return nil, d.err
	}
	for {
		p, ok := d.resume()
		switch {
		case !ok:
			return nil, d.err
		case p == nil || len(p) > 0:
			return p, nil
		}
	}
}

func (d *zstdDecoder) close() {
	if d.stop != nil {
		d.stop()
	}
	d.err = errClosed
}

// run is the coroutine.
func (d *zstdDecoder) run(yield func([]byte) bool) {
	d.yield = yield
	dec, err := zstd.NewReader(zstdSource{d},
		zstd.WithDecoderConcurrency(1), // works in this coroutine
		zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(uint64(d.maxWindow)),
		zstd.WithDecoderMaxMemory(uint64(d.maxWindow)))
	if err != nil {
		d.err = fmt.Errorf("start zstd: %w", err)
		return
	}
	defer dec.Close()
	_, err = dec.WriteTo(zstdSink{d})
	switch {
	case d.src.err != nil:
		d.err = d.src.err
	case errors.Is(err, zstd.ErrWindowSizeExceeded) || errors.Is(err, zstd.ErrDecoderSizeExceeded):
		d.err = fmt.Errorf("the sender's zstd level needs more than the %d bytes of memory allowed; ask for a lower --compress-level: %w", d.maxWindow, err)
	case err != nil:
		d.err = fmt.Errorf("decompress with zstd: %w", err)
	default:
		d.err = errors.New("decompress with zstd: the data ended within a session")
	}
}

// zstdSource gives the coroutine its input.
type zstdSource struct{ d *zstdDecoder }

// Read waits, in the middle of the library, until there is a packet.
func (s zstdSource) Read(p []byte) (int, error) {
	for {
		n, err := s.d.src.Read(p)
		if err != io.EOF {
			return n, err
		}
		if !s.d.yield(nil) {
			return 0, errClosed
		}
	}
}

// zstdSink takes the coroutine's output.
type zstdSink struct{ d *zstdDecoder }

// Write hands a block over; it is valid until the coroutine goes on.
func (s zstdSink) Write(p []byte) (int, error) {
	if !s.d.yield(p[:len(p):len(p)]) {
		return 0, errClosed
	}
	return len(p), nil
}
