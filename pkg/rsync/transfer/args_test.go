package transfer

import (
	"strings"
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

// FuzzNames: no line of --files-from names anything above where it starts.
func FuzzNames(f *testing.F) {
	for _, line := range []string{"a/b", "/etc/passwd", "../x", "a/../../x", "./a", "a/./b/", "a//b/.", "", "..", "a/..", "/./", "a/./../b", "./././x"} {
		f.Add(line, true)
		f.Add(line, false)
	}
	f.Fuzz(func(t *testing.T, line string, relative bool) {
		if strings.Contains(line, "\x00") {
			return
		}
		sources, err := NameSources([]string{line}, relative, func(dir string) Source {
			if dir != "/" && rootfs.CheckPath(dir) != nil && len(dir) < 4000 {
				t.Errorf("%q starts from %q", line, dir)
			}
			return Source{}
		})
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		for _, s := range sources {
			for _, n := range s.Names {
				if rootfs.CheckPath(n.Path) != nil && len(n.Path) < 4000 {
					t.Errorf("%q names %q", line, n.Path)
				}
			}
		}
	})
}
