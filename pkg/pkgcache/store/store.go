package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Store is a folder of cached files. Its methods may be used from many
// goroutines; two parts of the same key at once are the caller's mistake.
type Store struct {
	dir  string
	root *os.Root
	temp atomic.Uint64 // numbers temporary names
	// What root makes belongs to the folder's owner: the cache may run as that
	// user afterwards. owned is whether that is somebody else.
	owned    bool
	uid, gid int
}

// Meta is what is known of a file beside its bytes. Text fields are as upstream
// sent them, empty if it did not.
type Meta struct {
	Key          string    `json:"key"`
	URL          string    `json:"url,omitempty"` // where it came from
	ETag         string    `json:"etag,omitempty"`
	LastModified string    `json:"last_modified,omitempty"`
	ContentType  string    `json:"content_type,omitempty"`
	CacheControl string    `json:"cache_control,omitempty"`
	Expires      string    `json:"expires,omitempty"`
	Date         string    `json:"date,omitempty"`    // of the response
	Length       int64     `json:"length"`            // of the whole file in bytes, -1 if upstream did not say
	Checked      time.Time `json:"checked"`           // when upstream last said that this is current
	Proof        string    `json:"proof,omitempty"`   // what was verified, for people: "SHA512 (Manifest in /usr/portage)"
	Sum          string    `json:"sum,omitempty"`     // the sum that was verified: "SHA512 HEX"
	Fetched      time.Time `json:"fetched,omitzero"`  // when all of it had come
	Size         int64     `json:"size"`              // of the file that this describes
	ModTime      int64     `json:"mod_time_unixnano"` // of the file that this describes
}

// Object is a whole file, open for reading.
type Object struct {
	*os.File
	Size    int64 // bytes
	ModTime time.Time
	Used    time.Time // when it was last read, as far as the file system tells
	Meta    Meta      // zero but for Key if nothing is known of the file
	Known   bool      // whether Meta is of this file
}

// Touch notes that the file is used now: file systems that are mounted with
// relatime or noatime do not.
func (o *Object) Touch(now time.Time) error {
	times := []unix.Timespec{unix.NsecToTimespec(now.UnixNano()), {Nsec: unix.UTIME_OMIT}}
	return unix.UtimesNanoAt(unix.AT_FDCWD, fmt.Sprint("/proc/self/fd/", o.Fd()), times, 0)
}

// Open opens a store; the folder must exist.
func Open(dir string) (*Store, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open the cache's folder: %w", err)
	}
	s := &Store{dir: dir, root: root}
	if info, err := root.Stat("."); err == nil && os.Geteuid() == 0 {
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			s.uid, s.gid, s.owned = int(st.Uid), int(st.Gid), st.Uid != 0
		}
	}
	for _, kind := range []string{"meta", "part"} {
		if err := s.mkdir(hidden + "/" + kind); err != nil {
			root.Close()
			return nil, fmt.Errorf("make the cache's hidden folder: %w", err)
		}
	}
	return s, nil
}

// own gives what root has made to the folder's owner.
func (s *Store) own(name string) error {
	if !s.owned || os.Geteuid() != 0 { // who was root may be that user by now
		return nil
	}
	return s.root.Lchown(name, s.uid, s.gid)
}

// Close gives the folder back. Open objects and parts stay usable.
func (s *Store) Close() error { return s.root.Close() }

// Dir is the store's folder as it was opened.
func (s *Store) Dir() string { return s.dir }

// Get opens a whole file. The error is fs.ErrNotExist if there is none: links
// and folders are none.
func (s *Store) Get(key string) (*Object, error) {
	if err := CheckKey(key); err != nil {
		return nil, err
	}
	f, err := s.root.OpenFile(key, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		if errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.ENOTDIR) {
			err = &fs.PathError{Op: "open", Path: key, Err: fs.ErrNotExist}
		}
		return nil, err
	}
	info, err := f.Stat()
	// A root follows links that stay below it, whatever the flags say. That another
	// file has the name by now, or none, is no reason against the one that is open.
	there, gone := s.root.Lstat(key)
	if err == nil && (!info.Mode().IsRegular() || gone == nil && there.Mode().Type() == fs.ModeSymlink) {
		err = &fs.PathError{Op: "open", Path: key, Err: fs.ErrNotExist}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	o := &Object{File: f, Size: info.Size(), ModTime: info.ModTime(), Used: used(info)}
	o.Meta, o.Known = s.meta(key, info)
	return o, nil
}

func used(info fs.FileInfo) time.Time {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(int64(st.Atim.Sec), int64(st.Atim.Nsec))
	}
	return info.ModTime()
}

// meta reads what is known of the file that info is of.
func (s *Store) meta(key string, info fs.FileInfo) (Meta, bool) {
	m, err := s.readMeta(aside("meta", key))
	if err != nil || m.Key != key || m.Size != info.Size() || m.ModTime != info.ModTime().UnixNano() {
		return Meta{Key: key, Length: -1}, false
	}
	return m, true
}

// maxMeta bounds a description, whose headers came from outside.
const maxMeta = 64 << 10

func (s *Store) readMeta(name string) (Meta, error) {
	f, err := s.root.Open(name)
	if err != nil {
		return Meta{}, err
	}
	defer f.Close()
	var m Meta
	return m, json.NewDecoder(io.LimitReader(f, maxMeta)).Decode(&m)
}

// Describe writes what is known of a whole file, as after upstream has said
// that it is still current. m.Size and m.ModTime are taken from the file.
func (s *Store) Describe(key string, m Meta) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	info, err := s.root.Lstat(key)
	if err != nil {
		return err
	}
	m.Key, m.Size, m.ModTime = key, info.Size(), info.ModTime().UnixNano()
	return s.writeMeta(aside("meta", key), m)
}

func (s *Store) writeMeta(name string, m Meta) error {
	text, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("describe %q: %w", m.Key, err)
	}
	temp := fmt.Sprintf("%s.%d", name, s.temp.Add(1))
	if err := s.mkdir(path.Dir(name)); err != nil {
		return err
	}
	err = s.root.WriteFile(temp, text, 0o644)
	if err == nil {
		err = s.own(temp)
	}
	if err == nil {
		err = s.root.Rename(temp, name)
	}
	if err != nil {
		_ = s.root.Remove(temp)
		return fmt.Errorf("describe %q: %w", m.Key, err)
	}
	return nil
}

func (s *Store) mkdir(dir string) error {
	if dir == "." {
		return nil
	}
	if err := s.root.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make a folder in the cache: %w", err)
	}
	for ; s.owned && dir != "."; dir = path.Dir(dir) {
		if err := s.own(dir); err != nil {
			return fmt.Errorf("make a folder in the cache: %w", err)
		}
	}
	return nil
}

// Remove deletes a file and what is known of it, and the folders that this
// leaves empty. A file that is not there is no error.
func (s *Store) Remove(key string) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	if err := s.root.Remove(key); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove from the cache: %w", err)
	}
	_ = s.root.Remove(aside("meta", key)) // says nothing without the file
	for dir := path.Dir(key); dir != "."; dir = path.Dir(dir) {
		if s.root.Remove(dir) != nil {
			break // not empty
		}
	}
	return nil
}

// Item is a whole file in a listing.
type Item struct {
	Key     string
	Size    int64 // bytes
	ModTime time.Time
	Used    time.Time // when it was last read, as far as the file system tells
	Meta    Meta
	Known   bool // whether Meta is of this file
}

// Each calls f for every whole file, in the order of the names. Hidden files,
// links and whatever is no regular file are passed over. An error of f ends it.
func (s *Store) Each(f func(Item) error) error {
	return s.walk(func(key string, d fs.DirEntry) error {
		info, err := d.Info()
		if err != nil {
			return nil // gone meanwhile
		}
		it := Item{Key: key, Size: info.Size(), ModTime: info.ModTime(), Used: used(info)}
		it.Meta, it.Known = s.meta(key, info)
		return f(it)
	})
}

// Names calls f with every whole file's key, which costs less than Each.
func (s *Store) Names(f func(key string) error) error {
	return s.walk(func(key string, _ fs.DirEntry) error { return f(key) })
}

func (s *Store) walk(f func(key string, d fs.DirEntry) error) error {
	return fs.WalkDir(s.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && errors.Is(err, fs.ErrNotExist):
			return nil // gone meanwhile
		case err != nil:
			return fmt.Errorf("list the cache: %w", err)
		case name != "." && strings.HasPrefix(path.Base(name), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case !d.Type().IsRegular():
			return nil
		}
		return f(name, d)
	})
}

// Free returns the bytes that the file system has left for this user.
func (s *Store) Free() (int64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(s.dir, &st); err != nil {
		return 0, fmt.Errorf("look at the space left for the cache: %w", err)
	}
	return int64(st.Bavail) * int64(st.Bsize), nil
}
