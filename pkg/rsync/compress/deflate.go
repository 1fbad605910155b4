package compress

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/klauspost/compress/flate"
)

// syncTail is how a sync flush ends: an empty stored block, but for its three
// bits. Peers leave it out.
const syncTail = "\x00\x00\xff\xff"

// maxStored is the most that a stored block of deflate holds, in bytes.
const maxStored = 0xffff

// deflater makes the packets of zlib and zlibx (token.c:send_deflated_token).
type deflater struct {
	out    *packets
	level  int
	insert bool // matched data enters the history
	repeat bool

	fw      *flate.Writer
	started bool // fw is in the middle of this file
	store   bool
	seen    history // matched data that fw has not been told of
}

var errFlush = errors.New("compress: deflate's flush does not end as it should")

func (d *deflater) begin(store bool) {
	d.started, d.store = false, store
	d.seen.clear()
}

func (d *deflater) literal(p []byte) error {
	if d.store {
		return d.stored(p)
	}
	if err := d.prime(); err != nil {
		return err
	}
	_, err := d.fw.Write(p)
	return err
}

// stored sends p in blocks that are not compressed. A file consists of such
// blocks or of none, so nothing needs its history.
func (d *deflater) stored(p []byte) error {
	for len(p) > 0 {
		n := min(len(p), maxStored)
		lo, hi := byte(n), byte(n>>8)
		if _, err := d.out.Write([]byte{0, lo, hi, ^lo, ^hi}); err != nil {
			return err
		}
		if _, err := d.out.Write(p[:n]); err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// prime makes the compressor know the matched data that the receiver knows.
// What a flush makes of a little data is thrown away, which is how rsync does
// it; from a window on, older data is out of reach and starting over is
// cheaper.
func (d *deflater) prime() error {
	if d.fw == nil {
		fw, err := flate.NewWriter(d.out, d.level)
		if err != nil {
			return fmt.Errorf("start deflate at level %d: %w", d.level, err)
		}
		d.fw = fw
	}
	switch {
	case !d.started || d.seen.full():
		d.fw.ResetDict(d.out, d.seen.last())
		d.started = true
	case len(d.seen.buf) > 0:
		d.out.drop = true
		_, err := d.fw.Write(d.seen.last())
		if err == nil {
			err = d.fw.Flush()
		}
		d.out.drop = false
		if err != nil {
			return err
		}
	}
	d.seen.clear()
	return nil
}

func (d *deflater) flush() error {
	var err error
	if d.store {
		_, err = d.out.Write([]byte("\x00" + syncTail))
	} else {
		err = d.fw.Flush()
	}
	if err != nil {
		return err
	}
	if !bytes.HasSuffix(d.out.buf, []byte(syncTail)) {
		return errFlush
	}
	return d.out.finish(len(syncTail))
}

func (d *deflater) match(p []byte) error {
	if d.insert && !d.store {
		d.seen.see(p, d.repeat)
	}
	return nil
}
