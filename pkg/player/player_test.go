package player

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/empegsync/empegsync/pkg/mounts"
)

// fixture lays out a player's disks, as far as this package looks at them.
func fixture(t testing.TB) (*Player, string) {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	layOut(t, root)
	p, err := Open(root, mounts.NewGuard(mounts.Linux{}, nil))
	if err != nil {
		t.Fatal(err)
	}
	return p, root
}

func layOut(t testing.TB, root string) {
	t.Helper()
	for _, d := range []string{"empeg/bin", "drive0/fids", "drive0/var", "drive0/lost+found", "drive1/fids"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	link(t, "../drive0/fids", filepath.Join(root, "empeg/fids0"))
	link(t, "../drive1/fids", filepath.Join(root, "empeg/fids1"))
	link(t, "../drive0/var", filepath.Join(root, "empeg/var"))
	for name, text := range map[string]string{
		"drive0/var/database": "database 2", "drive0/var/database3": "database three", "drive0/var/playlists": "",
		"drive0/var/tags": "type\n", "drive0/var/config.ini": "[Options]\nname=Kitchen\n", "drive0/var/tags.bak": "mine",
		"drive0/fids/120": "body", "drive0/fids/121": "tags",
	} {
		put(t, filepath.Join(root, name), text)
	}
}

func put(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func link(t testing.TB, target, name string) {
	t.Helper()
	if err := os.Symlink(target, name); err != nil {
		t.Fatal(err)
	}
}

func remove(t testing.TB, name string) {
	t.Helper()
	if err := os.RemoveAll(name); err != nil {
		t.Fatal(err)
	}
}

func TestOpen(t *testing.T) {
	p, root := fixture(t)
	if p.Root() != root {
		t.Errorf("Root() = %s, want %s", p.Root(), root)
	}
	link(t, root, root+"-link")
	if p, err := Open(root+"-link", nil); err != nil || p.Root() != root {
		t.Errorf("through a link: %v, %v", p, err)
	}
	for _, bad := range []string{filepath.Join(root, "none"), filepath.Join(root, "drive0/fids/120")} {
		if _, err := Open(bad, nil); err == nil || !strings.Contains(err.Error(), "player's root") {
			t.Errorf("Open(%s) = %v", bad, err)
		}
	}
}

func TestDrives(t *testing.T) {
	tests := []struct {
		name   string
		change func(root string)
		want   []string // names and fids below the root
		err    string
	}{
		{"two", func(string) {}, []string{"drive0 drive0/fids", "drive1 drive1/fids"}, ""},
		{"the bare mount point of a second", func(root string) {
			remove(t, filepath.Join(root, "drive1/fids"))
		}, []string{"drive0 drive0/fids"}, ""},
		{"no second", func(root string) { remove(t, filepath.Join(root, "drive1")) }, []string{"drive0 drive0/fids"}, ""},
		{"fids is a file", func(root string) {
			remove(t, filepath.Join(root, "drive1/fids"))
			put(t, filepath.Join(root, "drive1/fids"), "")
		}, []string{"drive0 drive0/fids"}, ""},
		{"an absolute link stays inside", func(root string) {
			if err := os.Rename(filepath.Join(root, "drive0"), filepath.Join(root, "disk")); err != nil {
				t.Fatal(err)
			}
			link(t, "/disk", filepath.Join(root, "drive0"))
		}, []string{"drive0 disk/fids", "drive1 drive1/fids"}, ""},
		{"none", func(root string) {
			remove(t, filepath.Join(root, "drive0"))
			remove(t, filepath.Join(root, "drive1"))
		}, nil, ""},
		{"one drive by two names", func(root string) {
			remove(t, filepath.Join(root, "drive1"))
			link(t, "drive0", filepath.Join(root, "drive1"))
		}, nil, "the same directory"},
		{"fids of one drive on the other", func(root string) {
			remove(t, filepath.Join(root, "drive1/fids"))
			link(t, "../drive0/fids", filepath.Join(root, "drive1/fids"))
		}, nil, "the same directory"},
		{"a loop", func(root string) {
			remove(t, filepath.Join(root, "drive1"))
			link(t, "drive1", filepath.Join(root, "drive1"))
		}, nil, "too many"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, root := fixture(t)
			tt.change(root)
			drives, err := p.Drives()
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
			var got []string
			for _, d := range drives {
				got = append(got, d.Name+" "+strings.TrimPrefix(d.Fids, root+"/"))
				if !strings.HasPrefix(d.Fids, d.Path+"/") {
					t.Errorf("fids %s is not on %s", d.Fids, d.Path)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFID(t *testing.T) {
	tests := []struct {
		fid         FID
		flat, split string
	}{
		{0x186f0, "186f0", "_00018/6f0"},
		{RootPlaylist, "100", "_00000/100"},
		{FirstItem | 1, "121", "_00000/121"},
		{0, "0", "_00000/000"},
		{0xffffffff, "ffffffff", "_fffff/fff"},
	}
	for _, tt := range tests {
		if got := tt.fid.Path(FlatLayout); got != tt.flat {
			t.Errorf("flat %s, want %s", got, tt.flat)
		}
		if got := tt.fid.Path(SplitLayout); got != tt.split {
			t.Errorf("split %s, want %s", got, tt.split)
		}
		for layout, name := range map[Layout]string{FlatLayout: tt.flat, SplitLayout: tt.split} {
			if fid, got, err := ParsePath(name); fid != tt.fid || got != layout || err != nil {
				t.Errorf("ParsePath(%s) = %v, %v, %v", name, fid, got, err)
			}
		}
	}
	for _, bad := range []string{
		"", "0100", "1F0", "+1", "-1", "1_0", "0x1", "g", "100000000", "_00018", "_00018/6f", "_00018/06f0", "_0018/6f0",
		"_00018/6F0", "_/", "_000186f0", "_00018/6f0/", "/100", "_fffff/fff0", ".100.abcdef", "_00_18/6f0",
	} {
		if fid, _, err := ParsePath(bad); err == nil {
			t.Errorf("ParsePath(%q) = %v", bad, fid)
		}
	}
	if f := FID(0x121); !f.IsTags() || f.IsBody() || !FID(0x120).IsBody() || f.String() != "121" {
		t.Errorf("kinds of %v", f)
	}
}

func FuzzParsePath(f *testing.F) {
	for _, name := range []string{"186f0", "_00018/6f0", "0", "_fffff/fff", "00"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if fid, layout, err := ParsePath(name); err == nil && fid.Path(layout) != name {
			t.Errorf("ParsePath(%q) = %v, %v", name, fid, layout)
		}
	})
}
