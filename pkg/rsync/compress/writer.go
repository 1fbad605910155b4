package compress

import (
	"errors"
	"io"

	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// Flag bytes of the stream (token.c).
const (
	flagEnd      = 0x00
	flagLong     = 0x20 // an int32 follows
	flagRunLong  = 0x21 // an int32 and 16 bits follow
	flagData     = 0x40 // the low 6 bits are high bits of a length
	flagRelative = 0x80 // the low 6 bits are a difference
	flagRun      = 0x40 // with flagRelative: 16 bits follow

	flagDataMask = 0xc0
)

// Limits of the format (token.c).
const (
	maxPacket   = 1<<14 - 1 // bytes of a data packet
	maxRun      = 1 << 16   // blocks of a run
	maxRelative = 1<<6 - 1  // difference of a block number to the last one
)

// encoder makes packets of literal data.
type encoder interface {
	// literal takes data, some of which may stay behind until flush.
	literal(p []byte) error
	// flush sends all that was taken since the last flush.
	flush() error
	// match tells of data that the receiver has.
	match(p []byte) error
	// begin starts a file; store asks for little effort.
	begin(store bool)
}

// Writer writes the tokens of one file after another. After an error only that
// error comes back. It is for one goroutine.
type Writer struct {
	w   io.Writer
	enc encoder
	err error

	pending bool // literal data since the last flush
	open    bool // a run that has not been written
	first   int32
	last    int32 // of the open run
	before  int32 // last block of the run before
	scratch [7]byte
}

var errBlock = errors.New("write compressed tokens: negative block number")

// Store makes the writer spend as little effort as it can on the next file, or
// on the one whose first token has not been written yet: zlib, zlibx and lz4
// send its literals as they are, zstd has no such thing within a session and
// goes on as always. Any receiver understands it. It holds for one file.
func (w *Writer) Store() { w.enc.begin(true) }

// Literal writes bytes that the receiver does not have. They are only valid
// during the call.
func (w *Writer) Literal(p []byte) error {
	if len(p) == 0 || w.err != nil {
		return w.err
	}
	if w.endRun(); w.err == nil {
		w.pending = true
		w.fail(w.enc.literal(p))
	}
	return w.err
}

// Match writes the number of a block that the receiver has. data is the
// block's bytes, only valid during the call.
func (w *Writer) Match(block int32, data []byte) error {
	if block < 0 {
		w.fail(errBlock)
	}
	w.flush()
	if w.open && (block != w.last+1 || block-w.first >= maxRun) {
		w.endRun()
	}
	if !w.open {
		w.open, w.first = true, block
	}
	w.last = block
	if w.err == nil {
		w.fail(w.enc.match(data))
	}
	return w.err
}

// End ends the file. The next token belongs to the next one.
func (w *Writer) End() error {
	w.flush()
	w.endRun()
	w.write(append(w.scratch[:0], flagEnd))
	w.before = 0
	w.enc.begin(false)
	return w.err
}

func (w *Writer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

func (w *Writer) write(b []byte) {
	if w.err == nil {
		_, w.err = w.w.Write(b)
	}
}

// flush sends literal data before a block or the end.
func (w *Writer) flush() {
	if w.pending && w.err == nil {
		w.fail(w.enc.flush())
	}
	w.pending = false
}

// endRun writes the open run, if there is one.
func (w *Writer) endRun() {
	if !w.open {
		return
	}
	more := w.last - w.first
	b := w.scratch[:0]
	if r := w.first - w.before; r >= 0 && r <= maxRelative {
		b = append(b, flagRelative|byte(r))
		if more > 0 {
			b[0] |= flagRun
		}
	} else {
		b = append(b, flagLong)
		if more > 0 {
			b[0] = flagRunLong
		}
		b = wire.AppendInt32(b, w.first)
	}
	if more > 0 {
		b = wire.AppendUint16(b, uint16(more))
	}
	w.write(b)
	w.open, w.before = false, w.last
}

// packets cuts a compressed stream into data packets. It writes those that are
// full and keeps back the last keep bytes, which a flush may have to drop.
type packets struct {
	w    io.Writer
	keep int
	drop bool   // throw away what comes
	buf  []byte // room for a packet's head, then what waits
}

const packetHead = 2 // bytes

// Write implements io.Writer for compressors.
func (p *packets) Write(b []byte) (int, error) {
	n := len(b)
	if p.drop {
		return n, nil
	}
	if p.buf == nil {
		p.buf = make([]byte, packetHead, packetHead+maxPacket+p.keep)
	}
	for {
		c := min(len(b), cap(p.buf)-len(p.buf))
		p.buf = append(p.buf, b[:c]...)
		if b = b[c:]; len(b) == 0 {
			return n, nil
		}
		if err := p.send(maxPacket); err != nil {
			return n - len(b), err
		}
	}
}

// send writes a packet of the first n bytes that wait.
func (p *packets) send(n int) error {
	end := packetHead + n
	p.buf[0], p.buf[1] = flagData|byte(n>>8), byte(n)
	_, err := p.w.Write(p.buf[:end])
	p.buf = p.buf[:packetHead+copy(p.buf[packetHead:], p.buf[end:])]
	return err
}

// finish writes what waits but for its last cut bytes, which it drops.
func (p *packets) finish(cut int) error {
	if len(p.buf) < packetHead+cut {
		return nil
	}
	p.buf = p.buf[:len(p.buf)-cut]
	for n := len(p.buf) - packetHead; n > 0; n = len(p.buf) - packetHead {
		if err := p.send(min(n, maxPacket)); err != nil {
			return err
		}
	}
	return nil
}
