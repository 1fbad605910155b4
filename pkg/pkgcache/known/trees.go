package known

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// FindTrees lists the portage trees where Gentoo has them.
func FindTrees() []string {
	var trees []string
	for _, pattern := range []string{"/var/db/repos/*", "/usr/portage"} {
		dirs, _ := filepath.Glob(pattern) // only a wrong pattern is an error
		for _, d := range dirs {
			if info, err := os.Stat(filepath.Join(d, "profiles")); err == nil && info.IsDir() {
				trees = append(trees, d)
			}
		}
	}
	return trees
}

// readTrees makes one table of all trees, the first tree's word first. An
// unreadable tree is an error: what is not known to be listed must not look
// unlisted.
func readTrees(ctx context.Context, trees []string) (*table, error) {
	t := &table{}
	for _, tree := range trees {
		before := len(t.entries)
		origin := t.origin("Manifest in " + tree)
		if err := readTree(ctx, tree, func(d distfile) { t.add(origin, d.name, d.size, d.alg, d.sum) }); err != nil {
			return nil, fmt.Errorf("read the Manifests of %s: %w", tree, err)
		}
		if len(t.entries) == before {
			return nil, fmt.Errorf("read the Manifests of %s: there are none with distfiles; it should be a portage tree with its packages", tree)
		}
	}
	if len(t.entries) >= maxEntries {
		return nil, fmt.Errorf("read the Manifests: more than %d distfiles, which no trees have", maxEntries)
	}
	t.sort()
	return t, nil
}

// readTree reads category/package/Manifest.
func readTree(ctx context.Context, tree string, f func(distfile)) error {
	categories, err := os.ReadDir(tree)
	if err != nil {
		return err
	}
	for _, c := range categories {
		if !c.IsDir() || strings.HasPrefix(c.Name(), ".") || c.Name() == "metadata" || c.Name() == "distfiles" || c.Name() == "packages" {
			continue
		}
		packages, err := os.ReadDir(filepath.Join(tree, c.Name()))
		if err != nil {
			return err
		}
		for _, p := range packages {
			if err := ctx.Err(); err != nil {
				return err
			}
			if !p.IsDir() {
				continue
			}
			if err := readOne(filepath.Join(tree, c.Name(), p.Name(), "Manifest"), f); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

func readOne(name string, f func(distfile)) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	return readManifest(file, f)
}

// stamp is a sum over what changes in a tree when it is synchronised: a look at
// 200 folders instead of 20,000 files.
func stamp(trees []string) uint64 {
	h := xxhash.New()
	look := func(name string) {
		if info, err := os.Stat(name); err == nil {
			fmt.Fprintln(h, name, info.Size(), info.ModTime().UnixNano())
		}
	}
	for _, tree := range trees {
		for _, name := range []string{"Manifest", "metadata/timestamp", "metadata/timestamp.chk", "metadata/timestamp.commit", ".git/index", ".git/HEAD"} {
			look(filepath.Join(tree, name))
		}
		entries, err := os.ReadDir(tree)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if e.IsDir() {
				look(filepath.Join(tree, e.Name()))
			}
		}
	}
	return h.Sum64()
}
