package subtree

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

func TestExpand(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a/x.txt", "a/y.txt", "b/x.txt", "b/z/x.txt", "hid/x.txt", ".dot", "f"} {
		full := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	root, err := rootfs.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	tree := &Tree{Root: root, Closed: func(p string, isDir bool) bool { return p == "hid" || strings.HasPrefix(p, "hid/") }}
	for pattern, want := range map[string][]string{
		"plain":       {"plain"},
		"*":           {".dot", "a", "b", "f"},
		"*/x.txt":     {"a/x.txt", "b/x.txt"},
		"*/*.txt":     {"a/x.txt", "a/y.txt", "b/x.txt"},
		"?/z/*":       {"b/z/x.txt"},
		"[!a]/*/":     {"b/x.txt/", "b/z/"},
		"hid/*":       {"hid/*"},
		"h*/x.txt":    {"h*/x.txt"},
		"[":           {"["},
		"*/none":      {"*/none"},
		"a/*/deeper*": {"a/*/deeper*"},
	} {
		if got := tree.Expand(context.Background(), pattern, false); !slices.Equal(got, want) {
			t.Errorf("%q = %q, want %q", pattern, got, want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if got := tree.Expand(ctx, "*", false); got != nil {
		t.Errorf("after the end: %q", got)
	}
}
