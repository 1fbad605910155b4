package service

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/empegsync/empegsync/pkg/pkgcache/clean"
	"github.com/empegsync/empegsync/pkg/pkgcache/fill"
	"github.com/empegsync/empegsync/pkg/pkgcache/known"
	"github.com/empegsync/empegsync/pkg/pkgcache/settings"
	"github.com/empegsync/empegsync/pkg/pkgcache/store"
)

// Lists are what settings say of the lists that files are verified by. They are
// not loaded yet.
func Lists(set *settings.Settings, main *store.Store, log *slog.Logger) *known.Lists {
	trees := set.Manifests
	if trees == nil {
		trees = known.FindTrees()
	}
	return &known.Lists{Trees: trees, Store: main, Log: log}
}

// Cleaner cleans a store as the settings say.
func Cleaner(set *settings.Settings, main *store.Store, lists *known.Lists, log *slog.Logger) *clean.Cleaner {
	return &clean.Cleaner{
		Store: main, Reference: lists.Reference, Log: log,
		Limits: clean.Limits{Quota: set.Quota, MinFree: set.MinFree, Unlisted: set.Unlisted, Parts: set.Parts},
	}
}

// sweep removes what crashes have left, now and every day.
func (s *Service) sweep(ctx context.Context) {
	if s.set.Parts == 0 {
		return
	}
	daily := time.NewTicker(24 * time.Hour)
	defer daily.Stop()
	for {
		if err := s.cleaner.Sweep(); err != nil {
			s.log.Warn("what crashes have left stays", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-daily.C:
		}
	}
}

// told is what the fills report to.
func (s *Service) told(e fill.Event) {
	common := s.tier != nil && e.Host == s.tier.Host()
	var status *fill.StatusError
	if missed := errors.As(e.Err, &status) && status.Code == http.StatusNotFound; !common || !missed {
		s.book.Fetched(e) // that the common store lacks a file is no error
	}
	if !e.Kept || e.Store != s.fills.Store {
		return
	}
	if s.tier != nil && !common && !e.Volatile {
		s.tier.Copy(e.Store, e.Key)
	}
	s.cleaner.Added(e.Bytes)
	if known.IsList(e.Key) {
		select {
		case s.came <- e.Key:
		default:
			s.log.Warn("too many lists come at once, one is read at the next start", "key", e.Key)
		}
	}
}

// read reads lists that have come.
func (s *Service) read(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case key := <-s.came:
			if err := s.lists.Note(key); err != nil {
				s.log.Warn("a list in the cache cannot be read", "key", key, "err", err)
			}
		}
	}
}
