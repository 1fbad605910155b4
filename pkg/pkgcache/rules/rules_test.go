package rules

import (
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/empegsync/empegsync/pkg/pkgcache"
	"github.com/empegsync/empegsync/pkg/pkgcache/store"
)

func all(t testing.TB) *Set {
	t.Helper()
	s := &Set{}
	for _, name := range Presets() {
		rules, err := Preset(name)
		if err != nil {
			t.Fatal(err)
		}
		s.Rules = append(s.Rules, rules...)
	}
	return s
}

func decide(t testing.TB, s *Set, at string, header ...string) pkgcache.Decision {
	t.Helper()
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return s.Decide(u, h)
}

func TestPresets(t *testing.T) {
	const (
		I = pkgcache.Immutable
		V = pkgcache.Volatile
		U = pkgcache.Uncached
	)
	s := all(t)
	for at, want := range map[string]struct {
		class pkgcache.Class
		key   string
	}{
		"http://distfiles.gentoo.org/distfiles/logrotate-3.7.8.tar.gz":          {I, "distfiles/logrotate-3.7.8.tar.gz"},
		"http://other.example/gentoo/distfiles/3f/logrotate-3.7.8.tar.gz":       {I, "distfiles/logrotate-3.7.8.tar.gz"},
		"http://m.example/distfiles/x.tar.xz.__download__":                      {I, "distfiles/x.tar.xz"},
		"http://m.example/distfiles/layout.conf":                                {V, "m.example/distfiles/layout.conf"},
		"http://m.example/snapshots/portage-20261101.tar.xz":                    {I, "m.example/snapshots/portage-20261101.tar.xz"},
		"http://m.example/snapshots/portage-latest.tar.xz":                      {V, "m.example/snapshots/portage-latest.tar.xz"},
		"http://ws1/packages/Packages":                                          {V, "ws1/packages/Packages"},
		"http://ws1/packages/app/x-1.0-3.gpkg.tar":                              {I, "ws1/packages/app/x-1.0-3.gpkg.tar"},
		"http://ws1/packages/All/x-1.0.tbz2":                                    {V, "ws1/packages/All/x-1.0.tbz2"},
		"http://deb.example/debian/pool/main/r/rsync/rsync_3.2.7-1_amd64.deb":   {I, "deb.example/debian/pool/main/r/rsync/rsync_3.2.7-1_amd64.deb"},
		"http://deb.example/debian/dists/bookworm/InRelease":                    {V, "deb.example/debian/dists/bookworm/InRelease"},
		"http://deb.example/debian/dists/bookworm/main/by-hash/SHA256/" + hex64: {I, "deb.example/debian/dists/bookworm/main/by-hash/SHA256/" + hex64},
		"http://arch.example/core/os/x86_64/core.db":                            {V, "arch.example/core/os/x86_64/core.db"},
		"http://arch.example/core/os/x86_64/core.db.sig":                        {V, "arch.example/core/os/x86_64/core.db.sig"},
		"http://arch.example/core/os/x86_64/rsync-3.4.1-1-x86_64.pkg.tar.zst":   {I, "arch.example/core/os/x86_64/rsync-3.4.1-1-x86_64.pkg.tar.zst"},
		"http://f.example/repodata/repomd.xml":                                  {V, "f.example/repodata/repomd.xml"},
		"http://f.example/repodata/" + hex64 + "-primary.xml.gz":                {I, "f.example/repodata/" + hex64 + "-primary.xml.gz"},
		"http://f.example/Packages/r/rsync-3.4.1-1.fc42.x86_64.rpm":             {I, "f.example/Packages/r/rsync-3.4.1-1.fc42.x86_64.rpm"},
		"http://alp.example/v3.22/main/x86_64/APKINDEX.tar.gz":                  {V, "alp.example/v3.22/main/x86_64/APKINDEX.tar.gz"},
		"http://alp.example/v3.22/main/x86_64/rsync-3.4.1-r0.apk":               {I, "alp.example/v3.22/main/x86_64/rsync-3.4.1-r0.apk"},
		"http://go.example/golang.org/x/sys/@v/list":                            {V, "go.example/golang.org/x/sys/@v/list"},
		"http://go.example/golang.org/x/sys/@v/v0.1.0.zip":                      {I, "go.example/golang.org/x/sys/@v/v0.1.0.zip"},
		"http://go.example/golang.org/x/sys/@v/master.info":                     {V, "go.example/golang.org/x/sys/@v/master.info"},
		"http://go.example/sumdb/sum.golang.org/tile/8/0/x001":                  {I, "go.example/sumdb/sum.golang.org/tile/8/0/x001"},
		"http://go.example/sumdb/sum.golang.org/latest":                         {V, "go.example/sumdb/sum.golang.org/latest"},
		"http://any.example/some/page":                                          {V, "any.example/some/page"},
		"http://any.example/some/page?a=b/c":                                    {V, "any.example/some/page?a=b%2Fc"},
		"http://any.example/a/../../b":                                          {V, "any.example/b"},
		"http://any.example/":                                                   {U, "any.example/"},
		"http://ANY.example:8080/x":                                             {V, "any.example:8080/x"},
	} {
		d := decide(t, s, at)
		if d.Class != want.class || d.Key != want.key {
			t.Errorf("%s: class %d, key %q; want %d, %q", at, d.Class, d.Key, want.class, want.key)
		}
		if len(d.URLs) != 1 || d.URLs[0].String() != at {
			t.Errorf("%s is fetched from %v", at, d.URLs)
		}
	}
}

const hex64 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func TestGroups(t *testing.T) {
	s := all(t)
	g, err := NewGroup("debian", []string{"deb.example/debian", "http://ftp.de.example/debian/"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	h, err := NewGroup("gentoo-mirrors", []string{"m1.example"}, []string{"https://up.example/g"})
	if err != nil {
		t.Fatal(err)
	}
	s.Groups = []Group{g, h}
	for at, want := range map[string]struct {
		class pkgcache.Class
		key   string
		urls  string
	}{
		"http://ftp.de.example/debian/pool/main/x/x_1_all.deb": {pkgcache.Immutable, "debian/pool/main/x/x_1_all.deb",
			"http://ftp.de.example/debian/pool/main/x/x_1_all.deb http://deb.example/debian/pool/main/x/x_1_all.deb"},
		"http://deb.example/debian-security/pool/x_1_all.deb": {pkgcache.Immutable, "deb.example/debian-security/pool/x_1_all.deb",
			"http://deb.example/debian-security/pool/x_1_all.deb"},
		"http://m1.example/snapshots/a-20260101.tar": {pkgcache.Immutable, "gentoo-mirrors/snapshots/a-20260101.tar",
			"https://up.example/g/snapshots/a-20260101.tar"},
	} {
		d := decide(t, s, at)
		var urls []string
		for _, u := range d.URLs {
			urls = append(urls, u.String())
		}
		if d.Class != want.class || d.Key != want.key || strings.Join(urls, " ") != want.urls {
			t.Errorf("%s: class %d, key %q, from %q", at, d.Class, d.Key, urls)
		}
	}
	for _, bad := range []string{"", "http://", "mailto:x@y", "http://u:p@h/", "http://h/?q"} {
		if g, err := NewGroup("x", []string{bad}, nil); err == nil {
			t.Errorf("a member %q: %+v", bad, g)
		}
	}
}

func TestFlatAndStatic(t *testing.T) {
	s := &Set{Flat: true, Static: true}
	d := decide(t, s, "http://m.example/a/b/file.tar.gz")
	if d.Key != "file.tar.gz" || d.Class != pkgcache.Immutable {
		t.Errorf("%+v", d)
	}
	d = decide(t, s, "http://m.example/get.php", uniqueName, "../../file.tar.gz")
	if d.Key != "file.tar.gz" {
		t.Errorf("%+v", d)
	}
}

func TestUnknownPreset(t *testing.T) {
	if _, err := Preset("slackware"); err == nil || !strings.Contains(err.Error(), "gentoo") {
		t.Error(err)
	}
}

// TestBadGroups: a group has a name that is one, and its mirrors have addresses
// without anything that would be lost.
func TestBadGroups(t *testing.T) {
	for _, name := range []string{"", "/", "..", "a/../b"} {
		if _, err := NewGroup(name, nil, nil); err == nil {
			t.Errorf("%q is a group's name", name)
		}
	}
	for _, at := range []string{"", "http:///x", "gopher://host/x", "file:///etc", "http://host/x?a=b", "http://host/x#a", "http://joe:secret@host/x"} {
		if _, err := NewGroup("g", []string{at}, nil); err == nil {
			t.Errorf("%q is a member", at)
		}
		if _, err := NewGroup("g", nil, []string{at}); err == nil {
			t.Errorf("%q is an upstream", at)
		}
	}
}

// Whatever is asked for, a key that the store takes is one below its folder, and
// the same question has the same answer; so also for the name that portage gives
// a file (X-Unique-Cache-Name), which is never one in another folder.
func FuzzDecide(f *testing.F) {
	for _, s := range []string{"http://h/distfiles/x", "http://h/a?b=/../c", "http://h/%2e%2e/x", "http://[::1]:80/x", "ftp://h/.x/y", "//u@h"} {
		f.Add(s, "")
		f.Add(s, "../x")
	}
	s, flat := all(f), all(f)
	flat.Flat = true
	f.Fuzz(func(t *testing.T, at, name string) {
		u, err := url.Parse(at)
		if err != nil || u.Host == "" {
			return
		}
		d := s.Decide(u, http.Header{})
		if store.CheckKey(d.Key) == nil && strings.Contains("/"+d.Key+"/", "/../") {
			t.Errorf("%q is kept as %q", at, d.Key)
		}
		if again := s.Decide(u, http.Header{}); !reflect.DeepEqual(d, again) {
			t.Errorf("%q: %+v, then %+v", at, d, again)
		}
		if key, _, _ := strings.Cut(flat.Decide(u, http.Header{uniqueName: {name}}).Key, "?"); store.CheckKey(key) == nil && strings.Contains(key, "/") {
			t.Errorf("%q called %q is kept as %q", at, name, key)
		}
	})
}
