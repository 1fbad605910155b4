package known

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/empegsync/empegsync/pkg/pkgcache/fill"
	"github.com/empegsync/empegsync/pkg/pkgcache/store"
)

// Lists is all that is known. Its fields are set before the first call; its
// methods may be used from many goroutines.
type Lists struct {
	// Trees are portage trees, the first's word first.
	Trees []string
	// Store holds apt's indexes.
	Store *store.Store
	Log   *slog.Logger

	mu      sync.RWMutex
	gentoo  *table
	stamp   uint64           // of the trees when they were read
	indexes map[string]index // by key
	release map[string]*table
}

// index is what an index of the cache says.
type index struct {
	*table
	above string // the names it can list begin so
	mod   time.Time
}

// Load reads all lists anew. Files that cannot be read are errors, but what the
// others say is known.
func (l *Lists) Load(ctx context.Context) error {
	return errors.Join(l.loadTrees(ctx), l.loadIndexes(ctx))
}

// loadTrees reads the trees. What was known stays if they cannot be read.
func (l *Lists) loadTrees(ctx context.Context) error {
	if len(l.Trees) == 0 {
		return nil
	}
	now := stamp(l.Trees) // before reading: a change meanwhile is seen later
	t, err := readTrees(ctx, l.Trees)
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.gentoo, l.stamp = t, now
	l.mu.Unlock()
	l.Log.Info("Manifests read", "trees", strings.Join(l.Trees, " "), "distfiles", len(t.entries))
	return nil
}

func (l *Lists) loadIndexes(ctx context.Context) error {
	if l.Store == nil {
		return nil
	}
	var all error
	err := l.Store.Names(func(key string) error {
		if IsList(key) {
			if err := l.Note(key); err != nil {
				all = errors.Join(all, err)
			}
		}
		return ctx.Err()
	})
	return errors.Join(all, err)
}

// Note is told that a file has come into the store, or may have changed there.
func (l *Lists) Note(key string) error {
	if !IsList(key) {
		return nil
	}
	o, err := l.Store.Get(key)
	if errors.Is(err, fs.ErrNotExist) {
		l.mu.Lock()
		delete(l.indexes, key)
		delete(l.release, key)
		l.mu.Unlock()
		return nil
	}
	if err != nil {
		return err
	}
	defer o.Close()
	l.mu.RLock()
	old, ok := l.indexes[key]
	stale := l.newer(key, o.ModTime)
	l.mu.RUnlock()
	if stale || ok && old.mod.Equal(o.ModTime) {
		return nil
	}
	isRelease := aptRelease().MatchString(key)
	var t *table
	if isRelease {
		t, err = readRelease(key, o)
	} else {
		t, err = readAptIndex(key, o)
	}
	if err != nil {
		// It may be anything that is only called so: it lists nothing.
		l.Log.Debug("not an index", "key", key, "err", err)
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.indexes == nil {
		l.indexes, l.release = make(map[string]index), make(map[string]*table)
	}
	switch {
	case isRelease && len(t.entries) > 0:
		l.release[key] = t
	case !isRelease && !l.newer(key, o.ModTime):
		l.indexes[key] = index{t, base(key), o.ModTime}
		for other, ix := range l.indexes { // what it replaces
			if siblings(key, other) && ix.mod.Before(o.ModTime) {
				delete(l.indexes, other)
			}
		}
	}
	l.Log.Debug("index read", "key", key, "files", len(t.entries))
	return nil
}

// newer reports whether there is a later version of an index by hash: each
// update leaves one, and all of them would fill the memory.
func (l *Lists) newer(key string, mod time.Time) bool {
	for other, ix := range l.indexes {
		if siblings(key, other) && ix.mod.After(mod) {
			return true
		}
	}
	return false
}

// siblings reports two versions of one index, each called by its hash.
func siblings(a, b string) bool {
	return a != b && path.Dir(a) == path.Dir(b) && strings.Contains(a, "/by-hash/")
}

// Refresh reads the trees again if they have changed.
func (l *Lists) Refresh(ctx context.Context) error {
	l.mu.RLock()
	before := l.stamp
	l.mu.RUnlock()
	if len(l.Trees) == 0 || stamp(l.Trees) == before {
		return nil
	}
	return l.loadTrees(ctx)
}

// Watch loads the lists, and the trees again when they change or a day has
// gone, until the context ends.
func (l *Lists) Watch(ctx context.Context, every time.Duration) {
	if err := l.Load(ctx); err != nil && ctx.Err() == nil {
		l.Log.Warn("some files will not be verified", "err", err)
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	daily := time.NewTicker(24 * time.Hour) // for what a stamp does not see
	defer daily.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			err = l.Refresh(ctx)
		case <-daily.C:
			err = l.loadTrees(ctx)
		}
		if err != nil && ctx.Err() == nil {
			l.Log.Warn("the Manifests cannot be read again, what was known counts", "err", err)
		}
	}
}

// bySum are files that are called by their own sum: apt's indexes by hash and
// rpm's metadata.
var bySum = onUse(`(?:/by-hash/(SHA256|SHA512)/([0-9a-f]{64,128})|/repodata/([0-9a-f]{64}|[0-9a-f]{128})-[^/]+)$`)

// Sums returns what the file of a key must be, nil if nobody knows.
func (l *Lists) Sums(key string) *fill.Sums {
	if m := bySum().FindStringSubmatch(key); m != nil {
		sum := m[2] + m[3]
		alg := map[int]string{64: "SHA256", 128: "SHA512"}[len(sum)]
		if alg != "" && (m[1] == "" || m[1] == alg) {
			return &fill.Sums{Size: -1, Hex: map[string]string{alg: sum}, Origin: "its own name"}
		}
	}
	s, _ := l.find(key)
	return s
}

// Reference is what lists say of a file's right to be here.
type Reference int

// The references.
const (
	Unjudged Reference = iota // no list could name it, or none is known
	Listed
	Unlisted // a list that should name it does not
)

// Reference tells whether a list names a file.
func (l *Lists) Reference(key string) Reference {
	_, r := l.find(key)
	return r
}

// distfile is Gentoo's name of a key: what lies in a folder distfiles, in
// whatever layout, or in a cache that keeps names only.
var distfileKey = onUse(`^(?:(?:.*/)?distfiles/(?:[0-9a-f]{2}/)?)?([^/]+)$`)

func (l *Lists) find(key string) (*fill.Sums, Reference) {
	key = strings.Split(key, "?")[0]
	l.mu.RLock()
	defer l.mu.RUnlock()
	if m := distfileKey().FindStringSubmatch(key); m != nil && l.gentoo != nil {
		if s, listed := l.gentoo.find(m[1]); listed {
			return s, Listed
		}
		if m[1] != "layout.conf" && strings.Contains(key, "/") {
			return nil, Unlisted // a bare name may be anybody's
		}
		return nil, Unjudged
	}
	return l.findApt(key)
}

// findApt looks in the indexes: the newest that names a file counts.
func (l *Lists) findApt(key string) (sums *fill.Sums, r Reference) {
	if strings.Contains(key, "/by-hash/") {
		return l.findByHash(key)
	}
	var best time.Time
	for _, ix := range l.indexes {
		if !strings.HasPrefix(key, ix.above) {
			continue
		}
		s, listed := ix.find(key)
		switch {
		case listed && (r != Listed || ix.mod.After(best)):
			sums, r, best = s, Listed, ix.mod
		case !listed && r == Unjudged && packageOf(key, ix.above):
			r = Unlisted
		}
	}
	return sums, r
}

// packageOf reports whether a file is one that the indexes of a repository
// should name.
func packageOf(key, above string) bool {
	rest := strings.TrimPrefix(key, above)
	exts := []string{".deb", ".udeb", ".dsc", ".gz", ".xz", ".bz2", ".asc"}
	return strings.HasPrefix(rest, "pool/") && slices.Contains(exts, path.Ext(rest))
}

// findByHash asks the Releases about an index.
func (l *Lists) findByHash(key string) (*fill.Sums, Reference) {
	r := Unjudged
	for name, t := range l.release {
		if !strings.HasPrefix(key, path.Dir(name)+"/") {
			continue
		}
		if _, listed := t.find(key); listed {
			return nil, Listed
		}
		r = Unlisted
	}
	return nil, r
}

// onUse compiles an expression when it is asked for: this program is many, most
// of which start often, end soon and are no cache.
func onUse(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}
