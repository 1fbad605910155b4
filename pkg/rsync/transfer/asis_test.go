package transfer

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

// openRules have a say, and let everything pass: they keep a run from being plain.
type openRules struct{}

func (openRules) Enter(*Source, string) error        { return nil }
func (openRules) Hidden(*Source, string, bool) bool  { return false }
func (openRules) Start(*rootfs.Root)                 {}
func (openRules) Search(string) error                { return nil }
func (openRules) Protected(string, bool, bool) bool  { return false }
func (openRules) Refused(path string, dir bool) bool { return false }

// A plain run does and tells what one does that looks closer, whatever differs.
func TestPlainRunsDoTheSame(t *testing.T) {
	tests := map[string]func(o *options.Options){
		"archive":     func(*options.Options) {},
		"no times":    func(o *options.Options) { o.Times = false },
		"no perms":    func(o *options.Options) { o.Perms = false },
		"executable":  func(o *options.Options) { o.Perms, o.Executability = false, true },
		"size only":   func(o *options.Options) { o.SizeOnly = true },
		"window":      func(o *options.Options) { o.ModifyWindow.Value = 1 },
		"nanoseconds": func(o *options.Options) { o.ModifyWindow.Value = -1 },
		"dry run":     func(o *options.Options) { o.DryRun = true },
		"owners":      func(o *options.Options) { o.Owner, o.Group = true, true },
	}
	for name, set := range tests {
		t.Run(name, func(t *testing.T) {
			plain, closer := newPair(t), newPair(t)
			closer.rules = openRules{}
			for _, p := range []*pair{plain, closer} {
				set(&p.opt)
				p.variants()
				p.mustRun()
				slices.Sort(p.heard)
			}
			if d := cmp.Diff(closer.heard, plain.heard); d != "" {
				t.Errorf("is told (-closer +plain):\n%s", d)
			}
			if d := cmp.Diff(closer.lstats(), plain.lstats()); d != "" {
				t.Errorf("makes (-closer +plain):\n%s", d)
			}
		})
	}
}

// variants makes files here and there that differ in one thing each.
func (p *pair) variants() {
	p.t.Helper()
	for _, dir := range []string{"", "sub/", "sub/deeper/"} {
		for name, change := range map[string]func(path string) error{
			"same":  func(string) error { return nil },
			"gone":  os.Remove,
			"older": func(f string) error { return os.Chtimes(f, time.Time{}, time.Unix(then-1, 0)) },
			"old":   func(f string) error { return os.Chtimes(f, time.Time{}, time.Unix(then-9, 0)) },
			"nsec":  func(f string) error { return os.Chtimes(f, time.Time{}, time.Unix(then, 5)) },
			"mode":  func(f string) error { return os.Chmod(f, 0o640) },
			"exec":  func(f string) error { return os.Chmod(f, 0o744) },
			"size":  func(f string) error { return os.Truncate(f, 3) },
			"owner": func(f string) error { return os.Lchown(f, os.Geteuid()/2+1, os.Getegid()/2+1) },
			"link":  func(f string) error { return replaceBy(f, func() error { return os.Symlink("same", f) }) },
			"dir":   func(f string) error { return replaceBy(f, func() error { return os.Mkdir(f, 0o755) }) },
		} {
			if name == "owner" && os.Geteuid() != 0 {
				continue
			}
			p.file(p.src+"/"+dir+name, "content", 0)
			p.file(p.dst+"/"+dir+name, "content", 0)
			if err := change(p.dst + "/" + dir + name); err != nil {
				p.t.Fatal(err)
			}
		}
	}
	for _, dir := range []string{"/sub/deeper", "/sub", ""} {
		at := time.Unix(then, 0)
		if err := errors.Join(os.Chtimes(p.src+dir, at, at), os.Chtimes(p.dst+dir, at, at.Add(-time.Hour))); err != nil {
			p.t.Fatal(err)
		}
	}
}

func replaceBy(path string, create func() error) error {
	if err := os.Remove(path); err != nil {
		return err
	}
	return create()
}

// lstats describes what is below the destination, folders' times apart.
func (p *pair) lstats() []string {
	p.t.Helper()
	root := p.root(p.dst)
	var out []string
	for _, name := range strings.Fields(p.tree(p.dst)) {
		in, err := root.Lstat(name)
		if err != nil {
			p.t.Fatal(err)
		}
		if line := fmt.Sprintf("%s %o %d %d", name, in.Mode, in.UID, in.GID); !in.IsRegular() {
			out = append(out, line)
		} else {
			age := in.Mtime - then
			if age > 1000 {
				age = 1000 // now
			}
			out = append(out, fmt.Sprintf("%s %d %d %d %s", line, in.Size, age, in.MtimeNsec*uint32(min(1000-age, 1)), p.content(p.dst+"/"+name)))
		}
	}
	return out
}
