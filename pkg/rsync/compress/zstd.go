package compress

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/bits"
	"runtime"

	"github.com/klauspost/compress/zstd"
)

// What a zstd sender spends. With 64 bits it looks back as far as rsync's default
// level does, and makes the frames of a long run in two goroutines; keeping
// little memory would cost half of its speed, for the history is moved at every
// block. With 32 bits, on small boards, memory counts more. Receivers keep as
// much as senders look back.
const (
	small       = bits.UintSize == 32
	sendWindow  = 256 << 10 << (bits.UintSize / 64 * 3) // bytes
	sendWorkers = bits.UintSize / 32
)

// zstdEncoder makes packets of a zstd frame that does not end while the session
// lasts (token.c:send_zstd_token), but where many literals follow each other. That
// frame is made by the goroutine that asks: to hand a file of a few KiB to another
// and to wait for it would cost as much again as to compress it.
type zstdEncoder struct {
	out     *packets
	level   int
	threads int           // at most so many, 0: sendWorkers
	enc     *zstd.Encoder // nil: the frame has ended, or not begun
	run     int           // bytes of literals since the last flush
	frames  *frames       // nil until there was a long run
}

func (e *zstdEncoder) begin(bool)         {}
func (e *zstdEncoder) match([]byte) error { return nil }

// workers is how many goroutines compress at once.
func (e *zstdEncoder) workers() int {
	return min(cmp.Or(e.threads, sendWorkers), runtime.GOMAXPROCS(0))
}

func (e *zstdEncoder) newEncoder(w io.Writer, workers int) (*zstd.Encoder, error) {
	enc, err := zstd.NewWriter(w,
		zstd.WithEncoderConcurrency(workers),
		zstd.WithEncoderCRC(false),
		zstd.WithSingleSegment(false), // or the window would be all of a frame
		zstd.WithWindowSize(sendWindow),
		zstd.WithLowerEncoderMem(small),
		zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(e.level)))
	if err != nil {
		return nil, fmt.Errorf("start zstd at level %d: %w", e.level, err)
	}
	return enc, nil
}

func (e *zstdEncoder) literal(p []byte) error {
	e.run += len(p)
	if e.run > frameSize && e.workers() > 1 {
		return e.framed(p)
	}
	if e.enc == nil {
		var err error
		if e.enc, err = e.newEncoder(e.out, 1); err != nil {
			return err
		}
	}
	_, err := e.enc.Write(p)
	return err
}

// framed is literal in a long run.
func (e *zstdEncoder) framed(p []byte) error {
	if e.frames == nil {
		enc, err := e.newEncoder(nil, e.workers())
		if err != nil {
			return err
		}
		e.frames = &frames{encode: enc.EncodeAll, workers: e.workers(), out: e.out}
	}
	if e.enc != nil {
		if err := e.enc.Close(); err != nil {
			return err
		}
		e.enc = nil // which frees its memory
	}
	return e.frames.add(p)
}

func (e *zstdEncoder) flush() error {
	e.run = 0
	var err error
	if e.enc == nil {
		err = e.frames.flush()
	} else {
		err = e.enc.Flush()
	}
	if err != nil {
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
