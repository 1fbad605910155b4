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
		os.Symlink(outside, s.Dir()+"/link"), os.Symlink("/", s.Dir()+"/root"), os.Mkdir(s.Dir()+"/dir", 0o755),
		os.WriteFile(s.Dir()+"/.hidden", nil, 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{
		"link", "root" + outside, "dir", ".hidden", "", "/etc/passwd", "../" + filepath.Base(outside), "a/../b", "a//b", "a/", "a\nb",
		strings.Repeat("x", 256), strings.Repeat("x/", 2000) + "x", ".cache/meta",
	} {
		o, err := s.Get(key)
		if err == nil {
			o.Close()
			t.Errorf("%q is served", key)
		}
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
