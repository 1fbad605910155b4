package clean

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/empegsync/empegsync/pkg/pkgcache/fill"
	"github.com/empegsync/empegsync/pkg/pkgcache/store"
)

// Import takes a folder of distfiles over into a store, as repcacheman did:
// what is as the lists say moves, or is only described if it is in its place
// already; what the store has, too, goes. The rest is left alone.
type Import struct {
	Store *store.Store
	// Sums finds what a file must be, nil if nobody knows.
	Sums func(key string) *fill.Sums
	// Key is the name in the store of a file of the folder.
	Key func(name string) string
	// Dry only tells.
	Dry bool
	// Tell is told of each file.
	Tell func(Outcome)
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// Fate is what became of a file.
type Fate string

// The fates.
const (
	Taken     Fate = "taken over"
	Described Fate = "verified in its place"
	Duplicate Fate = "removed, the cache has it"
	Wrong     Fate = "left: not what its list says"
	Strange   Fate = "left: no list names it"
	Failed    Fate = "left"
)

// Outcome is what became of one file.
type Outcome struct {
	Name string
	Size int64 // bytes
	Fate Fate
	Err  error // of Wrong and Failed
}

// Folder takes one folder's files; folders in it, links and hidden files are
// nobody's distfiles. The error is that of reading the folder: those of files are
// told.
func (im *Import) Folder(ctx context.Context, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("take a folder over: %w", err)
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !e.Type().IsRegular() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		o := Outcome{Name: e.Name()}
		o.Fate, o.Size, o.Err = im.file(filepath.Join(dir, e.Name()), im.Key(e.Name()))
		im.Tell(o)
	}
	return nil
}

func (im *Import) file(name, key string) (Fate, int64, error) {
	if err := store.CheckKey(key); err != nil {
		return Failed, 0, err
	}
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return Failed, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Failed, 0, err
	}
	size := info.Size()
	sums := im.Sums(key)
	if sums == nil || sums.Best() == "" {
		return Strange, size, nil
	}
	proof, err := sums.Verify(f, size)
	if errors.Is(err, fill.ErrMismatch) {
		return Wrong, size, err
	} else if err != nil {
		return Failed, size, err
	}
	now := time.Now
	if im.Now != nil {
		now = im.Now
	}
	m := store.Meta{Key: key, Length: size, Proof: proof, Sum: sums.Best(), Fetched: now(), Checked: now()}
	fate, err := im.move(name, key, f, info, m, sums)
	if err != nil {
		return Failed, size, err
	}
	return fate, size, nil
}

// move brings a good file into the store.
func (im *Import) move(name, key string, f *os.File, info fs.FileInfo, m store.Meta, sums *fill.Sums) (Fate, error) {
	if o, err := im.Store.Get(key); err == nil {
		defer o.Close()
		there, err := o.Stat()
		if err != nil {
			return Failed, err
		}
		if os.SameFile(there, info) {
			if im.Dry {
				return Described, nil
			}
			return Described, im.Store.Take(key, name, f, m)
		}
		if _, err := sums.Verify(o, o.Size); err == nil {
			if im.Dry {
				return Duplicate, nil
			}
			return Duplicate, os.Remove(name)
		}
	}
	if im.Dry {
		return Taken, nil
	}
	err := im.Store.Take(key, name, f, m)
	if errors.Is(err, syscall.EXDEV) {
		err = im.copy(name, key, f, info, m, sums)
	}
	return Taken, err
}

// copy is for a folder on another file system. The copy is verified before the
// original goes.
func (im *Import) copy(name, key string, f *os.File, info fs.FileInfo, m store.Meta, sums *fill.Sums) error {
	p, err := im.Store.Begin(key, m)
	if err != nil {
		return err
	}
	defer p.File().Close()
	_, err = io.Copy(p, io.NewSectionReader(f, 0, info.Size()))
	if err == nil {
		_, err = sums.Verify(p.File(), p.Have())
	}
	if err != nil {
		p.Drop()
		return err
	}
	if err := p.Commit(m, info.ModTime()); err != nil {
		return err
	}
	return os.Remove(name)
}
