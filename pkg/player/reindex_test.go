package player

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/empegsync/empegsync/pkg/mounts"
	"github.com/empegsync/empegsync/pkg/ownspace"
)

// listing names the files below dir, and their sizes.
func listing(t testing.TB, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		words = append(words, fmt.Sprintf("%s:%d", e.Name(), info.Size()))
	}
	return strings.Join(words, " ")
}

func TestReindex(t *testing.T) {
	p, root := fixture(t)
	dir := filepath.Join(root, "drive0/var")
	want := []DatabaseFile{{"database", 10}, {"database3", 14}, {"playlists", 0}, {"tags", 5}}
	before := listing(t, dir)

	planned, err := p.PlanReindex()
	if err != nil {
		t.Fatal(err)
	}
	dry, err := p.Reindex(context.Background(), true)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, planned) + cmp.Diff(want, dry); diff != "" {
		t.Error(diff)
	}
	if after := listing(t, dir); after != before {
		t.Errorf("a dry run has changed %s to %s", before, after)
	}
	removed, err := p.Reindex(context.Background(), false)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, removed); diff != "" {
		t.Error(diff)
	}
	if got := listing(t, dir); got != "config.ini:23 tags.bak:4" {
		t.Errorf("left over: %s", got)
	}
	if got := listing(t, filepath.Join(root, "drive0/fids")); got != "120:4 121:4" {
		t.Errorf("fids: %s", got)
	}
	if again, err := p.Reindex(context.Background(), false); err != nil || again != nil {
		t.Errorf("a second time: %v, %v", again, err)
	}
}

func TestReindexPlaces(t *testing.T) {
	tests := []struct {
		name   string
		change func(root string)
		want   int // files removed
		err    string
	}{
		{"no /empeg", func(root string) { remove(t, filepath.Join(root, "empeg")) }, 4, ""},
		{"an absolute link", func(root string) {
			remove(t, filepath.Join(root, "empeg/var"))
			link(t, "/drive0/var", filepath.Join(root, "empeg/var"))
		}, 4, ""},
		{"no drive", func(root string) { remove(t, filepath.Join(root, "drive0")) }, 0, "neither empeg/var nor drive0/var"},
		{"a link among them", func(root string) {
			remove(t, filepath.Join(root, "drive0/var/tags"))
			link(t, "config.ini", filepath.Join(root, "drive0/var/tags"))
		}, 4, ""},
		{"a directory among them", func(root string) {
			remove(t, filepath.Join(root, "drive0/var/tags"))
			if err := os.Mkdir(filepath.Join(root, "drive0/var/tags"), 0o755); err != nil {
				t.Fatal(err)
			}
		}, 0, "drive0/var/tags is not a file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, root := fixture(t)
			tt.change(root)
			removed, err := p.Reindex(context.Background(), false)
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
			if len(removed) != tt.want {
				t.Errorf("removed %v", removed)
			}
			if _, err := os.Stat(filepath.Join(root, "drive0/var/config.ini")); err != nil && tt.name != "no drive" {
				t.Error(err)
			}
		})
	}
}

// A link that points out of the root is taken for one below it.
func TestReindexOutside(t *testing.T) {
	p, root := fixture(t)
	outside := t.TempDir()
	put(t, filepath.Join(outside, "database"), "not ours")
	remove(t, filepath.Join(root, "empeg/var"))
	link(t, outside, filepath.Join(root, "empeg/var"))
	if _, err := p.Reindex(context.Background(), false); err != nil {
		t.Error(err) // there is nothing there, so drive0/var it is
	}
	if got := listing(t, outside); got != "database:8" {
		t.Errorf("outside: %s", got)
	}
}

func TestReindexCancelled(t *testing.T) {
	p, _ := fixture(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if removed, err := p.Reindex(ctx, false); !errors.Is(err, context.Canceled) || removed != nil {
		t.Errorf("Reindex = %v, %v", removed, err)
	}
}

// On real mounts: a read-only drive0 is so again afterwards, an empty mounted
// drive1 is a drive, and the lock keeps neither from being remounted.
func TestReindexReadOnlyDrive(t *testing.T) {
	if !ownspace.Enter(t, 0) {
		return
	}
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"drive0", "drive1"} {
		point := filepath.Join(root, d)
		if err := os.Mkdir(point, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount("none", point, "tmpfs", 0, ""); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Unmount(point, unix.MNT_DETACH) })
	}
	layOut(t, root)
	remove(t, filepath.Join(root, "drive1/fids"))
	drive0 := filepath.Join(root, "drive0")
	if err := unix.Mount("", drive0, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	p, err := Open(root, mounts.NewGuard(mounts.Linux{}, nil))
	if err != nil {
		t.Fatal(err)
	}
	drives, err := p.Drives()
	if err != nil || len(drives) != 2 {
		t.Errorf("drives %v, %v", drives, err)
	}
	lock, err := p.Lock()
	if err != nil {
		t.Fatal(err)
	}
	removed, err := p.Reindex(context.Background(), false)
	if err != nil || len(removed) != 4 {
		t.Errorf("Reindex = %v, %v", removed, err)
	}
	if err := os.WriteFile(filepath.Join(drive0, "x"), nil, 0o644); !errors.Is(err, unix.EROFS) {
		t.Errorf("drive0 is not read-only again: %v", err)
	}
	if err := lock.Unlock(); err != nil {
		t.Error(err)
	}
}
