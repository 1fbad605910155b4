package compress

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/flate"
)

// boundary is put behind the packets before a block or the end: what the
// sender has left out of its flush, and an empty last block, so that the
// library ends a stream that was flushed, and no other one, without an error.
const boundary = syncTail + "\x01" + syncTail

// inflater reads the packets of zlib and zlibx (token.c:recv_deflated_token).
// Each row of packets between blocks is a stream of its own to the library,
// with what came before as its dictionary.
type inflater struct {
	src    *source
	insert bool
	repeat bool

	fr    io.ReadCloser
	br    *bufio.Reader
	out   []byte
	tail  int     // bytes of boundary that have been given
	past  history // of this file
	plain bool    // past is not needed
}

var errSync = errors.New("deflated data does not end where the sender says: lost sync")

func newInflater(src *source, insert, repeat bool) *inflater {
	return &inflater{src: src, insert: insert, repeat: repeat}
}

func (d *inflater) begin(plain bool) {
	d.plain = plain
	d.past.clear()
}

func (d *inflater) close() {}

func (d *inflater) see(p []byte) {
	if d.insert && !d.plain {
		d.past.see(p, d.repeat)
	}
}

func (d *inflater) start() error {
	d.tail = 0
	if d.fr == nil {
		d.out = make([]byte, windowSize)
		d.br = bufio.NewReaderSize(d, maxPacket+1)
		d.fr = flate.NewReaderDict(d.br, d.past.last())
		return nil
	}
	d.br.Reset(d)
	return d.fr.(flate.Resetter).Reset(d.br, d.past.last())
}

// Read gives the library its input.
func (d *inflater) Read(p []byte) (int, error) {
	n, err := d.src.Read(p)
	if err != io.EOF {
		return n, err
	}
	if d.tail == len(boundary) {
		return 0, io.EOF
	}
	n = copy(p, boundary[d.tail:])
	d.tail += n
	return n, nil
}

func (d *inflater) next() ([]byte, error) {
	n, err := d.fr.Read(d.out)
	switch {
	case n > 0: // an error comes again
		if !d.plain {
			d.past.add(d.out[:n])
		}
		return d.out[:n], nil
	case err == nil:
		return d.out[:0], nil
	case d.src.err != nil:
		return nil, d.src.err
	case err != io.EOF:
		return nil, fmt.Errorf("inflate: %w", err)
	case d.tail != len(boundary) || d.br.Buffered() > 0:
		return nil, errSync
	}
	return nil, nil
}
