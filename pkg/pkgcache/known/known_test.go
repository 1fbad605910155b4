package known

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/empegsync/empegsync/pkg/pkgcache/store"
)

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func sum(letter string, n int) string { return strings.Repeat(letter, n) }

func newLists(t *testing.T, trees ...string) *Lists {
	t.Helper()
	s, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return &Lists{Trees: trees, Store: s, Log: slog.New(slog.DiscardHandler)}
}

func load(t *testing.T, l *Lists) {
	t.Helper()
	if err := l.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// The lines are as today's and as old trees have them.
func TestManifests(t *testing.T) {
	tree, overlay := t.TempDir(), t.TempDir()
	write(t, tree+"/app-admin/logrotate/Manifest", "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n"+
		"DIST logrotate-3.22.0.tar.xz 173340 BLAKE2B "+sum("ab", 64)+" SHA512 "+sum("cd", 64)+"\n"+
		"DIST old-1.tar.gz 12 RMD160 "+sum("1", 40)+" SHA256 "+sum("ef", 32)+" WHIRLPOOL "+sum("2", 128)+"\n"+
		"DIST weak-1.tar.gz 12 SHA1 "+sum("1", 40)+"\nDIST cut\nDIST minus -1 SHA256 "+sum("ef", 32)+"\n"+
		"DIST short 1 SHA256 ef\nDIST nothex 1 SHA256 "+sum("zz", 32)+"\nDIST a/b 1 SHA256 "+sum("ef", 32)+"\n"+
		"DIST caf\\xe9\\u0020x 7 SHA512 "+sum("03", 64)+"\nEBUILD x.ebuild 1 SHA256 "+sum("ef", 32)+"\n-----BEGIN PGP SIGNATURE-----\nx\n")
	write(t, tree+"/dev-x/y/Manifest", "DIST twice 5 SHA512 "+sum("01", 64)+"\nDIST both 5 SHA512 "+sum("01", 64)+"\n")
	write(t, tree+"/dev-x/z/Manifest", "DIST twice 6 SHA512 "+sum("01", 64)+"\nDIST both 5 SHA512 "+sum("01", 64)+"\n")
	write(t, tree+"/dev-x/metadata.xml", "")
	write(t, tree+"/metadata/md5-cache/Manifest", "DIST no 5 SHA512 "+sum("01", 64)+"\n")
	write(t, overlay+"/a-b/c/Manifest", "DIST both 9 SHA512 "+sum("02", 64)+"\nDIST over 9 SHA512 "+sum("02", 64)+"\n")
	l := newLists(t, tree, overlay)
	load(t, l)
	for key, want := range map[string]string{
		"distfiles/logrotate-3.22.0.tar.xz":         "173340 BLAKE2B " + sum("ab", 64),
		"logrotate-3.22.0.tar.xz":                   "173340 BLAKE2B " + sum("ab", 64),
		"h/gentoo/distfiles/3f/old-1.tar.gz":        "12 SHA256 " + sum("ef", 32),
		"distfiles/café x":                          "7 SHA512 " + sum("03", 64),
		"distfiles/both":                            "5 SHA512 " + sum("01", 64),
		"distfiles/over":                            "9 SHA512 " + sum("02", 64),
		"distfiles/twice":                           "",
		"distfiles/weak-1.tar.gz":                   "",
		"distfiles/short":                           "",
		"distfiles/nothex":                          "",
		"distfiles/minus":                           "",
		"distfiles/b":                               "",
		"distfiles/no":                              "",
		"h/other/logrotate-3.22.0.tar.xz":           "",
		"h/x/by-hash/SHA256/" + sum("0a", 32):       "-1 SHA256 " + sum("0a", 32),
		"h/x/by-hash/SHA256/" + sum("0a", 64):       "",
		"h/repodata/" + sum("0b", 64) + "-x.xml.gz": "-1 SHA512 " + sum("0b", 64),
	} {
		got := ""
		if s := l.Sums(key); s != nil {
			got = fmt.Sprint(s.Size, " ", s.Best())
		}
		if got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
	for key, want := range map[string]Reference{
		"distfiles/twice": Listed, "distfiles/over": Listed, "distfiles/gone-1": Unlisted, "gone-1": Unjudged,
		"distfiles/layout.conf": Unjudged, "h/other/x": Unjudged,
	} {
		if got := l.Reference(key); got != want {
			t.Errorf("%s: reference %d, want %d", key, got, want)
		}
	}
}

// A tree is read again after it has changed; one that has gone takes nothing
// away.
func TestRefresh(t *testing.T) {
	tree := t.TempDir()
	write(t, tree+"/a-b/c/Manifest", "DIST one 9 SHA512 "+sum("02", 64)+"\n")
	l := newLists(t, tree)
	load(t, l)
	if err := l.Refresh(t.Context()); err != nil || l.Sums("distfiles/two") != nil {
		t.Error(err, "nothing has changed")
	}
	write(t, tree+"/a-b/d/Manifest", "DIST two 9 SHA512 "+sum("02", 64)+"\n")
	write(t, tree+"/metadata/timestamp.chk", "now")
	if err := l.Refresh(t.Context()); err != nil || l.Sums("distfiles/two") == nil {
		t.Error(err, "the change was not seen")
	}
	if err := os.RemoveAll(tree + "/a-b"); err != nil {
		t.Fatal(err)
	}
	if err := l.Refresh(t.Context()); err == nil || l.Sums("distfiles/one") == nil {
		t.Error("an empty tree: ", err)
	}
	if err := (&Lists{Trees: []string{tree + "/none"}, Log: l.Log}).Load(t.Context()); err == nil {
		t.Error("a tree that is not there is no error")
	}
}

func gz(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(text))
	w.Close()
	return b.String()
}

func zst(t *testing.T, text string) string {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(w.EncodeAll([]byte(text), nil))
}

func hash(text string) string {
	s := sha256.Sum256([]byte(text))
	return hex.EncodeToString(s[:])
}

func TestApt(t *testing.T) {
	l := newLists(t)
	dir := l.Store.Dir() + "/"
	packages := "Package: a\nFilename: pool/main/a/a_1_amd64.deb\nSize: 10\nDescription: x\n more\nSHA256: " + sum("0a", 32) + "\n\n" +
		"Package: b\nFilename: pool/main/b/b_1_amd64.deb\nSize: 11\nMD5sum: " + sum("0", 32) + "\nSHA256: " + sum("0b", 32) + "\n"
	sources := "Package: a\nDirectory: pool/main/a\nFiles:\n " + sum("0", 32) + " 5 a_1.dsc\nChecksums-Sha256:\n " + sum("0c", 32) +
		" 5 a_1.dsc\n " + sum("0d", 32) + " 6 a_1.tar.xz\nHomepage: x\n"
	byHash := "deb/debian/dists/stable/main/binary-amd64/by-hash/SHA256/"
	older := "Package: c\nFilename: pool/main/c/c_1_amd64.deb\nSize: 10\nSHA256: " + sum("0c", 32) + "\n"
	write(t, dir+byHash+hash(gz(packages)), gz(packages))
	write(t, dir+byHash+hash(gz(older)), gz(older))
	if err := os.Chtimes(dir+byHash+hash(gz(older)), time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	write(t, dir+"deb/debian/dists/stable/main/source/Sources.zst", zst(t, sources))
	write(t, dir+"deb/debian/dists/stable/InRelease", "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nOrigin: Debian\nMD5Sum:\n "+
		sum("0", 32)+" 6 main/binary-amd64/Packages.gz\nSHA256:\n "+hash(gz(packages))+" 6 main/binary-amd64/Packages.gz\n-----BEGIN PGP SIGNATURE-----\n")
	write(t, dir+"deb/debian/dists/stable/main/binary-amd64/Release", "Archive: stable\n")
	write(t, dir+"flat/sub/Packages", "Package: f\nFilename: ./f_1_all.deb\nSize: 3\nSHA256: "+sum("0e", 32)+"\n\nPackage: g\nFilename: sub/g.deb\nSize: 3\nSHA256: "+sum("0f", 32)+"\n")
	write(t, dir+"other/Packages.gz", "\x1f\x8bnonsense")
	write(t, dir+"other2/Packages", "<html>\nnot found")
	load(t, l)
	for key, want := range map[string]string{
		"deb/debian/pool/main/a/a_1_amd64.deb": "10 SHA256 " + sum("0a", 32),
		"deb/debian/pool/main/b/b_1_amd64.deb": "11 SHA256 " + sum("0b", 32),
		"deb/debian/pool/main/a/a_1.dsc":       "5 SHA256 " + sum("0c", 32),
		"deb/debian/pool/main/a/a_1.tar.xz":    "6 SHA256 " + sum("0d", 32),
		"deb/debian/pool/main/c/c_1_amd64.deb": "",
		"deb2/debian/pool/main/a/a_1.dsc":      "",
		"flat/sub/f_1_all.deb":                 "3 SHA256 " + sum("0e", 32),
		"flat/sub/g.deb":                       "3 SHA256 " + sum("0f", 32),
	} {
		got := ""
		if s := l.Sums(key); s != nil {
			got = fmt.Sprint(s.Size, " ", s.Best())
		}
		if got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
	for key, want := range map[string]Reference{
		"deb/debian/pool/main/a/a_1_amd64.deb": Listed, "deb/debian/pool/main/c/c_1_amd64.deb": Unlisted,
		"deb2/debian/pool/main/a/a_1.deb": Unjudged, byHash + hash(gz(packages)): Listed, byHash + hash(gz(older)): Unlisted,
		"deb2/dists/x/binary-amd64/by-hash/SHA256/" + sum("0", 64): Unjudged, "deb/debian/dists/stable/InRelease": Unjudged,
	} {
		if got := l.Reference(key); got != want {
			t.Errorf("%s: reference %d, want %d", key, got, want)
		}
	}
	// What comes later counts, and what goes does not.
	write(t, dir+byHash+hash(gz(older+"\n")), gz(older+"\n"))
	future := time.Now().Add(time.Hour)
	if err := os.Chtimes(dir+byHash+hash(gz(older+"\n")), future, future); err != nil {
		t.Fatal(err)
	}
	if err := l.Note(byHash + hash(gz(older+"\n"))); err != nil || l.Sums("deb/debian/pool/main/c/c_1_amd64.deb") == nil {
		t.Error("the newer index does not count: ", err)
	}
	if l.Sums("deb/debian/pool/main/b/b_1_amd64.deb") != nil {
		t.Error("the index that was replaced still counts")
	}
}

// An index from outside must not take memory or never end.
func TestHostileIndex(t *testing.T) {
	// A header of xz that asks for a dictionary of 4 GiB - 1.
	huge := []byte("\xfd7zXZ\x00\x00\x04\xe6\xd6\xb4\x46\x02\x00\x21\x01\x28\x00\x00\x00\x63\x78\xc2\xcb\x01\x00\x00x")
	for _, text := range [][]byte{huge, []byte("\xfd7zXZ\x00"), {0x28, 0xb5, 0x2f, 0xfd, 0xa4, 0xff, 0xff, 0xff, 0xff}, []byte("A: b\n" + sum("x", 2<<20)), []byte("BZh9")} {
		if tab, err := readAptIndex("x/Packages", bytes.NewReader(text)); err == nil && len(tab.entries) > 0 {
			t.Errorf("%.20q: %d files", text, len(tab.entries))
		}
	}
}

// As xz -9 has it, with a dictionary of 64 MiB.
func TestXZ(t *testing.T) {
	packed, err := base64.StdEncoding.DecodeString("/Td6WFoAAATm1rRGAgAhARwAAAAQz1jM4ABwADhdACgYSGbb2jCF/hbz/DkyPjZwV5p62qp45gRaqICtdE28ddkwNYK+LUHoE/rWU25mzdKBKnamLdZCAHOu6nG1VQs8AAFUcdFsU9kftvN9AQAAAAAEWVo=")
	if err != nil {
		t.Fatal(err)
	}
	tab, err := readAptIndex("h/dists/x/binary-y/by-hash/SHA256/00", bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	if sums, _ := tab.find("h/pool/x.deb"); sums == nil || sums.Size != 4 {
		t.Errorf("%+v", sums)
	}
}

func FuzzLists(f *testing.F) {
	f.Add([]byte("DIST a 1 SHA256 " + sum("0a", 32) + "\n"))
	f.Add([]byte("Package: a\nFilename: pool/a\nSize: 1\nSHA256: " + sum("0a", 32) + "\n\nDirectory: x\nChecksums-Sha256:\n " + sum("0a", 32) + " 1 b\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = readManifest(bytes.NewReader(b), func(d distfile) {
			if d.name == "" || d.size < 0 || strings.Contains(d.name, "/") {
				t.Errorf("%+v", d)
			}
		})
		tab, err := readAptIndex("h/dists/x/Packages", bytes.NewReader(b))
		if err == nil {
			for _, e := range tab.entries {
				_ = tab.sumOf(e)
			}
		}
	})
}

func BenchmarkTree(b *testing.B) {
	tree := b.TempDir()
	for i := range 2000 {
		dir := fmt.Sprintf("%s/cat-%d/p%d", tree, i%20, i)
		var text strings.Builder
		for j := range 4 {
			h := hash(fmt.Sprint(i, j))
			fmt.Fprintf(&text, "DIST p%d-%d.tar.xz %d BLAKE2B %s%s SHA512 %[4]s%[4]s\n", i, j, i, h, h)
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(dir+"/Manifest", []byte(text.String()), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := readTrees(context.Background(), []string{tree}); err != nil {
			b.Fatal(err)
		}
	}
}
