package fill

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"sync"
)

// Head is what is known of a file before its bytes.
type Head struct {
	Status int // of HTTP, 200 when a body follows
	Header http.Header
	Length int64 // bytes, -1 if only the end will tell
}

// Fill is a file that is arriving.
type Fill struct {
	Key string

	mu      sync.Mutex
	changed chan struct{} // closed at the next change, nil while nobody waits
	head    *Head
	file    *os.File // nil until the head is known
	shown   int64    // bytes that readers may have
	over    bool
	err     error // why it did not end well, once over
	readers int
	gone    func() // closes the file after the last reader
}

func newFill(key string) *Fill { return &Fill{Key: key} }

// hold keeps the bytes at hand until release.
func (f *Fill) hold() {
	f.mu.Lock()
	f.readers++
	f.mu.Unlock()
}

// Release gives back what Get gave. Readers stay good.
func (f *Fill) Release() {
	f.mu.Lock()
	f.readers--
	f.closeIfIdle()
	f.mu.Unlock()
}

// update changes the fill and wakes who waits.
func (f *Fill) update(change func()) {
	f.mu.Lock()
	change()
	if f.changed != nil {
		close(f.changed)
		f.changed = nil
	}
	f.mu.Unlock()
}

// wait returns when ready says so, the fill is over, or the context ends. ready
// is called with the lock held, which is held when wait returns.
func (f *Fill) wait(ctx context.Context, ready func() bool) error {
	f.mu.Lock()
	for !ready() && !f.over {
		if f.changed == nil {
			f.changed = make(chan struct{})
		}
		changed := f.changed
		f.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			f.mu.Lock()
			return context.Cause(ctx)
		}
		f.mu.Lock()
	}
	return nil
}

// Head waits for what upstream says of the file. A Status other than 200 has
// no body here: the fill is over.
func (f *Fill) Head(ctx context.Context) (Head, error) {
	err := f.wait(ctx, func() bool { return f.head != nil })
	defer f.mu.Unlock()
	switch {
	case err != nil:
		return Head{}, err
	case f.head == nil:
		return Head{}, f.err
	}
	return *f.head, nil
}

// Wait waits for the end and returns why it was no good, nil if the file is
// whole and in the store.
func (f *Fill) Wait(ctx context.Context) error {
	err := f.wait(ctx, func() bool { return false })
	defer f.mu.Unlock()
	if err != nil {
		return err
	}
	return f.err
}

// Err is why the fill ended badly, nil as long as it has not.
func (f *Fill) Err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// Progress tells how many bytes have come, of how many (-1: not known), and
// how many read along.
func (f *Fill) Progress() (have, length int64, readers int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.head == nil {
		return 0, -1, f.readers
	}
	return f.shown, f.head.Length, f.readers
}

// Reader reads along. It is an io.ReadSeekCloser for one goroutine. Reading
// waits for bytes that have not come, and ends with an error, never with io.EOF,
// when the file turns out not to be whole.
type Reader struct {
	f    *Fill
	ctx  context.Context
	at   int64
	open bool
}

// ErrNoBody is returned by Fill.Reader when there are no bytes to read.
var ErrNoBody = errors.New("the answer has no body")

// Reader returns a reader from the beginning. ctx is that of whoever reads.
func (f *Fill) Reader(ctx context.Context) (*Reader, error) {
	err := f.wait(ctx, func() bool { return f.head != nil })
	defer f.mu.Unlock()
	switch {
	case err != nil:
		return nil, err
	case f.file == nil && f.err != nil:
		return nil, f.err
	case f.file == nil:
		return nil, ErrNoBody
	}
	f.readers++
	return &Reader{f: f, ctx: ctx, open: true}, nil
}

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	if !r.open {
		return 0, fs.ErrClosed
	}
	if len(p) == 0 {
		return 0, nil
	}
	err := r.f.wait(r.ctx, func() bool { return r.f.shown > r.at })
	shown, over, fillErr := r.f.shown, r.f.over, r.f.err
	r.f.mu.Unlock()
	switch {
	case err != nil:
		return 0, err
	case shown > r.at:
		n, err := r.f.file.ReadAt(p[:min(int64(len(p)), shown-r.at)], r.at)
		r.at += int64(n)
		if n > 0 || err == io.EOF {
			err = nil
		}
		return n, err
	case over && fillErr != nil:
		return 0, fillErr
	}
	return 0, io.EOF
}

// Seek implements io.Seeker. The end is known when the length is; otherwise
// seeking from it waits for it.
func (r *Reader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += r.at
	case io.SeekEnd:
		n, err := r.size()
		if err != nil {
			return 0, err
		}
		offset += n
	}
	if offset < 0 {
		return 0, fs.ErrInvalid
	}
	r.at = offset
	return offset, nil
}

func (r *Reader) size() (int64, error) {
	r.f.mu.Lock()
	n := r.f.head.Length
	r.f.mu.Unlock()
	if n >= 0 {
		return n, nil
	}
	if err := r.f.Wait(r.ctx); err != nil {
		return 0, err
	}
	r.f.mu.Lock()
	defer r.f.mu.Unlock()
	return r.f.shown, nil
}

// Close implements io.Closer.
func (r *Reader) Close() error {
	if !r.open {
		return fs.ErrClosed
	}
	r.open = false
	r.f.Release()
	return nil
}

// closeIfIdle closes the file when nobody needs it; the lock is held.
func (f *Fill) closeIfIdle() {
	if f.over && f.readers == 0 && f.gone != nil {
		f.gone()
		f.gone = nil
	}
}

// begin lets readers in.
func (f *Fill) begin(h Head, file *os.File) {
	f.update(func() {
		f.head, f.file = &h, file
		if file != nil {
			f.gone = func() { file.Close() }
		}
	})
}

// show lets readers have the first n bytes.
func (f *Fill) show(n int64) {
	f.update(func() { f.shown = max(f.shown, n) })
}

// end ends the fill. After a good end all bytes are shown.
func (f *Fill) end(have int64, err error) {
	f.update(func() {
		f.over, f.err = true, err
		if err == nil {
			f.shown = max(f.shown, have)
			if f.head != nil && f.file != nil {
				f.head.Length = have
			}
		}
		f.closeIfIdle()
	})
}
