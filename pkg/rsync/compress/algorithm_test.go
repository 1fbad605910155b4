package compress_test

import (
	"strings"
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/compress"
)

func TestNegotiate(t *testing.T) {
	tests := []struct {
		client, server string
		want           compress.Algorithm
		err            string
	}{
		{compress.ClientList, compress.ServerList, compress.Zstd, ""},
		{compress.ClientList, "zlib", compress.Zlib, ""},
		{"zlib zstd", compress.ServerList, compress.Zlib, ""},
		{"brotli LZ4", "lz4 none", compress.LZ4, ""},
		{"none", compress.ServerList, compress.None, ""},
		{"zstd", "lz4", 0, "no name is in both"},
		{"", "zstd", 0, "no name is in both"},
		{"zstd", strings.Repeat("x", 257), 0, "257 bytes"},
	}
	for _, tt := range tests {
		got, err := compress.Negotiate(tt.client, tt.server)
		if got != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("Negotiate(%q, %q) = %v, %v", tt.client, tt.server, got, err)
		}
	}
}

func TestParseChoice(t *testing.T) {
	for choice, want := range map[string]compress.Algorithm{
		"none": compress.None, "zlib": compress.Zlib, "ZlibX": compress.Zlibx, "lz4": compress.LZ4, "ZSTD": compress.Zstd,
	} {
		if a, auto, err := compress.ParseChoice(choice); a != want || auto || err != nil {
			t.Errorf("%q: %v, %v, %v", choice, a, auto, err)
		}
	}
	for _, choice := range []string{"", "auto", "AUTO"} {
		if _, auto, err := compress.ParseChoice(choice); !auto || err != nil {
			t.Errorf("%q: %v, %v", choice, auto, err)
		}
	}
	if _, _, err := compress.ParseChoice("zlib,zstd"); err == nil || !strings.Contains(err.Error(), "zstd lz4 zlibx zlib none") {
		t.Errorf("zlib,zstd: %v", err)
	}
}

// TestAtLevel has what rsync 3.5.0 tells with --debug=nstr2.
func TestAtLevel(t *testing.T) {
	const unset = compress.LevelUnset
	tests := []struct {
		a     compress.Algorithm
		asked int
		want  compress.Algorithm
		level int
	}{
		{compress.Zlib, unset, compress.Zlib, 6},
		{compress.Zlib, 0, compress.None, 0},
		{compress.Zlibx, -1, compress.Zlibx, 6},
		{compress.Zlib, -5, compress.Zlib, 1},
		{compress.Zlib, 22, compress.Zlib, 9},
		{compress.Zstd, unset, compress.Zstd, 3},
		{compress.Zstd, 0, compress.Zstd, 3},
		{compress.Zstd, -1, compress.Zstd, -1},
		{compress.Zstd, -999999, compress.Zstd, -131072},
		{compress.Zstd, 99, compress.Zstd, 22},
		{compress.LZ4, unset, compress.LZ4, 0},
		{compress.LZ4, 5, compress.LZ4, 0},
		{compress.None, 5, compress.None, 0},
	}
	for _, tt := range tests {
		if a, level := tt.a.AtLevel(tt.asked); a != tt.want || level != tt.level {
			t.Errorf("%v at %d: %v at %d, want %v at %d", tt.a, tt.asked, a, level, tt.want, tt.level)
		}
	}
}

func TestSkip(t *testing.T) {
	tests := []struct {
		suffixes, patterns string
		skipped, kept      string // names, separated by commas
	}{
		{"", "", "", "a.mp3,a"},
		{compress.DefaultSkip, "", "a.mp3,A.MP3,dir/x.flac,a.tar.gz,b.3g2", "a.wav,mp3,.mp3,dir.mp3/a,a.mp34,a.,fids/120"},
		{"gz/mp[34]/", "", "a.gz,a.mp3,a.MP4", "a.mp5,a.mp,a.mp[34],a.jpg"},
		{"[ab][cd]/[x/y[]", "", "a.ac,a.bd,a.[x,a.y[]", "a.ab,a.x,a.y"},
		{"", "*", "a,b.txt,.x", ""},
		{"", "*.gz *.ZIP README* *.tar.?z", "a.gz,a.zip,d/readme.md,a.tar.xz", "a.txt,d/a"},
		{"", "*.mp[34]", "x.mp3", "x.mp5"},
	}
	for _, tt := range tests {
		var s compress.SkipRules
		s.AddSuffixes(tt.suffixes)
		if err := s.AddPatterns(tt.patterns); err != nil {
			t.Fatal(err)
		}
		for names, want := range map[string]bool{tt.skipped: true, tt.kept: false} {
			for name := range strings.SplitSeq(names, ",") {
				if name != "" && s.Skip(name) != want {
					t.Errorf("%q %q: %q: %v", tt.suffixes, tt.patterns, name, !want)
				}
			}
		}
	}
	var s compress.SkipRules
	if err := s.AddPatterns("a[ b"); err == nil {
		t.Error("a broken pattern is taken")
	}
}
