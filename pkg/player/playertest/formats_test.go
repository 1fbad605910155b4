package playertest

import (
	"bytes"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The bytes of a small database, written down by hand from the format.
func TestDatabaseBytes(t *testing.T) {
	l := library{
		0x100: {tags: Tags{{"type", "playlist"}, {"title", "Root"}, {"length", "4"}}, children: []FID{0x120}},
		0x120: {tags: Tags{{"type", "tune"}, {"title", "A"}}},
	}
	db, err := l.encode()
	if err != nil {
		t.Fatal(err)
	}
	wantTags := "type\ntitle\nlength\n" + strings.Repeat("\n", 253)
	if got := string(db.tags); got != wantTags {
		t.Errorf("tags: %q", got)
	}
	wantStatic := "\x00\x07illegal\xff" + strings.Repeat("\xff", 15) +
		"\x00\x08playlist\x01\x04Root\x02\x014\xff" + "\xff" + "\x00\x04tune\x01\x01A\xff"
	if got := string(db.static); got != wantStatic {
		t.Errorf("database:\n got %q\nwant %q", got, wantStatic)
	}
	if got, want := string(db.playlists), "\x20\x01\x00\x00"; got != want {
		t.Errorf("playlists: %q, want %q", got, want)
	}
	back, err := db.decode()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(l, back, cmp.AllowUnexported(item{})); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
}

func TestDatabaseRefuses(t *testing.T) {
	good, err := library{0x100: {tags: Tags{{"type", "playlist"}, {"length", "4"}}, children: []FID{0x120}}}.encode()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		harm func(*database)
		want string
	}{
		{"empty tags", func(d *database) { d.tags = nil }, "want 256"},
		{"type is not first", func(d *database) { d.tags = append([]byte("a\n"), d.tags[:len(d.tags)-1]...) }, "line 0"},
		{"cut record", func(d *database) { d.static = d.static[:len(d.static)-1] }, "cut short"},
		{"cut value", func(d *database) { d.static = d.static[:len(d.static)-2] }, "cut short"},
		{"nameless tag", func(d *database) { d.static = append(d.static, 9, 0, 0xff) }, "no name"},
		{"not illegal", func(d *database) { d.static = []byte("\x00\x04tune\xff") }, "illegal"},
		{"cut playlists", func(d *database) { d.playlists = d.playlists[:3] }, "cut short"},
		{"long playlists", func(d *database) { d.playlists = append(d.playlists, 0) }, "no playlist"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := database{bytes.Clone(good.tags), bytes.Clone(good.static), bytes.Clone(good.playlists)}
			tt.harm(&d)
			if _, err := d.decode(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func TestParseTags(t *testing.T) {
	tests := []struct {
		in   string
		want Tags
		err  string
	}{
		{"", nil, ""},
		{"type=tune\ntitle=a=b\n", Tags{{"type", "tune"}, {"title", "a=b"}}, ""},
		{"a=1\nb=\na=2\n", Tags{{"a", "2"}, {"b", ""}}, ""},
		{"type=tune\nti", nil, "line 2"},
		{"title=cut sho", nil, "line 1"},
		{"=x\n", nil, "line 1"},
		{strings.Repeat("a", maxTagsFile+1), nil, "more than"},
	}
	for _, tt := range tests {
		got, err := ParseTags([]byte(tt.in))
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%.20q: %v, want %q", tt.in, err, tt.err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%.20q (-want +got):\n%s", tt.in, diff)
		}
	}
}

func TestValuesAreCutForTheDatabase(t *testing.T) {
	long := strings.Repeat("x", 300)
	db, err := library{0x120: {tags: Tags{{"type", "tune"}, {"title", long}}}}.encode()
	if err != nil {
		t.Fatal(err)
	}
	l, err := db.decode()
	if err != nil || l[0x120].tags.Get("title") != long[:255] {
		t.Errorf("%v: %d bytes", err, len(l[0x120].tags.Get("title")))
	}
}

func TestLatin1(t *testing.T) {
	if got := (Tags{{"a", "Motörist 日"}}).latin1().Get("a"); got != "Mot\xf6rist ?" {
		t.Errorf("%q", got)
	}
	if got := (Tags{{"a", "Mot\xf6rist"}}).latin1().Get("a"); got != "Mot\xf6rist" {
		t.Errorf("Latin-1 was converted again: %q", got)
	}
}

func TestSounds(t *testing.T) {
	tone := sine(newRand(1))
	s := probe(tone)
	if s.codec != "wave" || s.rate != 11025 || s.durationMs < 999 || s.durationMs > 3000 {
		t.Errorf("sine: %+v of %d bytes", s, len(tone))
	}
	short := shorten(tone)
	if got := probe(short); got.codec != "wave" || got.durationMs >= s.durationMs || !bytes.Equal(short[wavHead:], tone[wavHead:len(short)]) {
		t.Errorf("shortened: %+v", got)
	}
	for _, name := range SystemSounds() {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := probe(b); got.codec != "vorbis" || got.rate < 8000 || got.durationMs < 1 || got.durationMs > 60_000 {
			t.Errorf("%s: %+v", name, got)
		}
		if cut := shorten(b); len(cut) >= len(b) || probe(cut).codec != "vorbis" {
			t.Errorf("%s: shortened to %d of %d bytes", name, len(cut), len(b))
		}
	}
	if got := probe([]byte("ID3")); got != (sound{}) {
		t.Errorf("knows %+v of a body it cannot read", got)
	}
}

func FuzzParseTags(f *testing.F) {
	f.Add([]byte("type=tune\ntitle=Blue Bridge 1\nlength=123\n"))
	f.Add(AppendTags(nil, playlistTags("x", 8, firstDay())))
	f.Fuzz(func(t *testing.T, b []byte) {
		tags, err := ParseTags(b)
		if err != nil {
			return
		}
		again, err := ParseTags(AppendTags(nil, tags))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tags, again); diff != "" {
			t.Error(diff)
		}
	})
}

func FuzzDatabase(f *testing.F) {
	db, err := library{
		0x100: {tags: Tags{{"type", "playlist"}, {"length", "8"}}, children: []FID{0x120, 0x140}},
		0x120: {tags: tuneTags(rand.New(rand.NewPCG(1, 2)), "a", "b", "c", 1, []byte("x"), firstDay())},
	}.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(db.tags, db.static, db.playlists)
	f.Fuzz(func(t *testing.T, tags, static, playlists []byte) {
		l, err := database{tags, static, playlists}.decode()
		if err != nil {
			return
		}
		db, err := l.encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := db.decode()
		if err != nil {
			t.Fatal(err)
		}
		if diff := again.differences(l); len(diff) > 0 {
			t.Error(diff)
		}
	})
}

func FuzzProbe(f *testing.F) {
	f.Add(sine(newRand(1))[:200])
	f.Add(sine(newRand(1))[:wavHead])
	f.Add([]byte("OggS\x00\x02aaaaaaaaaaaaaaaaaaaaaa\x01\x1e\x01vorbis\x00\x00\x00\x00\x01\x44\xac\x00\x00aaaaaaaaaaaaaaaaaa"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s := probe(b); s.durationMs < 0 || s.rate < 0 && s.codec == "" {
			t.Errorf("%+v", s)
		}
		if got := shorten(b); len(b) >= 4 && len(got) >= len(b)+wavHead {
			t.Errorf("grew from %d to %d", len(b), len(got))
		}
	})
}
