package interop

import (
	"os"
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/client"
	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/options"
)

// A list is read with all that the options make travel, hard links too.
func TestListHardLinks(t *testing.T) {
	for _, v := range versions(20, 28, 30, 32) {
		s := newSandbox(t)
		s.write(s.src+"/a", []byte("x"), 1_000_000_000)
		s.must(os.Link(s.src+"/a", s.src+"/b"))
		s.debian(s.src)
		opt, err := options.Parse([]string{"-aH", s.url("/")})
		if err != nil {
			t.Fatal(err)
		}
		opt.Protocol = v
		r, _, err := client.ParseRemote(s.url("/"))
		if err != nil {
			t.Fatal(err)
		}
		names := ""
		c := &client.Client{Options: opt, Observer: &recorder{}, Say: func(string) {}}
		if _, err := c.ListFiles(t.Context(), []client.Remote{r}, func(e *filelist.Entry) { names += e.Path() + " " }); err != nil {
			t.Fatalf("version %d: %v", v, err)
		}
		if names != ". a b " {
			t.Errorf("version %d lists %q", v, names)
		}
	}
}
