package delta

import (
	"fmt"
	"io"
	"runtime"
	"sync"

	"github.com/empegsync/empegsync/pkg/rsync/checksum"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// How the sums of a basis file are made. The sender has nothing to do until it
// has them all: a large file is read in two places at once, where there are
// processors for it.
const (
	sumRead   = 64 << 10 // bytes that are read at a time, or one block
	sumPiece  = 2 << 20  // bytes that a worker takes at a time
	sumLarge  = 4 * sumPiece
	sumsAtAll = 2 // workers
)

// WriteSums reads the basis file and appends the sums of its blocks to w
// (generator.c:generate_and_send_sums). buf is scratch space and is returned,
// perhaps grown, for the next call. Of a large basis, parts are read from other
// goroutines, which have ended when it returns.
func WriteSums(w io.Writer, basis io.ReaderAt, h Head, sums *checksum.Blocks, buf []byte) ([]byte, error) {
	s := summer{basis: basis, head: h, sums: sums, buf: buf}
	if h.Size() >= sumLarge && runtime.GOMAXPROCS(0) > 1 {
		return buf, s.writeLarge(w)
	}
	var out []byte
	for i := int32(0); i < h.Count; {
		var err error
		if out, i, err = s.read(out[:0], i, h.Count); err != nil {
			return s.buf, err
		}
		if _, err := w.Write(out); err != nil {
			return s.buf, err
		}
	}
	return s.buf, nil
}

// summer makes the sums of one basis file; it is for one goroutine.
type summer struct {
	basis     io.ReaderAt
	head      Head
	sums      *checksum.Blocks
	buf, full []byte
}

// read reads some blocks from the one called first on, but none from end on,
// appends their sums to out and returns the block that follows.
func (s *summer) read(out []byte, first, end int32) ([]byte, int32, error) {
	h := &s.head
	next := first + min(max(1, sumRead/max(h.Block, 1)), end-first)
	n := int(h.Offset(next-1) - h.Offset(first) + int64(h.Len(next-1)))
	if cap(s.buf) < n { // -B may be larger than the file
		s.buf = make([]byte, n)
	}
	p := s.buf[:n]
	if got, err := s.basis.ReadAt(p, h.Offset(first)); got < n {
		// A basis that shrinks under us: the sums of zeros match nothing
		// that the sender has, so the data will come as literals.
		if err != nil && err != io.EOF {
			return out, next, fmt.Errorf("read the basis file: %w", err)
		}
		clear(p[got:])
	}
	for j := first; j < next; j++ {
		block := p[:h.Len(j)]
		p = p[len(block):]
		s.full = s.sums.Sum(s.full[:0], block)
		out = wire.AppendInt32(out, int32(checksum.Weak(block)))
		out = append(out, s.full[:min(int(h.SumLen), len(s.full))]...)
	}
	return out, next, nil
}

// piece is what a worker has made of some blocks.
type piece struct {
	sums  []byte
	err   error
	fault any // what it has panicked with
}

// writeLarge has workers make every second piece each and writes them in order.
func (s *summer) writeLarge(w io.Writer) error {
	stride := max(1, sumPiece/s.head.Block)
	var made [sumsAtAll]chan piece
	quit := make(chan struct{})
	var ended sync.WaitGroup
	defer ended.Wait() // the file may be closed then
	defer close(quit)
	for i := range made {
		made[i] = make(chan piece, 1)
		own := summer{basis: s.basis, head: s.head, sums: s.sums.Clone()}
		ended.Go(func() { own.work(made[i], quit, int64(i)*int64(stride), stride) })
	}
	for i, at := 0, int64(0); at < int64(s.head.Count); i, at = i+1, at+int64(stride) {
		p := <-made[i%len(made)]
		if p.fault != nil {
			panic(p.fault) // where the session contains it, not the process
		}
		if p.err != nil {
			return p.err
		}
		if _, err := w.Write(p.sums); err != nil {
			return err
		}
	}
	return nil
}

// work makes the piece of stride blocks from the one called first on, and then
// each one that no other worker makes.
func (s *summer) work(made chan<- piece, quit <-chan struct{}, first int64, stride int32) {
	for ; first < int64(s.head.Count); first += sumsAtAll * int64(stride) {
		p := s.piece(int32(first), stride)
		select {
		case made <- p:
		case <-quit:
			return
		}
		if p.err != nil || p.fault != nil {
			return
		}
	}
}

func (s *summer) piece(first, stride int32) (p piece) {
	defer func() { p.fault = recover() }()
	end := first + min(stride, s.head.Count-first)
	for first < end && p.err == nil {
		p.sums, first, p.err = s.read(p.sums, first, end)
	}
	return p
}
