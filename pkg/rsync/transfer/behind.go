package transfer

import (
	"math/bits"
	"runtime"
	"sync/atomic"
)

// A large file's data is written by a goroutine of its own, so that the next of it
// can be read from the connection and summed meanwhile: for the kernel to take it
// is three quarters of the work. Boards have neither a second processor for
// that nor the memory.
const (
	behindFrom  = 4 << 20   // bytes of a file for which that is worth it
	behindPiece = 256 << 10 // bytes that are handed over at a time
	behindAhead = 3         // pieces
)

// worthBehind reports whether a file of a size is written behind.
func worthBehind(size int64) bool {
	return bits.UintSize == 64 && size >= behindFrom && runtime.GOMAXPROCS(0) > 1
}

// behind writes one file after another.
type behind struct {
	free chan []byte // pieces to fill; made with the first file
	file behindFile
}

// behindFile is the file at hand.
type behindFile struct {
	put    func(p []byte, at int64) (int, error)
	filled chan []byte
	piece  []byte // is being filled
	ended  chan struct{}

	at     int64 // how far it is written; of the goroutine until it has ended
	err    error // why it is no further, set before failed
	fault  any   // what the goroutine has panicked with
	failed atomic.Bool
}

// start begins a file, which put writes from at on; settle ends it.
func (b *behind) start(put func(p []byte, at int64) (int, error), at int64) {
	if b.free == nil {
		b.free = make(chan []byte, behindAhead)
		for range behindAhead {
			b.free <- make([]byte, 0, behindPiece)
		}
	}
	b.file = behindFile{put: put, at: at, filled: make(chan []byte, behindAhead), ended: make(chan struct{})}
	go b.work(b.file.filled, b.file.ended)
}

// work writes what is handed over, and after an error takes the rest without.
func (b *behind) work(filled <-chan []byte, ended chan<- struct{}) {
	f := &b.file
	defer close(ended)
	for p := range filled {
		if !f.failed.Load() {
			f.write(p)
		}
		b.free <- p[:0]
	}
}

func (f *behindFile) write(p []byte) {
	defer func() {
		if f.fault = recover(); f.fault != nil || f.err != nil {
			f.failed.Store(true)
		}
	}()
	n, err := f.put(p, f.at)
	f.at += int64(n)
	f.err = err
}

// write takes p. An error may be that of what was taken before.
func (b *behind) write(p []byte) error {
	f := &b.file
	for len(p) > 0 {
		if f.failed.Load() {
			_, err := b.settle()
			return err
		}
		if f.piece == nil {
			f.piece = <-b.free
		}
		n := min(len(p), cap(f.piece)-len(f.piece))
		f.piece = append(f.piece, p[:n]...)
		p = p[n:]
		if len(f.piece) == cap(f.piece) {
			f.filled <- f.piece
			f.piece = nil
		}
	}
	return nil
}

// settle waits until all is written and says how far that is. The file is the
// caller's again.
func (b *behind) settle() (at int64, err error) {
	f := &b.file
	if f.filled != nil {
		if f.piece != nil {
			f.filled <- f.piece
			f.piece = nil
		}
		close(f.filled)
		f.filled = nil
		<-f.ended
	}
	if p := f.fault; p != nil {
		f.fault = nil
		panic(p) // where the session contains it, not the process
	}
	return f.at, f.err
}
