package rootfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

func TestCacheFollowsOurChanges(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		must(t, p.MkdirAll("a/b/c", 0o755))
		must(t, p.save("a/b/c/file", "1"))
		must(t, p.Remove("a/b/c/file"))
		must(t, p.Remove("a/b/c"))
		wantErr(t, p.save("a/b/c/file", "2"), fs.ErrNotExist)
		must(t, p.Mkdir("a/b/c", 0o755))
		must(t, p.save("a/b/c/file", "3"))
		if got := p.get("a/b/c/file"); got != "3" {
			t.Errorf("recreated directory: %q", got)
		}
		must(t, p.Rename("a", "moved"))
		wantErr(t, p.save("a/b/c/file", "4"), fs.ErrNotExist)
		must(t, p.Mkdir("a", 0o755))
		_, err := p.Lstat("a/b/c/file")
		wantErr(t, err, fs.ErrNotExist)
		must(t, p.Mkdir("empty", 0o755))
		_, err = p.Lstat("empty/x")
		wantErr(t, err, fs.ErrNotExist)
		must(t, p.Rename("moved", "empty")) // replaces it
		if info, err := p.Lstat("empty/b/c/file"); err != nil || info.Size != 1 {
			t.Errorf("renamed over a cached directory: %+v, %v", info, err)
		}
	})
}

func TestCacheSurvivesStrangers(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		must(t, p.Mkdir("dir", 0o755))
		must(t, p.save("dir/file", "1"))

		// Removed and made anew behind our back: the old handle leads nowhere, so a new one is fetched.
		must(t, os.RemoveAll(p.dir+"/dir"))
		must(t, os.Mkdir(p.dir+"/dir", 0o755))
		must(t, p.save("dir/file", "2"))
		if got := p.get("dir/file"); got != "2" {
			t.Errorf("file is %q", got)
		}
		must(t, os.RemoveAll(p.dir+"/dir"))
		p.put("dir/file", "3")
		f, _, err := p.OpenRead("dir/file", 0)
		must(t, err)
		must(t, f.Close())

		// Replaced by a link to outside, gone for good.
		must(t, os.RemoveAll(p.dir+"/dir"))
		p.link("../outside", "dir")
		wantErr(t, p.save("dir/file", "4"), ErrSymlink)

		// Moved aside and replaced by a link: what was our directory stays it.
		must(t, os.Remove(p.dir+"/dir"))
		must(t, p.Mkdir("dir", 0o755))
		must(t, p.save("dir/file", "5"))
		tmp, err := p.CreateTemp("dir/late")
		must(t, err)
		must(t, os.Rename(p.dir+"/dir", p.dir+"/aside"))
		p.link("../outside", "dir")
		must(t, tmp.Commit("dir/late"))
		if got := p.names("aside"); got != "file late" {
			t.Errorf("the directory moved aside holds %q", got)
		}
	})
}

func TestCacheIsBounded(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		before := openFDs(t)
		deep := "d"
		for range 40 {
			deep += "/d"
		}
		must(t, p.MkdirAll(deep, 0o755))
		for i := range 50 {
			name := fmt.Sprintf("dir%d", i)
			must(t, p.Mkdir(name, 0o755))
			must(t, p.save(name+"/file", "x"))
		}
		must(t, p.save(deep+"/file", "x"))
		if held := openFDs(t) - before; held > dirCacheSize {
			t.Errorf("%d descriptors held, limit %d", held, dirCacheSize)
		}
		p.Forget()
		if held := openFDs(t) - before; held != 0 {
			t.Errorf("%d descriptors held after Forget", held)
		}
		must(t, p.save("dir1/again", "x"))
		must(t, p.Close())
		if held := openFDs(t) - before; held != -1 { // the root's own
			t.Errorf("%d descriptors held after Close", held+1)
		}
		_, err := p.Lstat("dir1")
		wantErr(t, err, fs.ErrClosed)
		_, err = p.Lstat("dir1/again")
		wantErr(t, err, fs.ErrClosed)
		if err := p.Close(); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("second Close: %v", err)
		}
	})
}

// TestConcurrent: many goroutines over more directories than the cache holds, with renames in between.
func TestConcurrent(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		before := openFDs(t)
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				for i := range 30 {
					dir := fmt.Sprintf("g%d/d%d", g, i%5)
					if err := p.MkdirAll(dir, 0o755); err != nil {
						t.Error(err)
						return
					}
					if err := p.save(dir+"/file", dir); err != nil {
						t.Error(err)
						return
					}
					aside := fmt.Sprintf("g%d/aside%d", g, i)
					if err := errors.Join(p.Rename(dir, aside), p.Remove(aside+"/file"), p.Remove(aside)); err != nil {
						t.Error(err)
						return
					}
					if _, err := p.Lstat(dir + "/file"); !errors.Is(err, fs.ErrNotExist) {
						t.Errorf("%s after its rename: %v", dir, err)
					}
				}
			})
		}
		wg.Wait()
		p.Forget()
		if held := openFDs(t) - before; held != 0 {
			t.Errorf("%d descriptors leaked", held)
		}
	})
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Mkdir(dir+"/real", 0o755))
	must(t, os.Symlink("real", dir+"/link"))
	must(t, os.WriteFile(dir+"/file", nil, 0o644))
	r, err := Open(dir + "/link") // the administrator's own links are followed
	must(t, err)
	if r.Name() != dir+"/link" {
		t.Errorf("Name is %q", r.Name())
	}
	must(t, r.Close())
	for path, want := range map[string]error{dir + "/none": fs.ErrNotExist, dir + "/file": unix.ENOTDIR, "": fs.ErrNotExist} {
		if _, err := Open(path); !errors.Is(err, want) {
			t.Errorf("Open(%q): %v, want %v", path, err, want)
		}
	}
}
