package backup

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

// Names below a backup's folder.
const (
	layout     = "2006-01-02T150405Z" // of a snapshot, in UTC: names sort by time, and no hour comes twice
	partial    = ".partial"
	latest     = "latest"
	unfinished = ".unfinished-"
	pruning    = ".pruning-"
	lockName   = ".lock"
)

// Snapshot is a backup of one moment.
type Snapshot struct {
	Name    string    // of its folder
	Time    time.Time // when it was begun, whole seconds in UTC
	Partial bool      // accepted though files are missing
}

// name returns the name of a snapshot.
func name(t time.Time, isPartial bool) string {
	if n := t.UTC().Format(layout); !isPartial {
		return n
	}
	return t.UTC().Format(layout) + partial
}

// parseName reads a snapshot's name; ok is false for any other.
func parseName(text string) (s Snapshot, ok bool) {
	stamp, isPartial := strings.CutSuffix(text, partial)
	t, err := time.Parse(layout, stamp)
	if err != nil || name(t, isPartial) != text {
		return s, false
	}
	return Snapshot{Name: text, Time: t, Partial: isPartial}, true
}

// sorted returns snapshots newest first.
func sorted(list []Snapshot) []Snapshot {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b Snapshot) int { return cmp.Or(b.Time.Compare(a.Time), cmp.Compare(b.Name, a.Name)) })
	return list
}

// ErrLocked is what a second run in the same folder ends with.
var ErrLocked = errors.New("another backup is at work there; wait until it has ended")

// Store is a backup's folder.
type Store struct {
	Dir  string // absolute
	root *rootfs.Root
	lock *os.File
}

// Open opens a backup's folder, which must exist: one that is missing may be on a
// disk that is not mounted.
func Open(dir string) (*Store, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find the backup's folder %s: %w", dir, err)
	}
	root, err := rootfs.Operator{}.Root(abs)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("the backup's folder %s does not exist: is its disk mounted? If it is to be made: mkdir -m 700 %s", abs, abs)
	case err != nil:
		return nil, fmt.Errorf("open the backup's folder %s: %w", abs, reason(err))
	}
	return &Store{Dir: abs, root: root}, nil
}

// Close gives the folder back, and the lock.
func (s *Store) Close() error {
	var err error
	if s.lock != nil {
		err = s.lock.Close()
	}
	return errors.Join(err, s.root.Close())
}

// Lock keeps other runs out until Close, or answers [ErrLocked] at once. The lock
// is flock(2) and ends with the process, however that ends.
func (s *Store) Lock() error {
	f, err := os.OpenFile(filepath.Join(s.Dir, lockName), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("lock the backup's folder: %w", err)
	}
	for err = unix.EINTR; errors.Is(err, unix.EINTR); {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = ErrLocked
		}
		return fmt.Errorf("lock %s: %w", s.Dir, err)
	}
	s.lock = f
	return nil
}

// content is what is in a backup's folder.
type content struct {
	snapshots  []Snapshot // newest first
	unfinished []string   // newest first
	pruning    []string
}

func (s *Store) read() (content, error) {
	var c content
	list, err := s.root.ReadDirInfo(".")
	if err != nil {
		return c, fmt.Errorf("read the backup's folder %s: %w", s.Dir, reason(err))
	}
	for _, e := range list {
		switch {
		case e.Err != nil:
			return c, fmt.Errorf("look at %s in %s: %w", e.Name, s.Dir, reason(e.Err))
		case !e.IsDir():
		case strings.HasPrefix(e.Name, unfinished):
			c.unfinished = append(c.unfinished, e.Name)
		case strings.HasPrefix(e.Name, pruning):
			c.pruning = append(c.pruning, e.Name)
		default:
			if snap, ok := parseName(e.Name); ok {
				c.snapshots = append(c.snapshots, snap)
			}
		}
	}
	c.snapshots = sorted(c.snapshots)
	slices.SortFunc(c.unfinished, func(a, b string) int { return cmp.Compare(b, a) })
	return c, nil
}

// Snapshots lists the snapshots, newest first.
func (s *Store) Snapshots() ([]Snapshot, error) {
	c, err := s.read()
	return c.snapshots, err
}

// Latest is the name of the snapshot that latest leads to, "" if there is none.
func (s *Store) Latest() string {
	target, err := s.root.Readlink(latest)
	if err != nil {
		return ""
	}
	if _, ok := parseName(target); !ok {
		return ""
	}
	if info, err := s.root.Lstat(target); err != nil || !info.IsDir() {
		return ""
	}
	return target
}

// finish gives a folder that is whole its name, and makes it the latest unless it
// is partial. What the folder holds must be on the disk before.
func (s *Store) finish(folder, snapshot string, isPartial bool) error {
	if err := s.root.Rename(folder, snapshot); err != nil {
		return fmt.Errorf("name the snapshot %s: %w", snapshot, reason(err))
	}
	if !isPartial {
		if err := s.root.ReplaceSymlink(snapshot, latest); err != nil {
			return fmt.Errorf("switch %s to %s: %w", latest, snapshot, reason(err))
		}
	}
	if err := s.root.SyncDir("."); err != nil {
		return fmt.Errorf("sync %s: %w", s.Dir, reason(err))
	}
	return nil
}

// reason strips an error of the path that the message already names.
func reason(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
