package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"
)

// Leftover is what crashes and vanished files have left in the hidden folder.
type Leftover struct {
	Key     string // whose it is, "" if that cannot be told
	Size    int64  // bytes
	ModTime time.Time
	Why     string // for people
	name    string
}

// Leftovers lists parts that nobody has written to since a time, descriptions of
// files that have gone, and what a crash has left of writing either. What is
// younger than that may be in use.
func (s *Store) Leftovers(before time.Time) ([]Leftover, error) {
	var all []Leftover
	err := fs.WalkDir(s.root.FS(), hidden, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // gone meanwhile
			}
			return fmt.Errorf("look for leftovers: %w", err)
		}
		info, err := d.Info()
		if err != nil || !d.Type().IsRegular() || !info.ModTime().Before(before) {
			return nil
		}
		if l, left := s.leftover(name, before); left {
			l.name, l.Size, l.ModTime = name, info.Size(), info.ModTime()
			all = append(all, l)
		}
		return nil
	})
	return all, err
}

// leftover judges a file of the hidden folder that is old enough.
func (s *Store) leftover(name string, before time.Time) (Leftover, bool) {
	base := path.Base(name)
	kind, _, _ := strings.Cut(strings.TrimPrefix(name, hidden+"/"), "/")
	hash, rest, dotted := strings.Cut(base, ".")
	switch {
	case kind == "meta" && !dotted:
		m, err := s.readMeta(name)
		if err != nil {
			return Leftover{Why: "an unreadable description"}, true
		}
		_, err = s.root.Lstat(m.Key)
		return Leftover{Key: m.Key, Why: "a description of a file that has gone"}, errors.Is(err, fs.ErrNotExist)
	case kind == "part" && !dotted:
		m, _ := s.readMeta(name + ".json")
		return Leftover{Key: m.Key, Why: "an unfinished file"}, true
	case kind == "part" && rest == "json":
		info, err := s.root.Lstat(path.Dir(name) + "/" + hash)
		return Leftover{Why: "a description of an unfinished file"}, err != nil || info.ModTime().Before(before)
	}
	return Leftover{Why: "an unfinished write"}, kind == "meta" || kind == "part" || kind == "import"
}

// RemoveLeftover removes what Leftovers has listed, unless it has been written
// to since.
func (s *Store) RemoveLeftover(l Leftover) error {
	info, err := s.root.Lstat(l.name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.ModTime().Equal(l.ModTime) {
		return nil
	}
	if err == nil {
		err = s.root.Remove(l.name)
	}
	if err != nil {
		return fmt.Errorf("remove a leftover: %w", err)
	}
	return nil
}

// Take moves a file of the same file system into the store under a key; f is
// that file, open. m describes it. The error is syscall.EXDEV if it lies on another
// file system. A file that is in its place already is only described.
func (s *Store) Take(key, from string, f *os.File, m Meta) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if there, err := s.root.Lstat(key); err == nil && os.SameFile(there, info) {
		return s.Describe(key, m)
	}
	if err := s.mkdir(path.Dir(key)); err != nil {
		return err
	}
	if err := s.mkdir(hidden + "/import"); err != nil {
		return err
	}
	// Through a folder of ours: so a name that was exchanged for another file's
	// meanwhile is seen before it counts.
	between := fmt.Sprintf("%s/import/%d.%d", hidden, os.Getpid(), s.temp.Add(1))
	if err := os.Rename(from, s.dir+"/"+between); err != nil {
		return err
	}
	moved, err := s.root.Lstat(between)
	if err != nil || !os.SameFile(moved, info) {
		return errors.Join(fmt.Errorf("take %s over: it was exchanged for another file meanwhile", from), err, os.Rename(s.dir+"/"+between, from))
	}
	if err := errors.Join(s.own(between), f.Sync()); err != nil {
		return err
	}
	m.Key, m.Size, m.ModTime = key, info.Size(), info.ModTime().UnixNano()
	if err := s.writeMeta(aside("meta", key), m); err != nil {
		return err
	}
	if err := s.root.Rename(between, key); err != nil {
		return err
	}
	return s.syncDir(path.Dir(key))
}
