package rootfs

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// operations is everything that takes a path; each is given the path of a file to act on.
func operations(p *place) map[string]func(path string) error {
	meta := Meta{Fields: FieldMode | FieldMtime, Mode: 0o600, Mtime: 1}
	return map[string]func(path string) error{
		"Lstat":    func(path string) error { _, err := p.Lstat(path); return err },
		"Readlink": func(path string) error { _, err := p.Readlink(path); return err },
		"ReadDir":  func(path string) error { _, err := p.ReadDir(path); return err },
		"ReadDirInfo": func(path string) error {
			_, err := p.ReadDirInfo(path)
			return err
		},
		"OpenRead": func(path string) error {
			f, _, err := p.OpenRead(path, 0)
			if err == nil {
				f.Close()
			}
			return err
		},
		"OpenWrite": func(path string) error {
			f, _, err := p.OpenWrite(path, 0o600)
			if err == nil {
				f.Write([]byte("touched"))
				f.Close()
			}
			return err
		},
		"CreateTemp": func(path string) error { return p.save(path, "touched") },
		"Commit": func(path string) error {
			tmp, err := p.CreateTemp("commit")
			if err != nil {
				return err
			}
			return tmp.Commit(path)
		},
		"SetMetadata":    func(path string) error { return p.SetMetadata(path, meta) },
		"UpdateMetadata": func(path string) error { return p.UpdateMetadata(path, Info{Mode: unix.S_IFREG | 0o777}, meta) },
		"Mkdir":          func(path string) error { return p.Mkdir(path, 0o755) },
		"MkdirAll":       func(path string) error { return p.MkdirAll(path, 0o755) },
		"Symlink":        func(path string) error { return p.Symlink("x", path) },
		"ReplaceSymlink": func(path string) error { return p.ReplaceSymlink("x", path) },
		"Mknod":          func(path string) error { return p.Mknod(path, unix.S_IFIFO|0o600, 0) },
		"ReplaceNode":    func(path string) error { return p.ReplaceNode(path, unix.S_IFIFO|0o600, 0) },
		"Link from":      func(path string) error { return p.Link(path, "link") },
		"Link to":        func(path string) error { return p.Link("file", path) },
		"ReplaceLink":    func(path string) error { return p.ReplaceLink("file", path) },
		"Rename from":    func(path string) error { return p.Rename(path, "renamed") },
		"Rename to":      func(path string) error { return p.Rename("file", path) },
		"Remove":         func(path string) error { return p.Remove(path) },
		"RemoveAll":      func(path string) error { return p.RemoveAll(context.Background(), path, RemoveOptions{}) },
		"SyncDir":        func(path string) error { return p.SyncDir(path) },
		"Sub":            func(path string) error { return closeSub(p.Sub(path)) },
	}
}

func closeSub(r *Root, err error) error {
	if err == nil {
		r.Close()
	}
	return err
}

func TestEscapes(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		p.put("file", "x")
		p.put("a/b/file", "x")
		p.link("../outside", "relative")
		p.link(p.outside, "absolute")
		p.link("../../../outside", "a/b/deep")
		p.link("absolute", "twice")
		p.link("/", "slash")
		ops := operations(p)
		for _, path := range []string{
			"../outside/secret", "a/../../outside/secret", p.outside + "/secret", "/etc/passwd", "..", "a/..",
			"relative/secret", "absolute/secret", "a/b/deep/secret", "twice/secret", "relative/sub/secret", "slash/etc/passwd",
			"relative/new", "absolute/sub/new",
		} {
			for name, op := range ops {
				err := op(path)
				if err == nil {
					t.Errorf("%s %q: no error", name, path)
				} else if !errors.Is(err, ErrEscapes) && !errors.Is(err, ErrSymlink) {
					t.Errorf("%s %q: %v", name, path, err)
				}
			}
		}
		if got := p.names("."); strings.Contains(got, "secret") || strings.Contains(got, "touched") {
			t.Errorf("root now has %s", got)
		}
	})
}

// TestFinalLink: a link as last component is not followed either.
func TestFinalLink(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		p.put("file", "x")
		for name, op := range operations(p) {
			for _, target := range []string{"../outside/secret", p.outside, "../outside/new"} {
				must(t, os.RemoveAll(p.dir+"/link"))
				must(t, os.RemoveAll(p.dir+"/renamed"))
				p.put("file", "x")
				os.Remove(p.dir + "/l")
				p.link(target, "l")
				err := op("l")
				if refused := errors.Is(err, ErrSymlink) || errors.Is(err, ErrEscapes); refused {
					continue
				}
				switch name {
				case "OpenRead", "OpenWrite", "ReadDir", "ReadDirInfo", "SyncDir", "Sub":
					t.Errorf("%s of a link to %q: %v", name, target, err)
				}
			}
		}
	})
}

// TestRootItself: what would replace or remove the root is refused.
func TestRootItself(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		p.put("file", "x")
		allowed := strings.Fields("Lstat ReadDir ReadDirInfo SetMetadata UpdateMetadata MkdirAll SyncDir Sub")
		for name, op := range operations(p) {
			err := op(".")
			if slices.Contains(allowed, name) {
				wantErr(t, err, nil)
			} else if err == nil {
				t.Errorf("%s of the root: no error", name)
			}
			must(t, os.Chmod(p.dir, 0o755)) // from SetMetadata
		}
		if got := p.get("file"); got != "x" {
			t.Errorf("file is %q", got)
		}
	})
}

func TestSub(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		p.put("real/dir/file", "inside")
		p.link("real", "one")
		p.link("one/dir", "two")
		p.link("../dir/../../one", "real/dir/up")
		p.link("loop", "loop")
		p.link("real/dir/file", "tofile")
		p.link("missing", "dangling")
		p.link("real/../../outside", "sly")
		p.link("/real", "abs")
		for path, want := range map[string]error{
			"real": nil, "one": nil, "two": nil, "one/dir": nil, "real/dir/up/dir": nil, ".": nil,
			"loop": unix.ELOOP, "tofile": unix.ENOTDIR, "dangling": fs.ErrNotExist, "sly": ErrEscapes, "abs": ErrEscapes,
			"..": ErrEscapes, "real/dir/file": unix.ENOTDIR, "nothing": fs.ErrNotExist,
		} {
			sub, err := p.Sub(path)
			wantErr(t, err, want)
			if err == nil {
				must(t, sub.Close())
			}
		}
		sub, err := p.Sub("two")
		must(t, err)
		defer sub.Close()
		must(t, p.Close()) // the sub lives on
		info, err := sub.Lstat("file")
		if err != nil || info.Size != 6 {
			t.Errorf("Lstat in sub: %+v, %v", info, err)
		}
		_, err = sub.ReadDir("up")
		wantErr(t, err, ErrSymlink)
		_, err = sub.Lstat("../dir/file")
		wantErr(t, err, ErrEscapes)
	})
}

// TestRace has a stranger exchange a directory with a link to outside, and a file with a link to an outside file, while
// everything runs. No operation may touch or read outside (everywhere compares it before and after).
func TestRace(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		p.put("dir/secret", "inside")
		p.put("dir/sub/secret", "inside")
		p.put("plain", "inside")
		p.link("../outside", "dirlink")
		p.link("../outside/secret", "plainlink")
		stop := make(chan struct{})
		var swaps atomic.Int64
		var wg sync.WaitGroup
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				for _, name := range []string{"dir", "plain"} {
					at := filepath.Join(p.dir, name)
					err := unix.Renameat2(unix.AT_FDCWD, at, unix.AT_FDCWD, at+"link", unix.RENAME_EXCHANGE)
					if err == nil {
						swaps.Add(1)
					}
				}
				if swaps.Load()%7 == 0 {
					p.Forget()
				}
			}
		})
		refused := 0
		for end := time.Now().Add(500 * time.Millisecond); time.Now().Before(end); {
			refused += p.raceOnce(t)
		}
		close(stop)
		wg.Wait()
		if swaps.Load() < 20 || refused == 0 {
			t.Errorf("the race was not run: %d swaps, %d refusals", swaps.Load(), refused)
		}
	})
}

// raceOnce acts on names under attack and returns how many operations a link stopped.
func (p *place) raceOnce(t *testing.T) (refused int) {
	note := func(err error) {
		if errors.Is(err, ErrSymlink) || errors.Is(err, ErrEscapes) {
			refused++
		}
	}
	for _, path := range []string{"dir/secret", "dir/sub/secret", "plain"} {
		f, _, err := p.OpenRead(path, NoAtime)
		note(err)
		if err == nil {
			if b, _ := io.ReadAll(f); string(b) == "secret" {
				t.Fatalf("%s: read the secret from outside", path)
			}
			f.Close()
		}
		info, err := p.Lstat(path)
		note(err)
		if err == nil {
			note(p.UpdateMetadata(path, info, Meta{Fields: FieldMode | FieldMtime, Mode: info.Perm() ^ 0o111, Mtime: info.Mtime + 1}))
		}
		if f, _, err := p.OpenWrite(path, 0o600); err == nil {
			f.WriteAt([]byte("i"), 0)
			f.Close()
		}
	}
	note(p.save("dir/new", "new"))
	note(p.Mkdir("dir/d", 0o755))
	note(p.Symlink("x", "dir/l"))
	note(p.ReplaceSymlink("y", "dir/l"))
	note(p.Rename("dir/new", "dir/newer"))
	note(p.Link("dir/secret", "dir/hard"))
	note(p.Remove("dir/hard"))
	note(p.RemoveAll(context.Background(), "dir/d", RemoveOptions{}))
	note(closeSub(p.Sub("dir/sub")))
	_, err := p.ReadDirInfo("dir")
	note(err)
	return refused
}
