package store

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func open(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func put(t *testing.T, s *Store, key, text string, m Meta) {
	t.Helper()
	m.Length = int64(len(text))
	p, err := s.Begin(key, m)
	if err != nil {
		t.Fatal(err)
	}
	defer p.File().Close()
	if _, err := p.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(key); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an unfinished file is there: %v", err)
	}
	if err := p.Commit(m, time.Unix(1_000_000_000, 0)); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, s *Store, key string) (string, *Object) {
	t.Helper()
	o, err := s.Get(key)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	b, err := io.ReadAll(o)
	if err != nil {
		t.Fatal(err)
	}
	return string(b), o
}

func TestCommit(t *testing.T) {
	s := open(t)
	put(t, s, "host/dir/file", "hello", Meta{ETag: `"x"`})
	text, o := get(t, s, "host/dir/file")
	if text != "hello" || !o.Known || o.Meta.ETag != `"x"` || !o.ModTime.Equal(time.Unix(1_000_000_000, 0)) {
		t.Errorf("%q, %+v", text, o)
	}
	left, err := filepath.Glob(s.Dir() + "/.cache/part/*/*")
	if err != nil || len(left) > 0 {
		t.Errorf("left: %q, %v", left, err)
	}
	// Somebody else puts another file there: what was known is not of that one.
	if err := os.WriteFile(s.Dir()+"/host/dir/file", []byte("other"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, o := get(t, s, "host/dir/file"); o.Known {
		t.Errorf("known of a file that it has not brought: %+v", o.Meta)
	}
	if err := s.Remove("host/dir/file"); err != nil {
		t.Fatal(err)
	}
	if names, err := os.ReadDir(s.Dir()); err != nil || len(names) != 1 {
		t.Errorf("after removal: %v, %v", names, err)
	}
}

func TestResume(t *testing.T) {
	s := open(t)
	p, err := s.Begin("f", Meta{ETag: `"x"`, Length: 10})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Write([]byte("hel")); err != nil {
		t.Fatal(err)
	}
	if err := p.Keep(); err != nil {
		t.Fatal(err)
	}
	p.File().Close()
	p, err = s.Resume("f")
	if err != nil || p.Have() != 3 || p.Meta().ETag != `"x"` {
		t.Fatalf("%+v, %v", p, err)
	}
	if _, err := p.Write([]byte("lo")); err != nil {
		t.Fatal(err)
	}
	if err := p.Commit(Meta{}, time.Time{}); err != nil {
		t.Fatal(err)
	}
	p.File().Close()
	if text, _ := get(t, s, "f"); text != "hello" {
		t.Errorf("%q", text)
	}
	if _, err := s.Resume("f"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("resumed a finished file: %v", err)
	}
}

// Nothing but regular files below the folder is ever served.
func TestGetRefuses(t *testing.T) {
	s := open(t)
	outside := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		os.WriteFile(s.Dir()+"/file", nil, 0o644), os.Symlink("file", s.Dir()+"/near"), syscall.Mkfifo(s.Dir()+"/fifo", 0o600),
		os.Symlink(outside, s.Dir()+"/link"), os.Symlink("/", s.Dir()+"/root"), os.Mkdir(s.Dir()+"/dir", 0o755),
		os.WriteFile(s.Dir()+"/.hidden", nil, 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{
		"link", "near", "fifo", "file/x", "a\x7fb", "root" + outside, "dir", ".hidden", "", "/etc/passwd", "../" + filepath.Base(outside), "a/../b", "a//b", "a/", "a\nb",
		strings.Repeat("x", 256), strings.Repeat("x/", 2000) + "x", ".cache/meta",
	} {
		o, err := s.Get(key)
		if err == nil {
			o.Close()
			t.Errorf("%q is served", key)
		}
	}
	for key, want := range map[string]bool{
		"a": true, strings.Repeat("x", maxName): true, strings.Repeat("x", maxName+1): false, strings.Repeat("x/", maxKey/2-1) + "xy": true,
		strings.Repeat("x/", maxKey/2) + "x": false, "": false, "a\tb": false, "a\x7fb": false, "a\x1fb": false, "ä b~": true,
	} {
		if err := CheckKey(key); (err == nil) != want || err != nil && !errors.Is(err, ErrKey) {
			t.Errorf("%.300q: %v", key, err)
		}
	}
	for _, key := range []string{"near", "fifo", "dir", "file/x", "none"} {
		if _, err := s.Get(key); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %v, want that there is none", key, err)
		}
	}
}

// TestResumeRefuses: a part that is longer than its file, or another file's, is
// not gone on with.
func TestResumeRefuses(t *testing.T) {
	s := open(t)
	for key, length := range map[string]int64{"f": 2, "g": 10} {
		p, err := s.Begin(key, Meta{ETag: `"x"`, Length: length})
		if err == nil {
			_, err = p.Write([]byte("hel"))
		}
		if err = errors.Join(err, p.Keep(), p.File().Close()); err != nil {
			t.Fatal(err)
		}
	}
	part := func(key string) string { return filepath.Join(s.Dir(), aside("part", key)) }
	if err := errors.Join(os.MkdirAll(filepath.Dir(part("h")), 0o755), os.Link(part("g"), part("h")), os.Link(part("g")+".json", part("h")+".json")); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"f", "h"} {
		if _, err := s.Resume(key); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", key, err)
		}
	}
	if p, err := s.Resume("g"); err != nil || p.Have() != 3 {
		t.Errorf("%+v, %v", p, err)
	} else {
		p.File().Close()
	}
}

// What root does in a folder of somebody else's, that user can go on with.
func TestOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	dir := t.TempDir()
	if err := os.Chown(dir, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	put(t, s, "a/b/f", "hello", Meta{})
	p, err := s.Begin("a/part", Meta{Length: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer p.File().Close()
	n := 0
	if err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if st := info.Sys().(*syscall.Stat_t); st.Uid != 65534 || st.Gid != 65534 {
			t.Errorf("%s belongs to %d:%d", name, st.Uid, st.Gid)
		}
		n++
		return nil
	}); err != nil || n < 10 {
		t.Errorf("%d files, %v", n, err)
	}
}

func TestEach(t *testing.T) {
	s := open(t)
	put(t, s, "b", "bb", Meta{})
	put(t, s, "a/x", "a", Meta{URL: "http://u/"})
	if err := os.Symlink("b", s.Dir()+"/c"); err != nil {
		t.Fatal(err)
	}
	var got []string
	if err := s.Each(func(it Item) error {
		got = append(got, it.Key)
		if !it.Known || it.Size != map[string]int64{"a/x": 1, "b": 2}[it.Key] {
			t.Errorf("%+v", it)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if strings.Join(got, " ") != "a/x b" {
		t.Errorf("%q", got)
	}
}

func TestNoRoom(t *testing.T) {
	s := open(t)
	free, err := s.Free()
	if err != nil || free <= 0 {
		t.Fatalf("%d, %v", free, err)
	}
	if _, err := s.Begin("huge", Meta{Length: 1 << 50}); err == nil {
		t.Error("a file of 2^50 bytes was begun")
	}
	if left, err := filepath.Glob(s.Dir() + "/.cache/part/*/*"); err != nil || len(left) > 0 {
		t.Errorf("left: %q, %v", left, err)
	}
}

func FuzzCheckKey(f *testing.F) {
	for _, s := range []string{"a/b", "../x", "a//b", ".x", "a/.", "\x00", "é/ü"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if CheckKey(key) == nil && !filepath.IsLocal(key) {
			t.Errorf("%q leads out", key)
		}
	})
}
