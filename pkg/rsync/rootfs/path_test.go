package rootfs

import (
	"errors"
	"path"
	"strings"
	"syscall"
	"testing"
)

func TestCheckPath(t *testing.T) {
	long := strings.Repeat("a/", 2047) + "b"
	tests := []struct {
		path string
		want error
	}{
		{".", nil}, {"a", nil}, {"a/b", nil}, {"a/b/c.d", nil}, {"...", nil}, {"a/..b/c..", nil}, {".a/.b", nil},
		{"a b/\n/\xff", nil}, {long, nil},
		{"", ErrBadPath}, {"a/", ErrBadPath}, {"a//b", ErrBadPath}, {"./a", ErrBadPath}, {"a/.", ErrBadPath},
		{"a/./b", ErrBadPath}, {"a\x00b", ErrBadPath}, {"\x00", ErrBadPath}, {long + "c", ErrBadPath},
		{long + "c", syscall.ENAMETOOLONG},
		{"/", ErrEscapes}, {"/a", ErrEscapes}, {"//", ErrEscapes}, {"..", ErrEscapes}, {"../a", ErrEscapes},
		{"a/..", ErrEscapes}, {"a/../b", ErrEscapes}, {"a//../b", ErrEscapes}, {"./..", ErrEscapes},
	}
	for _, tt := range tests {
		if err := CheckPath(tt.path); !errors.Is(err, tt.want) {
			t.Errorf("CheckPath(%.40q) = %v, want %v", tt.path, err, tt.want)
		}
	}
}

func FuzzCheckPath(f *testing.F) {
	for _, s := range []string{".", "a", "a/b", "..", "/a", "a//b", "a/../b", "a/.", "", "a\x00", "..a/b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, p string) {
		err := CheckPath(p)
		// The standard library's idea of a clean path is the judge.
		clean := p != "" && len(p) <= maxPath && path.Clean(p) == p && p[0] != '/' && p != ".." &&
			!strings.HasPrefix(p, "../") && !strings.Contains(p, "\x00")
		if clean != (err == nil) {
			t.Fatalf("CheckPath(%q) = %v, clean is %v", p, err, clean)
		}
		if err == nil {
			if dir, base := split(p); p != "." && join(dir, base) != p || strings.Contains(base, "/") {
				t.Fatalf("split(%q) = %q, %q", p, dir, base)
			}
		}
	})
}

func TestWithin(t *testing.T) {
	for _, tt := range []struct {
		path, dir string
		want      bool
	}{
		{"a", ".", true}, {"a", "a", true}, {"a/b", "a", true}, {"ab", "a", false}, {"a", "a/b", false}, {"a/bc", "a/b", false},
	} {
		if got := within(tt.path, tt.dir); got != tt.want {
			t.Errorf("within(%q, %q) = %v", tt.path, tt.dir, got)
		}
	}
}
