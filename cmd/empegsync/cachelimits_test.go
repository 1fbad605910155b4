//go:build !board

package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// peak is the largest resident memory that a process has had, in kB.
func peak(t testing.TB, s *server) (kb int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.Process.Pid))
	must(t, err)
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	if _, err := fmt.Sscan(rest, &kb); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return kb
}

// A file many times the memory's size goes through, to several clients at once
// while it comes and from the disk, and the memory does not grow with it.
func TestCacheMemory(t *testing.T) {
	t.Parallel()
	const small, large, allowed = 1 << 20, 128 << 20, 32 << 10 // bytes, bytes, kB
	block := bytes.Repeat([]byte("0123456789abcdef"), 4096)
	var asked atomic.Int32
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		size := small
		if strings.Contains(r.URL.Path, "large") {
			size = large
		}
		w.Header().Set("Content-Length", fmt.Sprint(size))
		for sent := 0; sent < size; sent += len(block) {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	}))
	t.Cleanup(up.Close)
	s := serveCache(t, tempDir(t)+"/cache", "")
	rounds := func(name string, size int64) {
		t.Helper()
		for range 2 {
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					resp, err := proxied(s).Get(up.URL + name)
					if err != nil {
						t.Error(err)
						return
					}
					defer resp.Body.Close()
					if n, err := io.Copy(io.Discard, resp.Body); n != size || err != nil {
						t.Errorf("%s: %d bytes, %v", name, n, err)
					}
				})
			}
			all.Wait()
		}
	}
	rounds("/distfiles/small.tar", small)
	before := peak(t, s)
	rounds("/distfiles/large.tar", large)
	if after := peak(t, s); after > before+allowed {
		t.Errorf("a file of %d kB takes it from %d kB to %d kB", large>>10, before, after)
	}
	if n := asked.Load(); n != 2 {
		t.Errorf("upstream was asked %d times", n)
	}
}

// A proxy that the environment names is the way to upstream, and is told the whole
// URL; it may have a private address.
func TestCacheEnvironment(t *testing.T) {
	t.Parallel()
	const path, private = "/distfiles/f.tar", "/distfiles/private.tar"
	body := []byte("tarball")
	var lines atomic.Value
	up := newOrigin(t, map[string][]byte{path: body, private: body})
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		lines.Store(r.RequestURI)
		up.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	dir := tempDir(t)
	must(t, os.Mkdir(dir+"/cache", 0o755))
	must(t, os.WriteFile(dir+"/conf", []byte("port = 0\naddress = 127.0.0.1\nmanifests = none\nmin free = 0\n"), 0o644))
	cmd := empegsync("cache", "--dir", filepath.Join(dir, "cache"), "--config", dir+"/conf")
	cmd.Env = append(os.Environ(), "http_proxy="+proxy.URL, "no_proxy=", "NO_PROXY=")
	s := serveBy(t, cmd)
	if got, state, err := fetched(proxied(s), "http://mirror.example"+path); err != nil || !bytes.Equal(got, body) || state != "MISS" {
		t.Errorf("%q, %s, %v", got, state, err)
	}
	if lines.Load() != "http://mirror.example"+path {
		t.Errorf("the proxy is asked for %v", lines.Load())
	}
	// What else has a private address is no nearer by that: this machine is never
	// asked for through a proxy.
	_, _, err := fetched(proxied(s), up.URL+private)
	if err == nil || !strings.Contains(err.Error(), "403") || up.count(private) != 0 {
		t.Errorf("this machine is reached: %v, asked %d times", err, up.count(private))
	}
}
