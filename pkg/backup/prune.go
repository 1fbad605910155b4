package backup

import (
	"context"
	"errors"
	"fmt"

	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

// remove deletes a snapshot. It loses its name first, so that one that is half
// deleted is never taken for a whole one.
func (s *Store) remove(ctx context.Context, snapshot string) error {
	if snapshot == s.Latest() {
		return fmt.Errorf("%s is the latest snapshot and stays", snapshot)
	}
	gone := pruning + snapshot
	if err := s.root.Rename(snapshot, gone); err != nil {
		return fmt.Errorf("delete %s: %w", snapshot, reason(err))
	}
	if err := s.root.SyncDir("."); err != nil {
		return fmt.Errorf("sync %s: %w", s.Dir, reason(err))
	}
	return s.clear(ctx, gone)
}

// clear deletes folders that are no snapshots, or no longer.
func (s *Store) clear(ctx context.Context, folders ...string) error {
	var errs []error
	for _, f := range folders {
		if err := s.root.RemoveAll(ctx, f, rootfs.RemoveOptions{OneFileSystem: true}); err != nil {
			errs = append(errs, fmt.Errorf("delete %s in %s: %w", f, s.Dir, err))
		}
	}
	return errors.Join(errs...)
}

// Prune carries out a plan and returns the names of what it has deleted. Of the
// latest snapshot nothing is deleted, whatever the plan says.
func (s *Store) Prune(ctx context.Context, plan []Decision) ([]string, error) {
	var gone []string
	for _, d := range plan {
		if d.Keep {
			continue
		}
		if err := s.remove(ctx, d.Name); err != nil {
			return gone, err
		}
		gone = append(gone, d.Name)
	}
	return gone, nil
}
