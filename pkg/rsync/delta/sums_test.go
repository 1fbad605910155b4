package delta

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/checksum"
)

// endless is a basis of any size whose bytes tell where they are; from bad on it
// cannot be read.
type endless struct {
	bad   int64
	panic bool
}

func (e endless) ReadAt(p []byte, at int64) (int, error) {
	if e.bad > 0 && at+int64(len(p)) > e.bad {
		if e.panic {
			panic("a fault")
		}
		return 0, errBad
	}
	for i := range p {
		at := at + int64(i)
		p[i] = byte(at) ^ byte(at>>8) ^ byte(at>>16)*3
	}
	return len(p), nil
}

var errBad = errors.New("a bad sector")

// A large basis is read in two places at once; its sums come as those of a
// small one do.
func TestSumsOfLargeBasis(t *testing.T) {
	if runtime.GOMAXPROCS(0) < 2 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	}
	for _, size := range []int64{sumLarge, sumLarge + 1, 5*sumPiece - 1, 4*sumPiece + 12345} {
		for _, block := range []int32{700, 4096, 100_000, 3 << 20, 16 << 20} {
			h, ok := NewHead(size, block, false, SumLimits{OnWire: true, Size: 16, MaxSize: 16 << 20})
			if !ok {
				t.Fatal("no head")
			}
			sums := checksum.NewBlocks(checksum.MD5, 7, true)
			var got bytes.Buffer
			if _, err := WriteSums(&got, endless{}, h, sums, nil); err != nil {
				t.Fatal(err)
			}
			var want bytes.Buffer
			s := summer{basis: endless{}, head: h, sums: sums}
			for i := int32(0); i < h.Count; {
				var out []byte
				var err error
				if out, i, err = s.read(nil, i, h.Count); err != nil {
					t.Fatal(err)
				}
				want.Write(out)
			}
			if want.Len() != int(h.Count)*(4+int(h.SumLen)) || !bytes.Equal(got.Bytes(), want.Bytes()) {
				t.Errorf("%d bytes in blocks of %d: the %d bytes of sums are not the %d that one worker makes", size, h.Block, got.Len(), want.Len())
			}
		}
	}
}

// What goes wrong in a worker ends all of them, before the file is closed.
func TestSumsOfLargeBasisFail(t *testing.T) {
	if runtime.GOMAXPROCS(0) < 2 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	}
	h, _ := NewHead(64*sumPiece, 4096, false, limits)
	sums := checksum.NewBlocks(checksum.XXH128, 7, true)
	if _, err := WriteSums(io.Discard, endless{bad: 3*sumPiece + 5}, h, sums, nil); !errors.Is(err, errBad) {
		t.Errorf("a basis that cannot be read: %v", err)
	}
	if _, err := WriteSums(&limited{left: 100}, endless{}, h, sums, nil); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("a connection that is gone: %v", err)
	}
	defer func() {
		if p := recover(); p != "a fault" {
			t.Errorf("a panic comes out as %v", p)
		}
	}()
	_, err := WriteSums(io.Discard, endless{bad: 3*sumPiece + 5, panic: true}, h, sums, nil)
	t.Errorf("a panic comes out as the error %v", err)
}

// limited takes so many bytes.
type limited struct{ left int }

func (l *limited) Write(p []byte) (int, error) {
	if l.left -= len(p); l.left < 0 {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}
