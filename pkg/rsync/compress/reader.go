package compress

import (
	"errors"
	"fmt"
	"io"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// decoder makes literal data of packets.
type decoder interface {
	// begin starts a file; plain says that it has no blocks.
	begin(plain bool)
	// start is called when a packet is at hand after a block or the beginning.
	start() error
	// next returns data, valid until the next call, or nil when all of it up
	// to the flag that ends the packets is out. Empty data is not nil.
	next() ([]byte, error)
	// see tells of a matched block.
	see(p []byte)
	// close frees what is held; nothing else is called after it.
	close()
}

// source is a row of packets as a reader, up to a flag of another kind.
type source struct {
	r    *wire.Reader
	left int  // bytes of the packet at hand
	flag byte // the flag that ended the row, if held
	held bool
	err  error // of r
}

// more reports whether there is data; without, flag is held or err set.
func (s *source) more() bool {
	for s.left == 0 && !s.held && s.err == nil {
		flag := s.r.Byte()
		if flag&flagDataMask == flagData {
			s.left = int(flag&^flagDataMask)<<8 | int(s.r.Byte())
		} else {
			s.flag, s.held = flag, true
		}
		s.check()
	}
	return s.err == nil && s.left > 0
}

func (s *source) check() {
	if s.err = s.r.Err(); errors.Is(s.err, io.EOF) {
		s.err = &proto.Gone{Err: io.ErrUnexpectedEOF}
	}
	if s.err != nil {
		s.left, s.held = 0, false
	}
}

// Read implements io.Reader; io.EOF means that a flag is held.
func (s *source) Read(p []byte) (int, error) {
	if !s.more() {
		if s.err != nil {
			return 0, s.err
		}
		return 0, io.EOF
	}
	n, err := s.r.Read(p[:min(len(p), s.left)])
	s.left -= n
	if err != nil {
		s.check()
		err = s.err
	}
	return n, err
}

// Reader reads the tokens of one file after another. It is for one goroutine.
type Reader struct {
	src *source
	dec decoder
	err error

	inFile bool
	active bool  // dec has data to give
	token  int32 // last block
	run    int32 // blocks of the run still to come
}

var (
	errRun    = errors.New("read token: run of no blocks")
	errClosed = errors.New("the reader of compressed tokens is closed")
)

// Next returns literal bytes, valid until the next call, or the number of a
// block below count, or neither and done at the end of the file. After an
// error the stream cannot be read any further.
func (t *Reader) Next(r *wire.Reader, count int32) (literal []byte, block int32, done bool, err error) {
	if t.err != nil {
		return nil, 0, false, t.err
	}
	literal, block, done, err = t.next(r, count)
	if err != nil {
		t.err = err
	}
	return literal, block, done, err
}

func (t *Reader) next(r *wire.Reader, count int32) (literal []byte, block int32, done bool, err error) {
	t.src.r = r
	if !t.inFile {
		t.inFile, t.token = true, 0
		t.dec.begin(count == 0)
	}
	if t.run > 0 {
		t.run--
		t.token++
		return nil, t.token, false, nil
	}
	for {
		if literal, err = t.literal(); err != nil || literal != nil {
			return literal, 0, false, err
		}
		if t.src.more() {
			if err := t.dec.start(); err != nil {
				return nil, 0, false, fmt.Errorf("read compressed data: %w", err)
			}
			t.active = true
			continue
		}
		if t.src.err != nil {
			return nil, 0, false, fmt.Errorf("read token: %w", t.src.err)
		}
		t.src.held = false
		if t.src.flag == flagEnd {
			t.inFile = false
			return nil, 0, true, nil
		}
		block, err = t.block(r, t.src.flag, count)
		return nil, block, false, err
	}
}

// literal returns the next data of the packets at hand, nil if there is none.
func (t *Reader) literal() ([]byte, error) {
	for t.active {
		p, err := t.dec.next()
		if err != nil {
			return nil, fmt.Errorf("read compressed data: %w", err)
		}
		if len(p) > 0 {
			return p, nil
		}
		t.active = p != nil
	}
	return nil, nil
}

// block reads what follows the flag of a block or run, all of which must be
// below count.
func (t *Reader) block(r *wire.Reader, flag byte, count int32) (int32, error) {
	var first int64
	run := false
	switch {
	case flag&flagRelative != 0:
		first = int64(t.token) + int64(flag&maxRelative)
		run = flag&flagRun != 0
	case flag == flagLong || flag == flagRunLong:
		first = int64(r.Int32())
		run = flag == flagRunLong
	default:
		return 0, fmt.Errorf("read token: flag 0x%02x has no meaning", flag)
	}
	more := int64(0)
	if run {
		more = int64(r.Uint16())
	}
	switch {
	case r.Err() != nil:
		return 0, fmt.Errorf("read token: %w", r.Err())
	case run && more == 0:
		return 0, errRun
	case first < 0 || first+more >= int64(count):
		return 0, fmt.Errorf("token names block %d of %d", first+more, count)
	}
	t.token, t.run = int32(first), int32(more)
	return t.token, nil
}

// See tells of the data of the block that Next has returned last. It must be
// called for each block, before the next call of Next; if the data cannot be
// had, any bytes of that length keep the stream readable. Only zlib looks at
// them, and copies what it needs (token.c:see_token).
func (t *Reader) See(data []byte) { t.dec.see(data) }

// Close frees what the decompressor holds. Next returns an error from then on.
func (t *Reader) Close() {
	t.dec.close()
	if t.err == nil {
		t.err = errClosed
	}
}
