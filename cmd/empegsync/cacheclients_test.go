//go:build !board

package main

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// origin is an upstream of the cache that serves files, and counts what it is
// asked for whole.
type origin struct {
	*httptest.Server
	mu    sync.Mutex
	files map[string][]byte // by path
	asked map[string]int    // answers of 200
}

func newOrigin(t testing.TB, files map[string][]byte) *origin {
	t.Helper()
	o := &origin{files: files, asked: make(map[string]int)}
	o.Server = httptest.NewServer(o)
	t.Cleanup(o.Close)
	return o
}

// ServeHTTP implements http.Handler.
func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	body, ok := o.files[r.URL.Path]
	o.asked[r.URL.Path]++
	o.mu.Unlock()
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("ETag", fmt.Sprintf(`"%.8x"`, sha256.Sum256(body)))
	http.ServeContent(w, r, "", time.Unix(1_260_446_400, 0), bytes.NewReader(body))
}

func (o *origin) count(path string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.asked[path]
}

// serveCache starts a cache that may reach this machine; more is added to its
// configuration.
func serveCache(t testing.TB, dir, more string) *server {
	t.Helper()
	must(t, os.MkdirAll(dir, 0o755))
	config := filepath.Join(tempDir(t), "cache.conf")
	must(t, os.WriteFile(config, []byte("port = 0\naddress = 127.0.0.1\nprivate hosts = 127.0.0.0/8\nmanifests = none\nmin free = 0\n"+more), 0o644))
	return serveBy(t, empegsync("cache", "--dir", dir, "--config", config))
}

// run runs a client whose proxy is the cache.
func (s *server) run(t testing.TB, dir string, words ...string) string {
	t.Helper()
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Dir = dir
	proxy := "http://" + s.addr
	cmd.Env = append(os.Environ(), "http_proxy="+proxy, "HTTP_PROXY="+proxy, "no_proxy=", "NO_PROXY=", "LC_ALL=C", "HOME="+dir)
	var out lockedBuffer
	cmd.Stdout = &out
	p := start(t, cmd)
	r := p.wait()
	if r.code != 0 {
		t.Errorf("%s: %s%s", strings.Join(words, " "), &out, r)
	}
	return out.String() + r.err
}

func sameFile(t testing.TB, name string, want []byte) {
	t.Helper()
	if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s: %d bytes, %v; want %d", name, len(got), err, len(want))
	}
}

// curl and wget fetch, go on with what they have, and look whether it is
// current; the third document's RESUMECOMMAND is as it stands there.
func TestCacheDownloaders(t *testing.T) {
	t.Parallel()
	const path = "/distfiles/logrotate-3.7.8.tar.gz"
	body := bytes.Repeat([]byte("0123456789abcdef"), 20_000)
	up := newOrigin(t, map[string][]byte{path: body})
	dir := tempDir(t)
	must(t, os.MkdirAll(dir+"/cache/distfiles", 0o755))
	s := serveCache(t, dir+"/cache", "alias = "+dir+"/cache/distfiles:All\n")
	at := up.URL + path

	// FETCHCOMMAND and RESUMECOMMAND go through a shell's hands with these three.
	resume := ` /usr/bin/wget -t 5 --passive-ftp  ${URI} -O ${DISTDIR}/${FILE}`
	set := fmt.Sprintf("URI=%s DISTDIR=%s FILE=logrotate-3.7.8.tar.gz; ", at, dir)
	if out := s.run(t, dir, "sh", "-c", set+resume); !strings.Contains(out, "Proxy request sent") {
		t.Errorf("wget says %s", out)
	}
	sameFile(t, dir+"/logrotate-3.7.8.tar.gz", body)
	until(t, "the file in the cache", func() bool {
		_, err := os.Stat(dir + "/cache" + path)
		return err == nil
	})

	must(t, os.WriteFile(dir+"/part", body[:100_000], 0o644))
	s.run(t, dir, "wget", "-q", "-c", "-O", "part", at)
	sameFile(t, dir+"/part", body)
	s.run(t, dir, "wget", "-q", "-N", at) // it has the same time, and stays
	sameFile(t, dir+"/logrotate-3.7.8.tar.gz", body)

	s.run(t, dir, "curl", "-sSf", "-o", "curled", at)
	sameFile(t, dir+"/curled", body)
	must(t, os.WriteFile(dir+"/curled", body[:1], 0o644))
	s.run(t, dir, "curl", "-sSf", "-C", "-", "-o", "curled", at)
	sameFile(t, dir+"/curled", body)
	if out := s.run(t, dir, "curl", "-sSf", "-r", "-5", at); out != string(body[len(body)-5:]) {
		t.Errorf("the end: %q", out)
	}
	if out := s.run(t, dir, "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-z", "curled", "-R", at); out != "304" {
		t.Errorf("current: %s", out)
	}
	if out := s.run(t, dir, "curl", "-sSfI", at); !strings.Contains(out, "X-Cache: HIT") || !strings.Contains(out, "Content-Length: 320000") {
		t.Errorf("HEAD: %s", out)
	}
	if out := s.run(t, dir, "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", up.URL+"/none.tar.gz"); out != "404" {
		t.Errorf("a file that is not there: %s", out)
	}
	// Direct use needs no proxy.
	s.run(t, dir, "curl", "-sSf", "--noproxy", "*", "-o", "direct", "http://"+s.addr+"/All/logrotate-3.7.8.tar.gz")
	sameFile(t, dir+"/direct", body)
	if n := up.count(path); n != 1 {
		t.Errorf("upstream was asked %d times", n)
	}
}

// Debian's apt updates and downloads from a small repository, twice: the second
// time the cache answers for packages and indexes by their sums.
func TestCacheApt(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	deb, name := makeDeb(t, dir)
	packages := fmt.Appendf(nil, "Package: hello-cache\nVersion: 1.0\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: a test\nFilename: pool/main/h/%s\nSize: %d\nSHA256: %x\n\n",
		name, len(deb), sha256.Sum256(deb))
	var packed bytes.Buffer
	zw := gzip.NewWriter(&packed)
	_, err := zw.Write(packages)
	must(t, err)
	must(t, zw.Close())
	index := "main/binary-all/Packages"
	release := "Origin: test\nSuite: stable\nCodename: stable\nArchitectures: all\nComponents: main\nAcquire-By-Hash: yes\nDate: " +
		time.Now().UTC().Format(time.RFC1123) + "\nSHA256:\n"
	for path, text := range map[string][]byte{index: packages, index + ".gz": packed.Bytes()} {
		release += fmt.Sprintf(" %x %d %s\n", sha256.Sum256(text), len(text), path)
	}
	byHash := fmt.Sprintf("/debian/dists/stable/main/binary-all/by-hash/SHA256/%x", sha256.Sum256(packed.Bytes()))
	up := newOrigin(t, map[string][]byte{
		"/debian/dists/stable/Release": []byte(release), "/debian/pool/main/h/" + name: deb, byHash: packed.Bytes(),
	})
	s := serveCache(t, dir+"/cache", "[mirror debian]\nmembers = mirror.example/debian\nupstream = "+up.URL+"/debian\n")
	for i := range 2 {
		root := fmt.Sprintf("%s/root%d", dir, i)
		for _, sub := range []string{"etc/apt.conf.d", "etc/preferences.d", "etc/sources.list.d", "etc/trusted.gpg.d", "state/lists/partial", "cache/archives/partial", "get"} {
			must(t, os.MkdirAll(filepath.Join(root, sub), 0o755))
		}
		must(t, os.WriteFile(root+"/state/status", nil, 0o644))
		must(t, os.WriteFile(root+"/etc/sources.list", []byte("deb [trusted=yes] http://mirror.example/debian stable main\n"), 0o644))
		must(t, os.WriteFile(root+"/apt.conf", []byte(strings.NewReplacer("ROOT", root, "PROXY", "http://"+s.addr).Replace(`
Dir::Etc "ROOT/etc"; Dir::Etc::sourcelist "ROOT/etc/sources.list"; Dir::Etc::parts "ROOT/etc/apt.conf.d";
Dir::Etc::sourceparts "ROOT/etc/sources.list.d"; Dir::Etc::preferencesparts "ROOT/etc/preferences.d"; Dir::Etc::trustedparts "ROOT/etc/trusted.gpg.d";
Dir::State "ROOT/state"; Dir::State::status "ROOT/state/status"; Dir::Cache "ROOT/cache";
Acquire::http::Proxy "PROXY"; Acquire::Languages "none"; APT::Sandbox::User ""; APT::Architecture "amd64"; APT::Architectures "amd64";
`)), 0o644))
		conf := "APT_CONFIG=" + root + "/apt.conf"
		s.run(t, root+"/get", "env", conf, "apt-get", "-q", "--error-on=any", "update")
		s.run(t, root+"/get", "env", conf, "apt-get", "-q", "download", "hello-cache")
		sameFile(t, root+"/get/"+name, deb)
	}
	for _, path := range []string{"/debian/pool/main/h/" + name, byHash} {
		if n := up.count(path); n != 1 {
			t.Errorf("upstream was asked for %s %d times", path, n)
		}
	}
}

// makeDeb builds a package.
func makeDeb(t *testing.T, dir string) (content []byte, name string) {
	t.Helper()
	must(t, os.MkdirAll(dir+"/deb/DEBIAN", 0o755))
	must(t, os.WriteFile(dir+"/deb/DEBIAN/control", []byte("Package: hello-cache\nVersion: 1.0\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: a test\n"), 0o644))
	name = "hello-cache_1.0_all.deb"
	if out, err := exec.Command("dpkg-deb", "--root-owner-group", "-b", dir+"/deb", dir+"/"+name).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	content, err := os.ReadFile(dir + "/" + name)
	must(t, err)
	return content, name
}

// The Go tool gets a module through the cache; what is for ever is fetched once,
// a list of versions asked for again.
func TestCacheGo(t *testing.T) {
	t.Parallel()
	const mod = "module example.org/hello\n\ngo 1.20\n"
	var packed bytes.Buffer
	zw := zip.NewWriter(&packed)
	for name, text := range map[string]string{"go.mod": mod, "hello.go": "// Package hello is a test.\npackage hello\n"} {
		w, err := zw.Create("example.org/hello@v1.0.0/" + name)
		must(t, err)
		_, err = w.Write([]byte(text))
		must(t, err)
	}
	must(t, zw.Close())
	const at = "/proxy/example.org/hello/@v/"
	up := newOrigin(t, map[string][]byte{
		at + "list": []byte("v1.0.0\n"), at + "v1.0.0.info": []byte(`{"Version":"v1.0.0","Time":"2026-01-02T03:04:05Z"}`),
		at + "v1.0.0.mod": []byte(mod), at + "v1.0.0.zip": packed.Bytes(),
	})
	dir := tempDir(t)
	s := serveCache(t, dir+"/cache", "[mirror go]\nmembers = goproxy.example\nupstream = "+up.URL+"/proxy\n")
	tool := os.Getenv("GO")
	if tool == "" {
		tool = "go"
	}
	for i := range 2 {
		home := fmt.Sprintf("%s/home%d", dir, i)
		must(t, os.MkdirAll(home, 0o755))
		must(t, os.WriteFile(home+"/go.mod", []byte("module example.org/me\n\ngo 1.20\n"), 0o644))
		// Without a home it starts nothing that would still write there when it has ended.
		s.run(t, home, "env", "-u", "HOME", "-u", "XDG_CONFIG_HOME", "GOENV=off", "GOPATH="+home+"/path", "GOPROXY=http://goproxy.example", "GOSUMDB=off", "GOFLAGS=-modcacherw", "GOTOOLCHAIN=local", "GOWORK=off",
			"GOMODCACHE="+home+"/mod", "GOCACHE="+home+"/build", tool, "get", "example.org/hello@latest")
		sameFile(t, home+"/mod/example.org/hello@v1.0.0/go.mod", []byte(mod))
	}
	for _, end := range []string{"v1.0.0.info", "v1.0.0.mod", "v1.0.0.zip"} {
		if n := up.count(at + end); n != 1 {
			t.Errorf("upstream was asked for %s %d times", end, n)
		}
	}
}
