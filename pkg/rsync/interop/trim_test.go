package interop

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Links that come into a module from which they could lead out are shortened,
// where they are not munged.
func TestTrimLinks(t *testing.T) {
	targets := []string{"/etc/passwd", "../x", "../../x", "d/../../x", "./a//b/", "a/../b", "/", "..", ".", "../..", "a/..",
		"/../x", "a/b/../../..", "../d", "x/a/../", "../../../../../x", "./../x/./y", "...", "..a/.b"}
	tree := func(s *sandbox) string {
		s.must(os.MkdirAll(s.src+"/d/e", 0o755))
		for i, target := range targets {
			for _, dir := range []string{"", "d/", "d/e/"} {
				s.must(os.Symlink(target, fmt.Sprintf("%s/%slink%d", s.src, dir, i)))
			}
		}
		for _, args := range [][]string{{s.src + "/", s.url("/")}, {s.src + "/d", s.url("/below/")}, {"-R", s.src + "/./d/e", s.url("/below/too/")}} {
			if _, _, err := s.run(append([]string{"-a"}, args...)...); err != nil {
				t.Fatal(err)
			}
		}
		var lines []string
		s.must(filepath.WalkDir(s.dst, func(p string, d fs.DirEntry, err error) error {
			if err == nil && d.Type() == fs.ModeSymlink {
				target, _ := os.Readlink(p)
				rel, _ := filepath.Rel(s.dst, p)
				lines = append(lines, rel+" "+target)
			}
			return err
		}))
		return strings.Join(lines, "\n")
	}
	theirs, ours := newSandbox(t), newSandbox(t)
	theirs.debian(theirs.dst, "munge symlinks = no")
	ours.ours(ours.dst, "munge symlinks = no")
	want := tree(theirs)
	if got := tree(ours); got != want || !strings.Contains(got, "d/e/link1 ../x") {
		t.Errorf("the links:%s", difference(want, got))
	}
}
