package synk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

// remover removes below a tree what is still as expected.
type remover struct {
	look   *looker
	root   *rootfs.Root
	backup *rootfs.Root // nil: nothing is kept
	suffix string
}

// remove carries out a request's removals, in order, and returns what could not
// be removed, by path.
func (l *looker) remove(ctx context.Context, q Request) (map[string]string, error) {
	root, err := rootfs.Open(string(q.Tree))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	r := remover{look: l, root: root, suffix: string(q.Suffix)}
	if q.Backup != "" {
		dir := filepath.Join(string(q.Backup), string(q.Tree))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("make the backup directory: %w", err)
		}
		if r.backup, err = rootfs.Open(dir); err != nil {
			return nil, err
		}
		defer r.backup.Close()
	}
	failed := make(map[string]string)
	for _, f := range q.Remove {
		want, err := content(f.Kind, f.Sum, f.Target)
		if err == nil {
			err = r.one(ctx, string(f.Path), want)
		}
		if err != nil {
			failed[string(f.Path)] = err.Error()
		}
	}
	return failed, ctx.Err()
}

func (r *remover) one(ctx context.Context, name string, want Content) error {
	c := r.look.below(ctx, r.root, name)
	switch {
	case c.Err != "":
		return errors.New(c.Err)
	case !c.Present():
		return nil
	case c.Content != want:
		return errors.New("it has been changed since it was looked at: run again")
	case c.Kind == Dir || r.backup == nil:
		return r.root.Remove(name)
	}
	if dir := path.Dir(name); dir != "." {
		if err := r.backup.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("keep it: %w", err)
		}
	}
	if err := r.backup.RenameFrom(r.root, name, name+r.suffix); err != nil {
		return fmt.Errorf("keep it (the backup directory has to be on the same file system): %w", err)
	}
	return nil
}
