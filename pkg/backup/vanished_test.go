package backup

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/client"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
)

// listed calls back when the list is complete, before any file is read.
type listed struct {
	transfer.Observer
	then func()
}

func (l listed) Listed(n int, done bool) {
	if l.Observer.Listed(n, done); done {
		l.then()
	}
}

// TestVanished: a file that goes while the night's files are read is told of, and
// the night is a good one all the same.
func TestVanished(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, err := b.run(nil)
	b.must(err)
	b.now = b.now.Add(24 * time.Hour)
	b.write("d/going", "not for long")
	b.write("d/new", "to stay")
	gone := false
	res, err := b.run(func(j *Job) {
		j.Keep = Policy{Last: 1}
		plain := j.Client
		j.Client = func(opt *options.Options, obs transfer.Observer) *client.Client {
			return plain(opt, listed{obs, func() {
				if !gone {
					gone = true
					b.must(os.Remove(b.src + "/d/going"))
				}
			}})
		}
	})
	b.must(err)
	if !gone || !res.Vanished || b.latest() != res.Snapshot.Name {
		t.Errorf("gone: %v, vanished: %v; latest is %q", gone, res.Vanished, b.latest())
	}
	if want := []string{res.Snapshot.Name, latest}; !slices.Equal(b.names(), want) {
		t.Errorf("%q, want %q: a good night lets old ones go", b.names(), want)
	}
	if got := b.tree(filepath.Join(b.dst, res.Snapshot.Name)); got["d/new"] == "" || got["d/going"] != "" {
		t.Errorf("the snapshot has %v", got)
	}
}
