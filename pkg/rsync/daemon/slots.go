package daemon

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"syscall"

	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

// slots are the places of "max connections": one for each transfer, held as a
// record lock on four bytes of the lock file, so that other daemons, and C
// rsync's, that use the same file count with us (connection.c:claim_connection).
type slots struct {
	mu    sync.Mutex
	files []*slotFile
}

// slotFile is one lock file. It stays open: record locks belong to a process
// and go when it closes any of its descriptors of the file. For the same
// reason, what this process holds must be counted here.
type slotFile struct {
	f        *os.File
	dev, ino uint64
	held     map[int]bool
}

// slotBytes is what one place takes in the file.
const slotBytes = 4

// errFull is returned by claim when all places are taken.
var errFull = errors.New("all connections are taken")

// claim takes one of most places in the lock file; none is needed where most
// is 0. release gives it back.
func (s *slots) claim(name string, most int) (release func(), err error) {
	switch {
	case most == 0:
		return func() {}, nil
	case most < 0:
		return nil, errFull
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	file, err := s.open(name)
	if err != nil {
		return nil, err
	}
	for i := range most {
		if file.held[i] {
			continue
		}
		switch err := file.lock(i, syscall.F_WRLCK); {
		case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EACCES):
			continue // another process has it
		case err != nil:
			return nil, fmt.Errorf("lock %s: %w", name, err)
		}
		file.held[i] = true
		return sync.OnceFunc(func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(file.held, i)
			_ = file.lock(i, syscall.F_UNLCK) // cannot fail on a lock that is held
		}), nil
	}
	return nil, errFull
}

// open returns the file, which may be open already under another name. One
// that has been replaced under its name is given up when nothing in it is held.
func (s *slots) open(name string) (*slotFile, error) {
	by := rootfs.Operator{}
	if info, err := by.Stat(name); err == nil {
		for _, f := range s.files {
			if f.dev == info.Dev && f.ino == info.Ino {
				return f, nil
			}
		}
	}
	s.files = slices.DeleteFunc(s.files, func(f *slotFile) bool {
		return len(f.held) == 0 && f.f.Close() == nil
	})
	f, err := by.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	st, _ := info.Sys().(*syscall.Stat_t) // as it is on Linux
	s.files = append(s.files, &slotFile{f, uint64(st.Dev), st.Ino, map[int]bool{}})
	return s.files[len(s.files)-1], nil
}

func (f *slotFile) lock(place int, how int16) error {
	return syscall.FcntlFlock(f.f.Fd(), syscall.F_SETLK, &syscall.Flock_t{
		Type: how, Whence: io.SeekStart, Start: int64(place) * slotBytes, Len: slotBytes,
	})
}
