package options

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Lists of names and what goes with them are told as rsync 3.5.0 tells them.
func TestSelectionArgs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"src", "list"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, line := range []string{
		"-R", "-R --no-R", "-rR --no-implied-dirs", "--no-i-d", "--no-i-d -R", "-R --no-i-d --i-d", "-R --no-i-d --protocol=29",
		"--files-from=" + dir + "/list", "-a --files-from=" + dir + "/list", "-ar --files-from=" + dir + "/list", "-ra --files-from=" + dir + "/list",
		"--files-from=" + dir + "/list --no-R", "--files-from=:list -0", "--files-from=host:list -a", "--files-from=host::list",
		"--files-from=" + dir + "/list -0 --no-i-d", "--files-from=" + dir + "/list -d --delete", "-x", "-xx", "-xxx", "-x --no-x", "--ignore-missing-args", "--delete-missing-args",
		"--delete-missing-args --ignore-missing-args -r", "--old-dirs", "--old-d -R", "-r --no-r --old-d",
	} {
		for _, push := range []bool{false, true} {
			args := append(fields(line), "host:x", "dst")
			if push {
				args = append(fields(line), "src", "host:x")
			}
			o := mustParse(t, args)
			want := recorded(t, dir, args)
			p := peer(o, push)
			if push && o.Relative { // we send such lists as a whole
				for i := range want {
					want[i] = strings.Replace(want[i], "e.iLs", "e.Ls", 1)
				}
			}
			got := append(o.ServerArgs(p), ".", "x")
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("rsync %q (-) and we (+):\n%s", args, d)
			}
			read, err := ParseServer(want, Refusal{})
			if err != nil {
				t.Errorf("ParseServer(%q): %v", want, err)
				continue
			}
			if read.Relative != o.Relative || read.Recurse != o.Recurse {
				t.Errorf("%q was understood as %+v", want, read)
			}
		}
	}
}
