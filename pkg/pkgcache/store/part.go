package store

import (
	"errors"
	"fmt"
	"os"
	"path"
	"time"

	"golang.org/x/sys/unix"
)

// Part is a file that is arriving. One goroutine writes it; any may read what
// has been written, with ReadAt.
type Part struct {
	store *Store
	key   string
	file  *os.File
	meta  Meta
	have  int64
}

// Begin starts a file of the key from nothing. If m.Length is known, that much
// room is taken at once, so that a full disk is known now and not at the end:
// the error is then syscall.ENOSPC.
func (s *Store) Begin(key string, m Meta) (*Part, error) {
	if err := CheckKey(key); err != nil {
		return nil, err
	}
	name := aside("part", key)
	if err := s.mkdir(path.Dir(name)); err != nil {
		return nil, err
	}
	// A reader of the part before keeps what it has.
	_ = s.root.Remove(name)
	f, err := s.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, fmt.Errorf("begin a file in the cache: %w", err)
	}
	m.Key = key
	p := &Part{store: s, key: key, file: f, meta: m}
	if err = errors.Join(s.own(name), p.reserve(m.Length)); err == nil {
		err = s.writeMeta(name+".json", m)
	}
	if err != nil {
		p.Drop()
		f.Close()
		return nil, err
	}
	return p, nil
}

// reserve takes room for n bytes.
func (p *Part) reserve(n int64) error {
	if n <= 0 {
		return nil
	}
	free, err := p.store.Free()
	if err == nil && n > free {
		err = unix.ENOSPC
	} else {
		// Where a file system has no such call, the writes will tell.
		err = unix.Fallocate(int(p.file.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, n)
	}
	if err == unix.ENOSPC {
		return fmt.Errorf("make room for %d bytes in the cache: %w", n, err)
	}
	return nil
}

// Resume opens what is left of an unfinished file, to go on at its end. The
// error is fs.ErrNotExist if there is nothing to go on with.
func (s *Store) Resume(key string) (*Part, error) {
	if err := CheckKey(key); err != nil {
		return nil, err
	}
	name := aside("part", key)
	m, err := s.readMeta(name + ".json")
	if err != nil {
		return nil, err
	}
	if m.Key != key {
		return nil, fmt.Errorf("the part of %q is of %q: %w", key, m.Key, os.ErrNotExist)
	}
	f, err := s.root.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || m.Length >= 0 && info.Size() > m.Length {
		f.Close()
		return nil, fmt.Errorf("the part of %q cannot be gone on with: %w", key, os.ErrNotExist)
	}
	return &Part{store: s, key: key, file: f, meta: m, have: info.Size()}, nil
}

// Key is the name that the file will have.
func (p *Part) Key() string { return p.key }

// Meta is what was known when the part was begun.
func (p *Part) Meta() Meta { return p.meta }

// Have is how many bytes there are.
func (p *Part) Have() int64 { return p.have }

// File reads what has been written. Closing it is the caller's: it stays
// readable after Commit, Keep and Drop.
func (p *Part) File() *os.File { return p.file }

// Write appends.
func (p *Part) Write(b []byte) (int, error) {
	n, err := p.file.WriteAt(b, p.have)
	p.have += int64(n)
	if err != nil {
		return n, fmt.Errorf("write into the cache: %w", err)
	}
	return n, nil
}

// Commit makes the file whole: on the disk, under its name, with its time and
// what is known of it. The part is over, whatever comes back.
func (p *Part) Commit(m Meta, modTime time.Time) error {
	err := p.commit(m, modTime)
	if err != nil {
		p.Drop()
		return fmt.Errorf("finish %q in the cache: %w", p.key, err)
	}
	return nil
}

func (p *Part) commit(m Meta, modTime time.Time) error {
	s, name := p.store, aside("part", p.key)
	// Room that was taken and not used is given back.
	if err := p.file.Truncate(p.have); err != nil {
		return err
	}
	if !modTime.IsZero() {
		// It was used when it came, however old it is.
		if err := s.root.Chtimes(name, time.Time{}, modTime); err != nil {
			return err
		}
	}
	if err := p.file.Sync(); err != nil {
		return err
	}
	info, err := p.file.Stat()
	if err != nil {
		return err
	}
	m.Key, m.Size, m.ModTime = p.key, info.Size(), info.ModTime().UnixNano()
	if err := s.writeMeta(aside("meta", p.key), m); err != nil {
		return err
	}
	dir := path.Dir(p.key)
	if err := s.mkdir(dir); err != nil {
		return err
	}
	if err := s.root.Rename(name, p.key); err != nil {
		return err
	}
	_ = s.root.Remove(name + ".json")
	return s.syncDir(dir)
}

// syncDir makes a folder's names durable.
func (s *Store) syncDir(dir string) error {
	d, err := s.root.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Keep leaves the part for a later Resume.
func (p *Part) Keep() error {
	if err := p.file.Sync(); err != nil {
		return fmt.Errorf("keep what came of %q: %w", p.key, err)
	}
	return nil
}

// Drop removes the part.
func (p *Part) Drop() {
	name := aside("part", p.key)
	_ = p.store.root.Remove(name + ".json")
	_ = p.store.root.Remove(name)
}
