package compress

import (
	"errors"
	"fmt"
	"io"

	"github.com/pierrec/lz4/v4"
)

// lz4Encoder makes packets that are lz4 blocks (token.c:send_compressed_token).
type lz4Encoder struct {
	w     io.Writer
	table *lz4.Compressor
	in    []byte // literals that do not fill a packet yet
	out   []byte // a packet
	store bool
}

func (e *lz4Encoder) begin(store bool)   { e.store = store }
func (e *lz4Encoder) match([]byte) error { return nil }

func (e *lz4Encoder) literal(p []byte) error {
	if e.in == nil {
		e.in = make([]byte, 0, maxPacket)
		e.out = make([]byte, packetHead+lz4.CompressBlockBound(maxPacket))
		e.table = new(lz4.Compressor)
	}
	for len(p) > 0 {
		if len(e.in) == cap(e.in) {
			if err := e.flush(); err != nil {
				return err
			}
		}
		n := min(len(p), cap(e.in)-len(e.in))
		e.in = append(e.in, p[:n]...)
		p = p[n:]
	}
	return nil
}

func (e *lz4Encoder) flush() error {
	err := e.block(e.in)
	e.in = e.in[:0]
	return err
}

// block sends p as one packet, or as two where it does not fit into one.
func (e *lz4Encoder) block(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	n := 0
	if e.store {
		n = e.storedBlock(p)
	} else {
		var err error
		if n, err = e.table.CompressBlock(p, e.out[packetHead:]); err != nil {
			return fmt.Errorf("compress with lz4: %w", err)
		}
		if n == 0 {
			n = e.storedBlock(p)
		}
	}
	if n > maxPacket {
		half := len(p) / 2
		if err := e.block(p[:half]); err != nil {
			return err
		}
		return e.block(p[half:])
	}
	e.out[0], e.out[1] = flagData|byte(n>>8), byte(n)
	_, err := e.w.Write(e.out[:packetHead+n])
	return err
}

// storedBlock makes a block of p that holds nothing but literals: a token
// whose high half is their count, or 15 and the rest of it in bytes that add up.
func (e *lz4Encoder) storedBlock(p []byte) int {
	b := e.out[:packetHead]
	if n := len(p); n < 15 {
		b = append(b, byte(n)<<4)
	} else {
		b = append(b, 0xf0)
		for n -= 15; n >= 255; n -= 255 {
			b = append(b, 255)
		}
		b = append(b, byte(n))
	}
	return len(append(b, p...)) - packetHead
}

// maxLZ4Output is the most that rsync lets a packet hold
// (token.c:recv_compressed_token).
const maxLZ4Output = 32*1024 + 32*1024/255 + 16

// lz4Decoder reads packets that are lz4 blocks.
type lz4Decoder struct {
	src     *source
	in, out []byte
	got     bool
}

var errLZ4 = errors.New("corrupt lz4 data, or more of it in a packet than rsync sends")

func (d *lz4Decoder) begin(bool)   {}
func (d *lz4Decoder) see([]byte)   {}
func (d *lz4Decoder) close()       {}
func (d *lz4Decoder) start() error { d.got = false; return nil }

// next decodes the packet at hand, then says that it was all.
func (d *lz4Decoder) next() ([]byte, error) {
	if d.got {
		return nil, nil
	}
	if d.in == nil {
		d.in, d.out = make([]byte, maxPacket), make([]byte, maxLZ4Output)
	}
	d.got = true
	p := d.in[:d.src.left]
	if _, err := io.ReadFull(d.src, p); err != nil {
		return nil, err
	}
	n, err := lz4.UncompressBlock(p, d.out)
	if err != nil {
		return nil, errLZ4
	}
	return d.out[:n], nil
}
