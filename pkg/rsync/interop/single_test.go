package interop

import (
	"os"
	"testing"
)

// A single name copied to one that is not there: an empty folder, a full one, a
// file, with and without a slash.
func TestSingleToMissing(t *testing.T) {
	for _, c := range [][]string{
		{"-a", "/empty", "/new"}, {"-a", "/empty/", "/new"}, {"-a", "/empty", "/new/"}, {"-a", "/full", "/new"}, {"-a", "/file", "/new"},
		{"-a", "/link", "/new"}, {"-d", "/full", "/new"}, {"-r", "--no-i-r", "/empty", "/new"}, {"-a", "--delete", "/empty", "/new"},
		{"-a", "/nested", "/new"}, {"-n", "-a", "/empty", "/new"},
	} {
		want, got := newSandbox(t), newSandbox(t)
		for _, s := range []*sandbox{want, got} {
			s.must(os.MkdirAll(s.src+"/empty", 0o750))
			s.must(os.MkdirAll(s.src+"/nested/empty", 0o750))
			s.write(s.src+"/full/file", []byte("x"), then)
			s.write(s.src+"/file", []byte("x"), then)
			s.must(os.Symlink("x", s.src+"/link"))
			for _, n := range []string{"empty", "nested/empty", "nested", "full", "link", "../dst"} {
				s.must(touch(s.src+"/"+n, then))
			}
		}
		options, from, to := c[:len(c)-2], c[len(c)-2], c[len(c)-1]
		if out, code := want.rsync(append(options[:len(options):len(options)], want.src+from, want.dst+to)...); code != 0 {
			t.Fatalf("%q: %s", c, out)
		}
		o := oracle{flags: options}
		if r := o.copies(got, got.src+from, got.dst+to); r.code != 0 {
			t.Errorf("%q: code %d", c, r.code)
		}
		if d := difference(o.snapshot(t, want.dst), o.snapshot(t, got.dst)); o.snapshot(t, want.dst) != o.snapshot(t, got.dst) {
			t.Errorf("%q:%s", c, d)
		}
	}
}
