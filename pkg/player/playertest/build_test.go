package playertest

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// build makes a player in a fresh folder and returns the folder.
func build(t *testing.T, o Options) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "player")
	if err := Build(dir, o); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestBuildLaysOutAPlayer(t *testing.T) {
	dir := build(t, Options{Name: "My empeg", Fids: 60})
	links := map[string]string{
		"sbin": "bin", "dev/console": "ttyS1", "empeg/var": "../drive0/var",
		"empeg/fids0": "../drive0/fids", "empeg/fids1": "../drive1/fids",
	}
	for name, want := range links {
		if got, err := os.Readlink(filepath.Join(dir, name)); err != nil || got != want {
			t.Errorf("%s -> %q, %v; want %q", name, got, err, want)
		}
	}
	if diff := cmp.Diff([]string{"fstab", "ld.so.conf", "profile", "terminfo"}, names(t, filepath.Join(dir, "etc"))); diff != "" {
		t.Errorf("/etc (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"fids", "lost+found", "var"}, names(t, filepath.Join(dir, "drive0"))); diff != "" {
		t.Errorf("/drive0 (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"fids", "lost+found"}, names(t, filepath.Join(dir, "drive1"))); diff != "" {
		t.Errorf("/drive1 (-want +got):\n%s", diff)
	}
	config, err := os.ReadFile(filepath.Join(dir, "empeg/var/config.ini"))
	if err != nil || !strings.Contains(string(config), "[Options]\nname=My empeg\n") {
		t.Errorf("config.ini: %v\n%s", err, config)
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]string, 0, len(entries))
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestBuildKinds(t *testing.T) {
	tests := []struct {
		name      string
		o         Options
		flat      bool
		split     bool
		databases []string
	}{
		{"upgraded", Options{}, true, true, []string{"database", "database3", "playlists", "tags"}},
		{"v3", Options{Layout: Split}, false, true, []string{"database3", "playlists", "tags"}},
		{"v2", Options{Release: V2}, true, false, []string{"database", "playlists", "tags"}},
		{"one drive", Options{Drives: 1, Layout: Flat}, true, false, []string{"database3", "playlists", "tags"}},
		{"smallest", Options{Fids: leastFids}, true, true, []string{"database", "database3", "playlists", "tags"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := build(t, tt.o)
			files, err := store{dir}.list()
			if err != nil {
				t.Fatal(err)
			}
			seen := make(map[Layout]bool)
			drives := make(map[int]bool)
			for _, f := range files {
				seen[f.at.layout] = true
				drives[f.at.drive] = true
			}
			want := defaultFids
			if tt.o.Fids != 0 {
				want = tt.o.Fids
			}
			if len(files) != 2*want {
				t.Errorf("%d files, want %d", len(files), 2*want)
			}
			if seen[Flat] != tt.flat || seen[Split] != tt.split {
				t.Errorf("layouts flat %v split %v, want %v %v", seen[Flat], seen[Split], tt.flat, tt.split)
			}
			if drives[1] != (tt.o.Drives != 1) {
				t.Errorf("second drive used: %v", drives[1])
			}
			if diff := cmp.Diff(tt.databases, DatabaseFiles(dir)); diff != "" {
				t.Errorf("database (-want +got):\n%s", diff)
			}
			r, err := Start(dir)
			if err != nil || r.Rebuilt || r.Tunes+r.Playlists != want || r.Playlists < 4 || r.Tunes < 6 {
				t.Errorf("start: %v, %v", r, err)
			}
		})
	}
}

// The seed decides everything, whatever the umask and the player's name.
func TestBuildIsDeterministic(t *testing.T) {
	a := build(t, Options{Name: "a", Fids: 40, Seed: 7})
	old := syscall.Umask(0o077)
	b := build(t, Options{Name: "b", Fids: 40, Seed: 7})
	syscall.Umask(old)
	if err := Compare(a, b); err != nil {
		t.Errorf("same seed: %v", err)
	}
	if err := Compare(a, build(t, Options{Fids: 40, Seed: 8})); err == nil {
		t.Error("another seed gave the same player")
	}
}

func TestBuildUsesRealSounds(t *testing.T) {
	sounds := SystemSounds()
	if len(sounds) == 0 {
		t.Fatal("no sound theme; scripts/deps.sh installs Debian's sound-theme-freedesktop")
	}
	dir := build(t, Options{Fids: 30, Bodies: sounds})
	l, broken, err := store{dir}.scan()
	if err != nil || len(broken) > 0 {
		t.Fatal(err, broken)
	}
	for f, it := range l {
		if it.isPlaylist() {
			continue
		}
		if it.tags.Get("codec") != "vorbis" || it.tags.Get("duration") == "" || it.tags.Get("samplerate") == "" {
			t.Errorf("fid %x: %v", uint32(f), it.tags)
		}
	}
}

func TestBuildRefuses(t *testing.T) {
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "x"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, dir string
		o         Options
		want      string
	}{
		{"full folder", full, Options{}, "not empty"},
		{"few fids", t.TempDir(), Options{Fids: leastFids - 1}, "want 12 to"},
		{"many fids", t.TempDir(), Options{Fids: mostFids + 1}, "want 12 to"},
		{"three drives", t.TempDir(), Options{Drives: 3}, "1 or 2"},
		{"no such body", t.TempDir(), Options{Bodies: []string{"/nonexistent/x.oga"}}, "/nonexistent/x.oga"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := Build(tt.dir, tt.o); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func TestNames(t *testing.T) {
	tests := []struct {
		name   string
		number FID
		layout Layout
		ok     bool
	}{
		{"186f0", 0x186f0, Flat, true},
		{"_00018/6f0", 0x186f0, Split, true},
		{"100", 0x100, Flat, true},
		{"_00000/101", 0x101, Split, true},
		{"_fffff/fff", 0xffffffff, Split, true},
		{"0100", 0, 0, false},
		{"186F0", 0, 0, false},
		{"_00018/6f", 0, 0, false},
		{"_18/6f0", 0, 0, false},
		{"+100", 0, 0, false},
		{"100000000", 0, 0, false},
		{".120.AbCdEf", 0, 0, false},
		{"_00018", 0, 0, false},
		{"", 0, 0, false},
	}
	for _, tt := range tests {
		number, layout, ok := parseName(tt.name)
		if ok != tt.ok || ok && (number != tt.number || layout != tt.layout) {
			t.Errorf("parseName(%q) = %x, %v, %v", tt.name, uint32(number), layout, ok)
		}
	}
}

// The first of drive0 split, drive0 flat, drive1 split, drive1 flat is what a player plays.
func TestOpenOrder(t *testing.T) {
	dir := build(t, Options{Fids: leastFids})
	s := store{dir}
	const f = FID(0x5550)
	order := openOrder()
	for i := len(order) - 1; i >= 0; i-- {
		tags := Tags{{"type", "tune"}, {"title", order[i].path(f)}}
		if err := s.writeItem(f, order[i], tags, []byte("x"), firstDay()); err != nil {
			t.Fatal(err)
		}
		l, _, err := s.scan()
		if err != nil {
			t.Fatal(err)
		}
		if got := l[f].tags.Get("title"); got != order[i].path(f) {
			t.Errorf("plays %q although %q is there", got, order[i].path(f))
		}
	}
	if _, err := Start(dir); !errors.Is(err, ErrLies) {
		t.Errorf("start with an unknown tune: %v", err)
	}
}
