package transfer

import (
	"bytes"

	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

// sink is where a file's data goes: a temporary file, or one that is there
// already and is written into (fileio.c).
type sink struct {
	f      *rootfs.File
	size   int64 // of what has come
	sparse bool
	// filled is how far the file may hold something already.
	filled int64
	hole   int64   // zeros before size that have not been written
	cut    bool    // the file may be longer than what comes
	fixed  bool    // a device: it has its length
	behind *behind // writes the file, nil: this does
}

// sparseUnit is what zeros are looked for in, in bytes (fileio.c:SPARSE_WRITE_SIZE).
const sparseUnit = 1024

// write appends p.
func (s *sink) write(p []byte) error {
	if s.behind != nil {
		s.size += int64(len(p))
		return s.behind.write(p)
	}
	if !s.sparse {
		n, err := s.f.WriteAt(p, s.size)
		s.size += int64(n)
		return err
	}
	return s.eachRun(p, func(run []byte) error {
		_, err := s.f.WriteAt(run, s.size)
		return err
	})
}

// skip appends p, which the file is known to hold there.
func (s *sink) skip(p []byte) error {
	if !s.sparse {
		s.size += int64(len(p))
		return nil
	}
	return s.eachRun(p, func([]byte) error { return nil })
}

// leaveOut passes over n bytes that nobody has.
func (s *sink) leaveOut(n int32) error {
	err := s.settle()
	s.size += int64(n)
	return err
}

// eachRun takes zeros out of p and calls f for what lies between them.
func (s *sink) eachRun(p []byte, f func(run []byte) error) error {
	for len(p) > 0 {
		n := 0
		for n < len(p) && isZero(p[n:min(n+sparseUnit, len(p))]) {
			n = min(n+sparseUnit, len(p))
		}
		if n > 0 {
			s.hole += int64(n)
			s.size += int64(n)
			p = p[n:]
			continue
		}
		for n < len(p) && !isZero(p[n:min(n+sparseUnit, len(p))]) {
			n = min(n+sparseUnit, len(p))
		}
		if err := s.punch(); err != nil {
			return err
		}
		if err := f(p[:n]); err != nil {
			return err
		}
		s.size += int64(n)
		p = p[n:]
	}
	return nil
}

func isZero(p []byte) bool {
	var zeros [sparseUnit]byte
	return bytes.Equal(p, zeros[:len(p)])
}

// punch makes the zeros before size a hole.
func (s *sink) punch() error {
	from, n := s.size-s.hole, s.hole
	s.hole = 0
	if n == 0 || from >= s.filled {
		return nil
	}
	return s.f.PunchHole(from, min(n, s.filled-from))
}

// writeBehind has b write what comes, which must be into a new file. settle is
// due then.
func (s *sink) writeBehind(b *behind) {
	s.behind = b
	b.start(s.f.WriteAt, s.size)
}

// settle waits until all that was taken is in the file.
func (s *sink) settle() error {
	if s.behind == nil {
		return nil
	}
	at, err := s.behind.settle()
	s.behind, s.size = nil, at
	return err
}

// end gives the file its length.
func (s *sink) end() error {
	if err := s.settle(); err != nil {
		return err
	}
	trailing := s.hole > 0
	if err := s.punch(); err != nil {
		return err
	}
	if s.fixed || !s.cut && !trailing {
		return nil
	}
	return s.f.Truncate(s.size)
}
