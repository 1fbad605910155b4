package playertest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMutate(t *testing.T) {
	for _, o := range []Options{{Fids: 90}, {Fids: 60, Release: V2}, {Fids: 60, Drives: 1, Layout: Split}, {Fids: leastFids, Seed: 3}} {
		a, b := build(t, o), build(t, o)
		day, err := Mutate(a, 5)
		if err != nil {
			t.Fatalf("%+v: %v", o, err)
		}
		if len(day.Added) < 3 || len(day.Retagged) == 0 || len(day.Trimmed) == 0 || len(day.Deleted) == 0 ||
			len(day.Reused) == 0 || len(day.Playlists) == 0 {
			t.Errorf("%+v: a thin day: %v", o, day)
		}
		if err := Compare(a, b); err == nil {
			t.Errorf("%+v: nothing changed", o)
		}
		if r, err := Start(a); err != nil || r.Rebuilt {
			t.Errorf("%+v: start after the edits: %v, %v", o, r, err)
		}
		again, err := Mutate(b, 5)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(day, again); diff != "" {
			t.Errorf("%+v: same seed, another day:\n%s", o, diff)
		}
		if err := Compare(a, b); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
		if _, err := Mutate(a, 6); err != nil {
			t.Errorf("%+v: a second day: %v", o, err)
		}
	}
}

func TestMutateMovesAReusedFIDToTheOtherDrive(t *testing.T) {
	dir := build(t, Options{Fids: 60})
	before, err := store{dir}.visible()
	if err != nil {
		t.Fatal(err)
	}
	day, err := Mutate(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	after, err := store{dir}.visible()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range day.Reused {
		if before[f].at.drive == after[f].at.drive {
			t.Errorf("fid %x stayed on drive%d", uint32(f), after[f].at.drive)
		}
		if !after[f].mtime.After(before[f].mtime) {
			t.Errorf("fid %x is not newer", uint32(f))
		}
	}
	for _, f := range day.Deleted {
		if e, still := after[f]; still {
			t.Errorf("fid %x was deleted but is at %v", uint32(f), e.at)
		}
	}
}

// The rsync of the distribution makes the slave equal, and the player then
// notices what its owner must not forget: the database.
func TestARealPull(t *testing.T) {
	master, slave := build(t, Options{Name: "m", Fids: 80}), build(t, Options{Name: "s", Fids: 80})
	if _, err := Mutate(master, 1); err != nil {
		t.Fatal(err)
	}
	for _, drive := range []string{"drive0", "drive1"} {
		out, err := exec.Command("rsync", "-auv", "--delete", filepath.Join(master, drive, "fids"), filepath.Join(slave, drive)).CombinedOutput()
		if err != nil {
			t.Fatalf("rsync: %v\n%s", err, out)
		}
	}
	if err := Compare(master, slave); err != nil {
		t.Error(err)
	}
	if r, err := Start(slave); !errors.Is(err, ErrLies) || r.Rebuilt {
		t.Errorf("start with the database of yesterday: %v, %v", r, err)
	}
	for _, name := range DatabaseFiles(slave) {
		if err := os.Remove(filepath.Join(slave, "empeg/var", name)); err != nil {
			t.Fatal(err)
		}
	}
	r, err := Start(slave)
	if err != nil || !r.Rebuilt || !r.Saved || len(r.Broken) > 0 || !strings.Contains(r.String(), "tags: no such file") {
		t.Errorf("start without a database: %v, %v", r, err)
	}
	want, err := Start(master)
	if err != nil || r.Tunes != want.Tunes || r.Playlists != want.Playlists {
		t.Errorf("the slave knows %v, the master %v, %v", r, want, err)
	}
	if diff := cmp.Diff([]string{"database3", "playlists", "tags"}, DatabaseFiles(slave)); diff != "" {
		t.Errorf("database (-want +got):\n%s", diff)
	}
	if r, err := Start(slave); err != nil || r.Rebuilt {
		t.Errorf("the start after: %v, %v", r, err)
	}
}

// Each file of the database that is missing or damaged makes the player rebuild all.
func TestStartRebuilds(t *testing.T) {
	for _, name := range []string{"tags", "database3", "playlists"} {
		for _, harm := range []func(string) error{
			os.Remove,
			func(file string) error { return os.Truncate(file, 5) },
		} {
			dir := build(t, Options{Fids: 20})
			if err := harm(filepath.Join(varDir(dir), name)); err != nil {
				t.Fatal(err)
			}
			if r, err := Start(dir); err != nil || !r.Rebuilt || !r.Saved || !strings.Contains(r.Reason, strings.TrimSuffix(name, "3")) {
				t.Errorf("%s: %v, %v", name, r, err)
			}
			if r, err := Start(dir); err != nil || r.Rebuilt {
				t.Errorf("%s, the start after: %v, %v", name, r, err)
			}
		}
	}
}

// What cannot be saved is rebuilt at every start, the playlists being written last.
func TestStartCannotSave(t *testing.T) {
	dir := build(t, Options{Fids: 20})
	playlists := filepath.Join(varDir(dir), "playlists")
	if err := os.Remove(playlists); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(playlists, 0o755); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if r, err := Start(dir); err != nil || !r.Rebuilt || r.Saved || !strings.Contains(r.String(), "not saved") {
			t.Errorf("%v, %v", r, err)
		}
	}
}

// A transfer that was cut off leaves items that make no sense; a rebuild leaves them out.
func TestStartLeavesOutBrokenItems(t *testing.T) {
	tests := []struct {
		name string
		harm func(s store) error
		want string
	}{
		{"no body", func(s store) error {
			return writeFile(s.file(entry{number: 0x9991, at: place{1, Flat}}), []byte("type=tune\n"), firstDay())
		}, "no body"},
		{"cut tags", func(s store) error {
			return s.writeItem(0x9990, place{0, Split}, Tags{{"type", "tune\nx"}}, nil, firstDay())
		}, "line 2"},
		{"other length", func(s store) error {
			return s.writeItem(0x9990, place{0, Flat}, playlistTags("x", 8, firstDay()), []byte("abcd"), firstDay())
		}, "has 4 bytes"},
		{"half a child", func(s store) error {
			return s.writeItem(0x9990, place{0, Flat}, playlistTags("x", 3, firstDay()), []byte("abc"), firstDay())
		}, "multiple of 4"},
		{"far away", func(s store) error {
			return s.writeItem(0xfffffff0, place{0, Flat}, Tags{{"type", "tune"}}, nil, firstDay())
		}, "beyond"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := build(t, Options{Fids: 20, Layout: Split})
			if err := tt.harm(store{dir}); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(filepath.Join(varDir(dir), "tags")); err != nil {
				t.Fatal(err)
			}
			r, err := Start(dir)
			if err != nil || !r.Saved || len(r.Broken) != 1 || !strings.Contains(r.Broken[0], tt.want) || r.Tunes+r.Playlists != 20 {
				t.Errorf("%v, %v; want %q left out", r, err, tt.want)
			}
		})
	}
}

func TestCompareNotices(t *testing.T) {
	const file = "drive1/fids/zzz"
	later := firstDay().Add(time.Second)
	tests := []struct {
		name string
		harm func(dir string) error
		want string
	}{
		{"a name more", func(d string) error { return writeFile(filepath.Join(d, file+"2"), nil, firstDay()) }, "only in the second"},
		{"a name less", func(d string) error { return os.Remove(filepath.Join(d, file)) }, "only in the first"},
		{"other bytes", func(d string) error { return writeFile(filepath.Join(d, file), []byte("abd"), firstDay()) }, "other bytes"},
		{"other size", func(d string) error { return writeFile(filepath.Join(d, file), []byte("abcd"), firstDay()) }, "3 and 4 bytes"},
		{"other mode", func(d string) error { return os.Chmod(filepath.Join(d, file), 0o600) }, "mode"},
		{"other time", func(d string) error { return os.Chtimes(filepath.Join(d, file), later, later) }, "time"},
		{"folder's time", func(d string) error { return os.Chtimes(filepath.Join(d, "drive0/fids"), later, later) }, "time"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, b := build(t, Options{Fids: leastFids}), build(t, Options{Fids: leastFids})
			for _, d := range []string{a, b} {
				if err := writeFile(filepath.Join(d, file), []byte("abc"), firstDay()); err != nil {
					t.Fatal(err)
				}
				if err := (store{d}).settle(); err != nil {
					t.Fatal(err)
				}
			}
			if err := Compare(a, b); err != nil {
				t.Fatalf("before: %v", err)
			}
			if err := tt.harm(b); err != nil {
				t.Fatal(err)
			}
			if err := Compare(a, b); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestTempLeftovers(t *testing.T) {
	dir := build(t, Options{Fids: leastFids})
	if got, err := TempLeftovers(dir); err != nil || len(got) != 0 {
		t.Fatalf("fresh: %v, %v", got, err)
	}
	for _, name := range []string{"drive0/fids/.120.AbC12z", "drive0/fids/_00001/.fff.000000", "etc/.hosts.XXXXXX",
		"drive1/fids/120.AbC12z", "drive1/fids/.120.AbC1", "drive1/fids/.profile", "drive1/fids/..AbC12z"} {
		if err := writeFile(filepath.Join(dir, name), nil, firstDay()); err != nil {
			t.Fatal(err)
		}
	}
	got, err := TempLeftovers(dir)
	want := []string{"drive0/fids/.120.AbC12z", "drive0/fids/_00001/.fff.000000", "etc/.hosts.XXXXXX"}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
