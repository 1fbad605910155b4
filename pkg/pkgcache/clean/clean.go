// Package clean keeps a package cache small: files that no list names any more,
// files that nobody has used for long when room is needed, and what crashes have
// left. It plans first, so that a dry run can tell what would go and why.
package clean

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/empegsync/empegsync/pkg/pkgcache/known"
	"github.com/empegsync/empegsync/pkg/pkgcache/store"
	"github.com/empegsync/empegsync/pkg/status"
)

// Limits are what a cache may be.
type Limits struct {
	Quota    int64         // bytes of all files together, 0: any
	MinFree  int64         // bytes that the file system keeps free
	Unlisted time.Duration // how long a file stays that no list names, after its last use; 0: for ever
	Parts    time.Duration // how long an unfinished file stays; 0: for ever
}

// Victim is a file that is to go.
type Victim struct {
	Key  string
	Size int64 // bytes
	Used time.Time
	Why  string // for people

	leftover *store.Leftover
}

// Plan chooses. items are all files, free the bytes that the file system has
// left, reserve what is about to come. The file that was used longest ago goes
// first, and before those the ones that no list names.
func (l Limits) Plan(items []store.Item, free, reserve int64, reference func(key string) known.Reference, now time.Time) []Victim {
	var victims []Victim
	type candidate struct {
		store.Item
		unlisted bool
	}
	var rest []candidate
	total := reserve
	for _, it := range items {
		it.Used = lastUse(it)
		unlisted := reference(it.Key) == known.Unlisted
		idle := now.Sub(it.Used)
		if unlisted && l.Unlisted > 0 && idle > l.Unlisted {
			victims = append(victims, Victim{Key: it.Key, Size: it.Size, Used: it.Used, Why: "no list names it, not used for " + days(idle)})
			free += it.Size
			continue
		}
		total += it.Size
		rest = append(rest, candidate{it, unlisted})
	}
	slices.SortStableFunc(rest, func(a, b candidate) int {
		if a.unlisted != b.unlisted {
			if a.unlisted {
				return -1
			}
			return 1
		}
		return cmp.Or(a.Used.Compare(b.Used), cmp.Compare(a.Key, b.Key))
	})
	for _, c := range rest {
		why := ""
		switch {
		case l.Quota > 0 && total > l.Quota:
			why = "over the quota of " + Bytes(l.Quota)
		case free-reserve < l.MinFree:
			why = "less than " + Bytes(l.MinFree) + " are free"
		default:
			return victims
		}
		why += ", used longest ago: " + days(now.Sub(c.Used))
		if c.unlisted {
			why += ", and no list names it"
		}
		victims = append(victims, Victim{Key: c.Key, Size: c.Size, Used: c.Used, Why: why})
		total -= c.Size
		free += c.Size
	}
	return victims
}

// lastUse is when a file was read or came, whichever is later: some file systems
// do not note reading.
func lastUse(it store.Item) time.Time {
	if it.Meta.Fetched.After(it.Used) {
		return it.Meta.Fetched
	}
	return it.Used
}

func days(d time.Duration) string {
	switch n := int(d.Hours() / 24); {
	case n < 1:
		return "less than a day"
	case n == 1:
		return "1 day"
	default:
		return fmt.Sprint(n, " days")
	}
}

// Bytes writes a size for people.
func Bytes(n int64) string { return status.Bytes(n) }

// Cleaner cleans a store. Its fields are set before the first call; its methods
// may be used from many goroutines.
type Cleaner struct {
	Store *store.Store
	// Reference tells whether lists name a file; nil: there are no lists.
	Reference func(key string) known.Reference
	Limits    Limits
	Log       *slog.Logger
	// Now is the clock; nil: time.Now.
	Now func() time.Time

	mu      sync.Mutex
	counted bool
	total   int64 // bytes of all files, about
}

func (c *Cleaner) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

func (c *Cleaner) reference(key string) known.Reference {
	if c.Reference == nil {
		return known.Unjudged
	}
	return c.Reference(key)
}

// Plan chooses what has to go now, leftovers with it.
func (c *Cleaner) Plan(ctx context.Context) ([]Victim, error) {
	victims, _, err := c.plan(ctx, c.Limits, 0)
	if err != nil || c.Limits.Parts == 0 {
		return victims, err
	}
	left, err := c.leftovers()
	return append(victims, left...), err
}

// Sweep removes leftovers.
func (c *Cleaner) Sweep() error {
	left, err := c.leftovers()
	_, err2 := c.Apply(left)
	return errors.Join(err, err2)
}

func (c *Cleaner) leftovers() ([]Victim, error) {
	left, err := c.Store.Leftovers(c.now().Add(-c.Limits.Parts))
	var victims []Victim
	for _, l := range left {
		victims = append(victims, Victim{
			Key: l.Key, Size: l.Size, Used: l.ModTime, leftover: &l,
			Why: l.Why + ", not touched for " + days(c.now().Sub(l.ModTime)),
		})
	}
	return victims, err
}

func (c *Cleaner) plan(ctx context.Context, lim Limits, reserve int64) (victims []Victim, total int64, err error) {
	var items []store.Item
	err = c.Store.Each(func(it store.Item) error {
		items = append(items, it)
		total += it.Size
		return ctx.Err()
	})
	if err != nil {
		return nil, 0, err // a file that was not seen must not decide
	}
	free, err := c.Store.Free()
	if err != nil {
		return nil, 0, err
	}
	return lim.Plan(items, free, reserve, c.reference, c.now()), total, nil
}

// Apply removes what a plan has chosen, and returns the bytes that this freed.
// It goes on after an error.
func (c *Cleaner) Apply(victims []Victim) (freed int64, err error) {
	for _, v := range victims {
		var failed error
		if v.leftover != nil {
			failed = c.Store.RemoveLeftover(*v.leftover)
		} else {
			failed = c.Store.Remove(v.Key)
		}
		if failed != nil {
			err = errors.Join(err, failed)
			continue
		}
		freed += v.Size
		c.Log.Info("removed", "key", v.Key, "bytes", v.Size, "why", v.Why)
	}
	return freed, err
}

// ErrFull is in the error of a file that cannot be made room for.
var ErrFull = errors.New("the cache is full")

// Room makes room for a file of n bytes (-1: not known), as arriving bytes of
// others are on their way already. It evicts nothing if that would not do.
func (c *Cleaner) Room(ctx context.Context, n, arriving int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	lim, n := c.Limits, max(n, 0)
	free, err := c.Store.Free()
	if err != nil {
		return err
	}
	if lim.Quota > 0 && n > lim.Quota {
		return fmt.Errorf("%w: the file has %s, the quota is %s (parameter \"quota\")", ErrFull, Bytes(n), Bytes(lim.Quota))
	}
	if lim.Quota > 0 && !c.counted {
		if err := c.count(ctx); err != nil {
			return err
		}
	}
	if free-n >= lim.MinFree && (lim.Quota == 0 || c.total+arriving+n <= lim.Quota) {
		return nil
	}
	// Somewhat more goes than has to, so that not every file has to ask again.
	slack := Limits{Quota: lim.Quota - lim.Quota/20, MinFree: lim.MinFree + lim.MinFree/20}
	victims, total, err := c.plan(ctx, slack, n+arriving)
	if err != nil {
		return err
	}
	var gain int64
	for _, v := range victims {
		gain += v.Size
	}
	if free+gain-n < lim.MinFree {
		return fmt.Errorf("%w: %s are free and %s could go, %s are needed with what is to stay free (parameter \"min free\")",
			ErrFull, Bytes(free), Bytes(gain), Bytes(n+lim.MinFree))
	}
	freed, err := c.Apply(victims)
	c.total, c.counted = total-freed, true
	c.Log.Info("made room", "files", len(victims), "bytes", freed)
	return err
}

func (c *Cleaner) count(ctx context.Context) error {
	c.total = 0
	err := c.Store.Each(func(it store.Item) error {
		c.total += it.Size
		return ctx.Err()
	})
	c.counted = err == nil
	return err
}

// Added notes a file that has come.
func (c *Cleaner) Added(n int64) {
	c.mu.Lock()
	c.total += n
	c.mu.Unlock()
}
