package server

import (
	"os"
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

func TestMungingNeedsNoFolder(t *testing.T) {
	dir := t.TempDir()
	for name, want := range map[string]proto.Exit{dir: proto.ExitUnsupported, dir + "/none": 0, dir + "/file": 0, dir + "/link": proto.ExitUnsupported} {
		switch name {
		case dir + "/file":
			if err := os.WriteFile(name, nil, 0o644); err != nil {
				t.Fatal(err)
			}
		case dir + "/link":
			if err := os.Symlink(dir, name); err != nil {
				t.Fatal(err)
			}
		}
		if got := proto.ExitCode(noFolder(name)); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}
