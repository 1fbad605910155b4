package clean

import (
	"bytes"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/empegsync/empegsync/pkg/pkgcache/fill"
	"github.com/empegsync/empegsync/pkg/pkgcache/known"
	"github.com/empegsync/empegsync/pkg/pkgcache/store"
)

var now = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)

func ago(n int) time.Time { return now.AddDate(0, 0, -n) }

func TestPlan(t *testing.T) {
	items := []store.Item{
		{Key: "old-listed", Size: 100, Used: ago(400)},
		{Key: "new-listed", Size: 100, Used: ago(1)},
		{Key: "old-gone", Size: 100, Used: ago(40)},
		{Key: "new-gone", Size: 100, Used: ago(2)},
		{Key: "came-gone", Size: 100, Used: ago(5000), Meta: store.Meta{Fetched: ago(3)}},
		{Key: "other", Size: 100, Used: ago(200)},
	}
	reference := func(key string) known.Reference {
		switch {
		case strings.HasSuffix(key, "gone"):
			return known.Unlisted
		case key == "other":
			return known.Unjudged
		}
		return known.Listed
	}
	month := 30 * 24 * time.Hour
	for name, c := range map[string]struct {
		lim           Limits
		free, reserve int64
		want          []string
	}{
		"nothing":             {Limits{}, 0, 0, nil},
		"unlisted":            {Limits{Unlisted: month}, 0, 0, []string{"old-gone"}},
		"unlisted early":      {Limits{Unlisted: time.Hour}, 0, 0, []string{"old-gone", "new-gone", "came-gone"}},
		"quota":               {Limits{Quota: 350}, 0, 0, []string{"old-gone", "came-gone", "new-gone"}},
		"quota and unlisted":  {Limits{Quota: 400, Unlisted: month}, 0, 0, []string{"old-gone", "came-gone"}},
		"room below quota":    {Limits{Quota: 600}, 0, 150, []string{"old-gone", "came-gone"}},
		"free":                {Limits{MinFree: 350}, 0, 0, []string{"old-gone", "came-gone", "new-gone", "old-listed"}},
		"free enough":         {Limits{MinFree: 350}, 350, 0, nil},
		"unlisted frees":      {Limits{MinFree: 150, Unlisted: month}, 50, 0, []string{"old-gone"}},
		"more than there is":  {Limits{Quota: 1}, 0, 0, []string{"old-gone", "came-gone", "new-gone", "old-listed", "other", "new-listed"}},
		"reserve counts once": {Limits{MinFree: 10}, 20, 20, []string{"old-gone"}},
	} {
		var got []string
		for _, v := range c.lim.Plan(items, c.free, c.reserve, reference, now) {
			got = append(got, v.Key)
			if v.Why == "" {
				t.Errorf("%s: %s goes without a reason", name, v.Key)
			}
		}
		if name == "unlisted early" {
			slices.Sort(got)
			slices.Sort(c.want)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func open(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func put(t *testing.T, s *store.Store, key string, n int, used time.Time) {
	t.Helper()
	p, err := s.Begin(key, store.Meta{Length: int64(n)})
	if err != nil {
		t.Fatal(err)
	}
	_, _ = p.Write(make([]byte, n))
	if err := p.Commit(store.Meta{Length: int64(n), Fetched: used}, time.Unix(1_000_000_000, 0)); err != nil {
		t.Fatal(err)
	}
	p.File().Close()
	if err := os.Chtimes(filepath.Join(s.Dir(), key), used, time.Time{}); err != nil {
		t.Fatal(err)
	}
}

func keys(t *testing.T, s *store.Store) (all []string) {
	t.Helper()
	if err := s.Names(func(key string) error { all = append(all, key); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

// Room evicts before it refuses, and evicts nothing in vain.
func TestRoom(t *testing.T) {
	s := open(t)
	for i := range 10 {
		put(t, s, fmt.Sprint("d/f", i), 1000, ago(20-i))
	}
	c := &Cleaner{Store: s, Limits: Limits{Quota: 10_500}, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }}
	if err := c.Room(t.Context(), 400, 0); err != nil || len(keys(t, s)) != 10 {
		t.Errorf("%v, %d files left", err, len(keys(t, s)))
	}
	if err := c.Room(t.Context(), 20_000, 0); !errors.Is(err, ErrFull) || len(keys(t, s)) != 10 {
		t.Errorf("larger than the quota: %v, %d files left", err, len(keys(t, s)))
	}
	if err := c.Room(t.Context(), 1000, 0); err != nil {
		t.Error(err)
	}
	if got := keys(t, s); len(got) != 8 || slices.Contains(got, "d/f0") || slices.Contains(got, "d/f1") {
		t.Errorf("left: %v", got)
	}
	c.Added(2400)
	if err := c.Room(t.Context(), -1, 200); err != nil || len(keys(t, s)) != 8 {
		t.Errorf("%v, %v", err, keys(t, s)) // it was told of what is not there, and counted again
	}
	c.Limits = Limits{MinFree: 1 << 60}
	if err := c.Room(t.Context(), 1, 0); !errors.Is(err, ErrFull) || len(keys(t, s)) != 8 {
		t.Errorf("a disk full of other things: %v, %v", err, keys(t, s))
	}
}

func TestLeftovers(t *testing.T) {
	s := open(t)
	c := &Cleaner{Store: s, Limits: Limits{Parts: 24 * time.Hour}, Log: slog.New(slog.DiscardHandler)}
	put(t, s, "whole", 10, time.Now())
	put(t, s, "gone", 10, time.Now())
	for _, key := range []string{"old", "young"} {
		p, err := s.Begin(key, store.Meta{Length: 50})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = p.Write(make([]byte, 10))
		p.File().Close()
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Remove(s.Dir() + "/gone"))
	must(os.MkdirAll(s.Dir()+"/.cache/import", 0o755))
	must(os.WriteFile(s.Dir()+"/.cache/import/1.2", nil, 0o644))
	must(os.WriteFile(s.Dir()+"/.cache/meta/x.7", nil, 0o644))
	young, err := s.Resume("young")
	must(err)
	defer young.File().Close()
	long := time.Now().Add(-48 * time.Hour)
	must(filepath.WalkDir(s.Dir()+"/.cache", func(name string, d fs.DirEntry, err error) error {
		if info, err := d.Info(); err != nil || d.IsDir() {
			return err
		} else if mine, err := young.File().Stat(); err == nil && os.SameFile(info, mine) {
			return nil
		}
		return os.Chtimes(name, long, long)
	}))
	victims, err := c.Plan(t.Context())
	must(err)
	var got []string
	for _, v := range victims {
		why, _, _ := strings.Cut(v.Why, ",")
		got = append(got, v.Key+": "+why)
	}
	slices.Sort(got)
	want := []string{": a description of an unfinished file", ": an unfinished write", ": an unfinished write", "gone: a description of a file that has gone", "old: an unfinished file"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	must(c.Sweep())
	if p, err := s.Resume("young"); err != nil || p.Have() != 10 {
		t.Errorf("the young part: %v", err)
	} else {
		p.File().Close()
	}
	if o, err := s.Get("whole"); err != nil || !o.Known {
		t.Errorf("the whole file: %v", err)
	} else {
		o.Close()
	}
	if _, err := s.Resume("old"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the old part: %v", err)
	}
	if victims, err = c.Plan(t.Context()); err != nil || len(victims) > 0 {
		t.Errorf("%+v, %v", victims, err)
	}
}

func sumsOf(b []byte) *fill.Sums {
	sum := sha512.Sum512(b)
	return &fill.Sums{Size: int64(len(b)), Hex: map[string]string{"SHA512": hex.EncodeToString(sum[:])}, Origin: "test"}
}

// Every fate of a file, on the same file system and, where the machine has one,
// from another.
func TestImport(t *testing.T) {
	for _, elsewhere := range []string{"", "/dev/shm"} {
		s := open(t)
		dir, err := os.MkdirTemp(elsewhere, "distfiles")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		good := bytes.Repeat([]byte("good"), 1000)
		write := func(name string, b []byte) {
			if err := os.WriteFile(name, b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		for _, n := range []string{"good", "dup", "mismatch", "strange", ".portage_lockfile"} {
			write(dir+"/"+n, good)
		}
		write(dir+"/wrong", append([]byte("x"), good[1:]...))
		write(dir+"/short", good[:10])
		if err := errors.Join(os.Mkdir(dir+"/git3-src", 0o755), os.Symlink("good", dir+"/link"), os.Mkdir(s.Dir()+"/distfiles", 0o755)); err != nil {
			t.Fatal(err)
		}
		write(s.Dir()+"/distfiles/dup", good)
		write(s.Dir()+"/distfiles/mismatch", good[:5])
		got := map[string]Fate{}
		im := &Import{
			Store: s, Key: func(n string) string { return "distfiles/" + n }, Dry: true, Tell: func(o Outcome) { got[o.Name] = o.Fate },
			Sums: func(key string) *fill.Sums {
				if key == "distfiles/strange" {
					return nil
				}
				return sumsOf(good)
			},
		}
		want := map[string]Fate{"good": Taken, "dup": Duplicate, "mismatch": Taken, "strange": Strange, "wrong": Wrong, "short": Wrong}
		for _, dry := range []bool{true, false} {
			clear(got)
			if im.Dry = dry; im.Folder(t.Context(), dir) != nil {
				t.Fatal("the folder cannot be read")
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("dry %v: %s", dry, d)
			}
			if _, err := os.Stat(dir + "/good"); (err == nil) != dry {
				t.Errorf("dry %v: %v", dry, err)
			}
		}
		var left []string
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			left = append(left, e.Name())
		}
		if d := cmp.Diff([]string{".portage_lockfile", "git3-src", "link", "short", "strange", "wrong"}, left); d != "" {
			t.Error(d)
		}
		for _, key := range []string{"distfiles/good", "distfiles/mismatch"} {
			o, err := s.Get(key)
			if err != nil || !o.Known || o.Meta.Sum != sumsOf(good).Best() || o.Size != int64(len(good)) {
				t.Errorf("%s: %+v, %v", key, o, err)
				continue
			}
			o.Close()
		}
		// The cache's own folder is verified in its place.
		clear(got)
		if err := im.Folder(t.Context(), s.Dir()+"/distfiles"); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(map[string]Fate{"good": Described, "dup": Described, "mismatch": Described}, got); d != "" {
			t.Error(d)
		}
	}
}
