package transfer

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
)

// tape is a file that is written from its start to its end.
type tape struct {
	data  []byte
	limit int // bytes that it takes, 0: any number
	fault any
}

func (m *tape) put(p []byte, at int64) (int, error) {
	if int(at) != len(m.data) {
		return 0, errors.New("not where the last piece ended")
	}
	if m.limit > 0 && len(m.data)+len(p) > m.limit {
		if m.fault != nil {
			panic(m.fault)
		}
		n := m.limit - len(m.data)
		m.data = append(m.data, p[:n]...)
		return n, io.ErrShortWrite
	}
	m.data = append(m.data, p...)
	return len(p), nil
}

// Files of all lengths around a piece's, one after another, come out whole.
func TestBehind(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	var b behind
	for _, size := range []int{0, 1, behindPiece - 1, behindPiece, behindPiece + 1, 3 * behindPiece, 9*behindPiece + 17} {
		data := make([]byte, size)
		for i := range data {
			data[i] = byte(rng.Uint32())
		}
		var m tape
		b.start(m.put, 0)
		for rest := data; len(rest) > 0; {
			n := min(len(rest), 1+rng.IntN(2*behindPiece))
			if err := b.write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		for range 2 { // it may be settled twice
			if at, err := b.settle(); err != nil || at != int64(size) {
				t.Fatalf("%d bytes: settled at %d: %v", size, at, err)
			}
		}
		if !bytes.Equal(m.data, data) {
			t.Errorf("%d bytes became others", size)
		}
	}
}

// An error, or a panic, comes out while the file is being written or where it
// is settled, and the next file is none the worse for it.
func TestBehindFails(t *testing.T) {
	var b behind
	fails := func(more int) (at int64, err error) {
		m := tape{limit: 2*behindPiece + 5}
		b.start(m.put, 0)
		for range 3 + more {
			if err = b.write(make([]byte, behindPiece)); err != nil {
				break
			}
		}
		at, settled := b.settle()
		return at, errors.Join(err, settled)
	}
	for _, more := range []int{0, 1, 50} {
		if at, err := fails(more); !errors.Is(err, io.ErrShortWrite) || at != 2*behindPiece+5 {
			t.Errorf("a full disk, %d pieces later: settled at %d: %v", more, at, err)
		}
	}
	m := tape{limit: 1, fault: "a fault"}
	b.start(m.put, 0)
	func() {
		defer func() {
			if p := recover(); p != "a fault" {
				t.Errorf("a panic comes out as %v", p)
			}
		}()
		for range 50 {
			_ = b.write(make([]byte, behindPiece))
		}
		_, err := b.settle()
		t.Errorf("a panic comes out as the error %v", err)
	}()
	var fresh tape
	b.start(fresh.put, 0)
	if err := b.write([]byte("data")); err != nil {
		t.Error(err)
	}
	if _, err := b.settle(); err != nil || string(fresh.data) != "data" {
		t.Errorf("the file after that holds %q: %v", fresh.data, err)
	}
}
