//go:build !board

package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// tarball is a tar.gz of files, in this order: name, content, name, content...
func tarball(t testing.TB, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	tw := tar.NewWriter(zw)
	for i := 0; i < len(files); i += 2 {
		must(t, tw.WriteHeader(&tar.Header{Name: files[i], Mode: 0o644, Size: int64(len(files[i+1]))}))
		_, err := tw.Write([]byte(files[i+1]))
		must(t, err)
	}
	must(t, tw.Close())
	must(t, zw.Close())
	return b.Bytes()
}

// asRoot has a client believe that it is root, which it insists on.
func asRoot(words ...string) []string {
	if os.Geteuid() == 0 {
		return words
	}
	return append([]string{"unshare", "-r"}, words...)
}

// pacman, of Arch, gets a repository's database and a package, twice: the package
// is fetched once.
func TestCachePacman(t *testing.T) {
	t.Parallel()
	const name = "hello-cache-1.0-1-any.pkg.tar.gz"
	dir := tempDir(t)
	pkg := tarball(t, ".PKGINFO", "pkgname = hello-cache\npkgbase = hello-cache\npkgver = 1.0-1\npkgdesc = a test\nurl = http://example.org\nbuilddate = 1260446400\n"+
		"packager = nobody\nsize = 4\narch = any\nlicense = BSD\n", "usr/share/hello-cache", "test")
	db := tarball(t, "hello-cache-1.0-1/desc", fmt.Sprintf("%%FILENAME%%\n%s\n\n%%NAME%%\nhello-cache\n\n%%BASE%%\nhello-cache\n\n%%VERSION%%\n1.0-1\n\n%%DESC%%\na test\n\n"+
		"%%CSIZE%%\n%d\n\n%%ISIZE%%\n4\n\n%%SHA256SUM%%\n%x\n\n%%ARCH%%\nany\n\n%%BUILDDATE%%\n1260446400\n\n%%PACKAGER%%\nnobody\n\n", name, len(pkg), sha256.Sum256(pkg)))
	up := newOrigin(t, map[string][]byte{"/arch/test/os/x86_64/test.db": db, "/arch/test/os/x86_64/" + name: pkg})
	s := serveCache(t, dir+"/cache", "[mirror arch]\nmembers = mirror.example/arch\nupstream = "+up.URL+"/arch\n")
	for i := range 2 {
		root := fmt.Sprintf("%s/root%d", dir, i)
		must(t, os.MkdirAll(root+"/db", 0o755))
		must(t, os.MkdirAll(root+"/got", 0o755))
		must(t, os.WriteFile(root+"/conf", fmt.Appendf(nil, "[options]\nRootDir = %s\nDBPath = %[1]s/db\nCacheDir = %[1]s/got\nLogFile = %[1]s/log\nGPGDir = %[1]s/gpg\nHookDir = %[1]s/hooks\n"+
			"Architecture = x86_64\nSigLevel = Never\n[test]\nServer = http://mirror.example/arch/$repo/os/$arch\n", root), 0o644))
		s.run(t, root, asRoot("pacman", "--config", root+"/conf", "--noconfirm", "-Sywdd", "hello-cache")...)
		sameFile(t, root+"/got/"+name, pkg)
		sameFile(t, root+"/db/sync/test.db", db)
	}
	if n := up.count("/arch/test/os/x86_64/" + name); n != 1 {
		t.Errorf("upstream was asked for the package %d times", n)
	}
}

// dnf, of Fedora, gets a repository's metadata and a package, twice: what carries
// its sum in its name, and the package, are fetched once.
func TestCacheDnf(t *testing.T) {
	t.Parallel()
	const name = "hello-cache-1.0-1.noarch.rpm"
	dir := tempDir(t)
	files := makeRepo(t, dir, name)
	up := newOrigin(t, files)
	s := serveCache(t, dir+"/cache", "[mirror fedora]\nmembers = mirror.example/fedora\nupstream = "+up.URL+"/fedora\n")
	for i := range 2 {
		root := fmt.Sprintf("%s/root%d", dir, i)
		must(t, os.MkdirAll(root, 0o755))
		must(t, os.WriteFile(root+"/conf", fmt.Appendf(nil, "[main]\ngpgcheck=0\nplugins=0\nzchunk=0\ncachedir=/c\nlogdir=/l\npersistdir=/p\nreposdir=%s/none\npluginconfpath=%[1]s/none\nvarsdir=%[1]s/none\n"+
			"[test]\nname=test\nbaseurl=http://mirror.example/fedora\n", root), 0o644))
		s.run(t, root, asRoot("dnf", "-q", "-y", "-c", root+"/conf", "--installroot="+root, "--releasever=1", "--forcearch=x86_64", "--downloadonly", "install", "hello-cache")...)
		got, err := filepath.Glob(root + "/c/test-*/packages/" + name)
		if err != nil || len(got) != 1 {
			t.Fatalf("dnf got %v, %v", got, err)
		}
		sameFile(t, got[0], files["/fedora/"+name])
	}
	primary := 0
	for path := range files {
		n := up.count(path)
		if strings.Contains(path, "primary.xml") {
			primary += n
		}
		if n > 1 && !strings.HasSuffix(path, "/repomd.xml") {
			t.Errorf("upstream was asked for %s %d times", path, n)
		}
	}
	if n := up.count("/fedora/" + name); n != 1 || primary != 1 {
		t.Errorf("upstream was asked for the package %d times, for the list %d times", n, primary)
	}
}

// makeRepo makes a repository of one package, by path below the host.
func makeRepo(t testing.TB, dir, name string) map[string][]byte {
	t.Helper()
	must(t, os.MkdirAll(dir+"/repo", 0o755))
	must(t, os.WriteFile(dir+"/hello.spec", []byte("Name: hello-cache\nVersion: 1.0\nRelease: 1\nSummary: a test\nLicense: BSD\nBuildArch: noarch\n%description\na test\n%files\n"), 0o644))
	for _, words := range [][]string{
		{"rpmbuild", "-bb", "--define", "_topdir " + dir + "/top", "--define", "_rpmdir " + dir, "--define", "_build_name_fmt repo/%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm", dir + "/hello.spec"},
		{"createrepo_c", "-q", dir + "/repo"},
	} {
		if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", words[0], err, out)
		}
	}
	files := make(map[string][]byte)
	must(t, filepath.WalkDir(dir+"/repo", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files["/fedora/"+strings.TrimPrefix(path, dir+"/repo/")], err = os.ReadFile(path)
		}
		return err
	}))
	if files["/fedora/"+name] == nil {
		t.Fatalf("there is no %s", name)
	}
	return files
}
