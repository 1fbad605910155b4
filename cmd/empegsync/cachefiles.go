//go:build !board

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path"
	"time"

	"github.com/empegsync/empegsync/pkg/pkgcache/clean"
	"github.com/empegsync/empegsync/pkg/pkgcache/known"
	"github.com/empegsync/empegsync/pkg/pkgcache/service"
	"github.com/empegsync/empegsync/pkg/pkgcache/settings"
	"github.com/empegsync/empegsync/pkg/pkgcache/store"
)

// cacheFlags say which cache a verb works on.
type cacheFlags struct {
	Dir       string   `short:"d" placeholder:"DIR" help:"The cache's folder (/var/cache/http-replicator)."`
	Config    string   `placeholder:"FILE" type:"path" help:"The cache's configuration file."`
	Confd     string   `placeholder:"FILE" type:"path" help:"http-replicator's file of /etc/conf.d."`
	Manifests []string `placeholder:"DIR" sep:"none" help:"A portage tree whose Manifests count; else those of this machine."`
	DryRun    bool     `short:"n" help:"Only tell what would be done, and why."`
}

// open opens the cache's folder and reads the lists. An unreadable list is an
// error: what it names would look as if nobody named it.
func (c *cacheFlags) open(ctx context.Context, errOut io.Writer) (*settings.Settings, *store.Store, *known.Lists, *slog.Logger, error) {
	set, err := (&cacheServeCmd{Dir: c.Dir, Config: c.Config, Confd: c.Confd}).settings()
	if err != nil {
		return nil, nil, nil, nil, &coded{err, exitUsage}
	}
	if len(c.Manifests) > 0 {
		set.Manifests = c.Manifests
	}
	log := slog.New(slog.NewTextHandler(errOut, &slog.HandlerOptions{Level: slog.LevelWarn}))
	st, err := store.Open(set.Dir)
	if err != nil {
		return nil, nil, nil, nil, err
	}
	lists := service.Lists(set, st, log)
	if err := lists.Load(ctx); err != nil {
		return nil, nil, nil, nil, errors.Join(err, st.Close())
	}
	return set, st, lists, log, nil
}

// cacheCleanCmd removes files.
type cacheCleanCmd struct {
	cacheFlags
	Days    int    `default:"-1" placeholder:"N" help:"Remove what no list names and nobody has used for N days (30); 0: never."`
	Quota   string `placeholder:"SIZE" help:"Remove what was used longest ago until all files have no more than SIZE, as 20G."`
	MinFree string `placeholder:"SIZE" help:"Likewise until the file system has SIZE free."`
}

// Help is what --help tells of the verb.
func (cacheCleanCmd) Help() string {
	return `Lists are the Manifests of portage trees for distfiles, and apt's indexes in the
cache for Debian packages; what no list could name goes by quota and free space
alone. The cache may run meanwhile, and makes room by itself when it needs some.

Examples:
  empegsync cache clean -n
  empegsync cache clean --config /etc/empegsync-cache.conf --days 14 --quota 50G`
}

// Run implements the verb.
func (c *cacheCleanCmd) Run(ctx context.Context, s *streams) (err error) {
	set, st, lists, log, err := c.open(ctx, s.err)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	cleaner := service.Cleaner(set, st, lists, log)
	if c.Days >= 0 {
		cleaner.Limits.Unlisted = time.Duration(min(c.Days, 36500)) * 24 * time.Hour
	}
	for to, v := range map[*int64]string{&cleaner.Limits.Quota: c.Quota, &cleaner.Limits.MinFree: c.MinFree} {
		if v == "" {
			continue
		}
		if *to, err = settings.ParseSize(v); err != nil {
			return &coded{err, exitUsage}
		}
	}
	victims, err := cleaner.Plan(ctx)
	if err != nil {
		return err
	}
	return c.carryOut(s.out, cleaner, victims)
}

// carryOut removes the victims, or only tells of them.
func (c *cacheCleanCmd) carryOut(out io.Writer, cleaner *clean.Cleaner, victims []clean.Victim) (err error) {
	verb, total, count := "removed", int64(0), 0
	if c.DryRun {
		verb = "would remove"
	}
	for _, v := range victims {
		if !c.DryRun {
			if _, failed := cleaner.Apply([]clean.Victim{v}); failed != nil {
				err = errors.Join(err, failed)
				continue
			}
		}
		name := v.Key
		if name == "" {
			name = "a file"
		}
		fmt.Fprintf(out, "%s %s (%s): %s\n", verb, name, clean.Bytes(v.Size), v.Why)
		total += v.Size
		count++
	}
	fmt.Fprintf(out, "%s %d files, %s\n", verb, count, clean.Bytes(total))
	return err
}

// cacheImportCmd takes a folder over.
type cacheImportCmd struct {
	cacheFlags
	Folder []string `arg:"" placeholder:"DISTDIR" help:"Folders of distfiles."`
}

// Help is what --help tells of the verb.
func (cacheImportCmd) Help() string {
	return `Files that are what a Manifest says move into the cache; what it has already is
removed from the folder. Others are left and told. A folder that the cache lies
on, as /usr/portage/distfiles with --dir /usr/portage, is verified in its place.

Examples:
  empegsync cache import /usr/portage/distfiles
  empegsync cache import -n --dir /srv/cache /var/cache/distfiles`
}

// Run implements the verb.
func (c *cacheImportCmd) Run(ctx context.Context, s *streams) (err error) {
	set, st, lists, _, err := c.open(ctx, s.err)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if len(lists.Trees) == 0 {
		return &coded{errors.New("there is no portage tree to verify files by: name one with --manifests"), exitUsage}
	}
	counts, bad := make(map[clean.Fate]int), 0
	im := &clean.Import{
		Store: st, Sums: lists.Sums, Dry: c.DryRun,
		Key: func(name string) string {
			if set.Flat {
				return name
			}
			return path.Join("distfiles", name)
		},
		Tell: func(o clean.Outcome) {
			counts[o.Fate]++
			if o.Err != nil {
				bad++
				fmt.Fprintf(s.out, "%s: %s: %v\n", o.Name, o.Fate, o.Err)
				return
			}
			fmt.Fprintf(s.out, "%s: %s\n", o.Name, o.Fate)
		},
	}
	for _, dir := range c.Folder {
		err = errors.Join(err, im.Folder(ctx, dir))
	}
	if c.DryRun {
		fmt.Fprintln(s.out, "(dry run: nothing was changed)")
	}
	for _, f := range []clean.Fate{clean.Taken, clean.Described, clean.Duplicate, clean.Wrong, clean.Strange, clean.Failed} {
		if n := counts[f]; n > 0 {
			fmt.Fprintf(s.out, "%d %s\n", n, f)
		}
	}
	if err == nil && bad > 0 {
		err = fmt.Errorf("%d files were not taken over, see above", bad)
	}
	return err
}
