package rootfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// kernels are the kernels the suite is run as: this one, and ones that lack what ours falls back from.
func kernels() map[string]func() *kernel {
	old := func() *kernel {
		k := new(kernel)
		k.noOpenat2.Store(true)
		k.noFchmodat2.Store(true)
		k.noStatx.Store(true)
		return k
	}
	return map[string]func() *kernel{
		"this kernel": func() *kernel { return new(kernel) },
		"Linux 3.2":   old,
		"Linux 3.2 without proc": func() *kernel {
			k := old()
			k.noProc.Store(true)
			return k
		},
	}
}

// place is a root to test in, with a directory beside it that nothing may touch.
type place struct {
	*Root
	t            *testing.T
	dir, outside string
}

// everywhere runs test on each kernel, in a fresh place.
func everywhere(t *testing.T, test func(t *testing.T, p *place)) {
	t.Helper()
	for name, k := range kernels() {
		t.Run(name, func(t *testing.T) {
			base := t.TempDir()
			p := &place{t: t, dir: base + "/root", outside: base + "/outside"}
			must(t, os.Mkdir(p.dir, 0o755))
			must(t, os.Mkdir(p.outside, 0o755))
			p.put("../outside/secret", "secret")
			p.put("../outside/sub/secret", "secret")
			r, err := open(p.dir, k())
			must(t, err)
			p.Root = r
			before := snapshot(t, p.outside)
			test(t, p)
			if after := snapshot(t, p.outside); after != before {
				t.Errorf("outside was touched\nbefore:\n%s\nafter:\n%s", before, after)
			}
			if err := r.Close(); err != nil && !errors.Is(err, fs.ErrClosed) {
				t.Error(err)
			}
		})
	}
}

// put writes a file by the ordinary means, directories included.
func (p *place) put(path, content string) {
	p.t.Helper()
	full := filepath.Join(p.dir, path)
	must(p.t, os.MkdirAll(filepath.Dir(full), 0o755))
	must(p.t, os.WriteFile(full, []byte(content), 0o644))
}

func (p *place) link(target, path string) {
	p.t.Helper()
	full := filepath.Join(p.dir, path)
	must(p.t, os.MkdirAll(filepath.Dir(full), 0o755))
	must(p.t, os.Symlink(target, full))
}

func (p *place) get(path string) string {
	p.t.Helper()
	b, err := os.ReadFile(filepath.Join(p.dir, path))
	must(p.t, err)
	return string(b)
}

func (p *place) names(path string) string {
	p.t.Helper()
	list, err := os.ReadDir(filepath.Join(p.dir, path))
	must(p.t, err)
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

func (p *place) lstat(path string) Info {
	p.t.Helper()
	var st unix.Stat_t
	must(p.t, unix.Lstat(filepath.Join(p.dir, path), &st))
	var info Info
	info.set(&st)
	return info
}

// save creates or replaces a file through the package.
func (p *place) save(path, content string) error {
	tmp, err := p.CreateTemp(path)
	if err != nil {
		return err
	}
	defer tmp.Abort()
	if _, err := tmp.Write([]byte(content)); err != nil {
		return err
	}
	return tmp.Commit(path)
}

// snapshot describes a tree: names, modes, owners, times, contents.
func snapshot(t *testing.T, dir string) string {
	t.Helper()
	var lines []string
	must(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		content := ""
		if st.Mode&unix.S_IFMT == unix.S_IFREG {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			content = string(b)
		}
		lines = append(lines, fmt.Sprintf("%s %o %d:%d %v %q", path, st.Mode, st.Uid, st.Gid, st.Mtim, content))
		return nil
	}))
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantErr checks that err is want (nil included) and that it names op and path.
func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error is %v, want %v", err, want)
		return
	}
	var pe *fs.PathError
	if err != nil && (!errors.As(err, &pe) || pe.Op == "" || strings.HasPrefix(pe.Path, "/tmp")) {
		t.Errorf("error %#v does not tell operation and relative path", err)
	}
}

func isRoot() bool { return os.Geteuid() == 0 }

// openFDs counts this process's descriptors.
func openFDs(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(list)
}
