package logformat

import (
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
)

func TestPermissions(t *testing.T) {
	for mode, want := range map[uint32]string{
		0o100644: "-rw-r--r--", 0o040755: "drwxr-xr-x", 0o120777: "lrwxrwxrwx", 0o107755: "-rwsr-sr-t", 0o107644: "-rwSr-Sr-T",
		0o041777: "drwxrwxrwt", 0o020600: "crw-------", 0o060000: "b---------", 0o010644: "prw-r--r--", 0o140700: "srwx------", 0: "?---------",
	} {
		if got := Permissions(mode); got != want {
			t.Errorf("%o is %q, want %q", mode, got, want)
		}
	}
}

func TestListLine(t *testing.T) {
	e := filelist.Entry{Dir: "d", Base: "l", Size: 1234567, Mtime: 1e9, Mode: 0o120777}
	e.SetTarget("there")
	for _, c := range []struct {
		level int
		links bool
		want  string
	}{
		{0, false, "lrwxrwxrwx      1,234,567 2001/09/09 01:46:40 d/l"},
		{-1, true, "lrwxrwxrwx     1234567 2001/09/09 01:46:40 d/l -> there"},
		{1, true, "lrwxrwxrwx          1.23M 2001/09/09 01:46:40 d/l -> there"},
		{2, false, "lrwxrwxrwx          1.18M 2001/09/09 01:46:40 d/l"},
	} {
		if got := ListLine(&e, c.level, c.links, time.UTC); got != c.want {
			t.Errorf("level %d: %q, want %q", c.level, got, c.want)
		}
	}
}
