package backup

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/client"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
)

// bench is a source, a backup's folder, and a clock.
type bench struct {
	t        *testing.T
	src, dst string
	now      time.Time
	out      bytes.Buffer
}

func newBench(t *testing.T) *bench {
	dir := t.TempDir()
	b := &bench{t: t, src: filepath.Join(dir, "src"), dst: filepath.Join(dir, "backups"), now: time.Date(2026, 11, 16, 3, 0, 0, 0, time.UTC)}
	b.must(os.Mkdir(b.dst, 0o700))
	b.write("kept", "the same each night")
	b.write("d/deep/also kept", strings.Repeat("x", 5000))
	b.write("mode", "of another mode one night")
	b.must(os.Link(b.src+"/kept", b.src+"/another name"))
	b.must(os.Symlink("kept", b.src+"/link"))
	return b
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// write makes a file of the source that was last changed at the clock's time.
func (b *bench) write(name, text string) {
	b.t.Helper()
	name = filepath.Join(b.src, name)
	b.must(os.MkdirAll(filepath.Dir(name), 0o755))
	b.must(os.WriteFile(name, []byte(text), 0o644))
	b.must(os.Chtimes(name, b.now, b.now))
}

// run makes a snapshot with rsync's words, after change has been at the job.
func (b *bench) run(change func(*Job), words ...string) (Result, error) {
	b.t.Helper()
	opt, err := options.Parse(append(append(Words(), words...), b.src+"/", b.dst))
	b.must(err)
	route, err := client.ParseRoute(opt.Args)
	b.must(err)
	j := &Job{
		Route: route, Options: opt, Now: func() time.Time { return b.now }, Out: &b.out, Err: &b.out,
		Client: func(opt *options.Options, obs transfer.Observer) *client.Client {
			return &client.Client{Options: opt, Umask: 0o022, Observer: obs, Shell: client.Shell{Stderr: &b.out}}
		},
	}
	if change != nil {
		change(j)
	}
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	defer cancel()
	return j.Run(ctx)
}

// tree is what a tree holds, a line a name.
func (b *bench) tree(dir string) map[string]string {
	b.t.Helper()
	out := map[string]string{}
	b.must(filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text := info.Mode().String()
		switch {
		case d.Type().IsRegular():
			data, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			text += fmt.Sprint(" ", info.ModTime().Unix(), " ", string(data))
		case d.Type()&fs.ModeSymlink != 0:
			target, _ := os.Readlink(name)
			text += " " + target
		}
		rel, _ := filepath.Rel(dir, name)
		out[rel] = text
		return nil
	}))
	delete(out, ".")
	return out
}

// names lists the backup's folder, the lock left out.
func (b *bench) names() []string {
	b.t.Helper()
	list, err := os.ReadDir(b.dst)
	b.must(err)
	var out []string
	for _, e := range list {
		if e.Name() != lockName {
			out = append(out, e.Name())
		}
	}
	return out
}

func (b *bench) latest() string {
	target, _ := os.Readlink(b.dst + "/latest")
	return target
}

func inode(t *testing.T, name string) uint64 {
	t.Helper()
	info, err := os.Lstat(name)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Ino
}

func (b *bench) fails(err error, code proto.Exit, words ...string) {
	b.t.Helper()
	if err == nil || proto.ExitCode(err) != code {
		b.t.Fatalf("code %d, want %d: %v\n%s", proto.ExitCode(err), code, err, &b.out)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			b.t.Errorf("%v\nlacks %q", err, w)
		}
	}
}
