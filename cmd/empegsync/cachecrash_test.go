//go:build !board

package main

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// proxied is a client that goes through the cache, also for this machine's
// addresses, with a connection a request.
func proxied(s *server) *http.Client {
	return &http.Client{Timeout: patience, Transport: &http.Transport{
		Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: s.addr}), DisableKeepAlives: true, DisableCompression: true,
	}}
}

// fetched gets a URL and says where it came from. A body that breaks is an error.
func fetched(c *http.Client, at string) (body []byte, state string, err error) {
	resp, err := c.Get(at)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, body)
	}
	return body, resp.Header.Get("X-Cache"), err
}

// Killed at a hundred random moments while files come, of known and of unknown
// length, the cache never has a file under its name that is not whole, a client
// never takes a part for all of it, and nothing is stuck afterwards.
func TestCacheKilled(t *testing.T) {
	t.Parallel()
	const files, rounds = 6, 100
	random := rand.New(rand.NewPCG(7, 2026))
	bodies := make(map[string][]byte)
	for i := range files {
		b := make([]byte, 30_000*(i+1))
		for j := range b {
			b[j] = byte(random.Uint32())
		}
		bodies[fmt.Sprintf("/distfiles/f%d.tar", i)] = b
	}
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := bodies[r.URL.Path]
		if strings.HasPrefix(r.URL.Path, "/distfiles/f0") || strings.HasPrefix(r.URL.Path, "/distfiles/f3") {
			for len(body) > 0 { // chunked
				n, _ := w.Write(body[:min(len(body), 8000)])
				_ = http.NewResponseController(w).Flush()
				if body = body[n:]; r.Context().Err() != nil || n == 0 {
					return
				}
			}
			return
		}
		w.Header().Set("ETag", `"one"`)
		http.ServeContent(w, r, "", time.Unix(1_260_446_400, 0), bytes.NewReader(body))
	}))
	t.Cleanup(up.Close)
	dir := tempDir(t) + "/cache"
	whole := func() (n int) {
		must(t, filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() && d.Name() == ".cache" {
				return fs.SkipDir
			}
			if err != nil || d.IsDir() {
				return err
			}
			sameFile(t, name, bodies[strings.TrimPrefix(name, dir)])
			n++
			return nil
		}))
		return n
	}
	came := 0
	for round := range rounds {
		s := serveCache(t, dir, "")
		c := proxied(s)
		var all sync.WaitGroup
		for at, want := range bodies {
			all.Go(func() {
				if body, _, err := fetched(c, up.URL+at); err == nil && !bytes.Equal(body, want) {
					t.Errorf("%s ends well after %d of %d bytes", at, len(body), len(want))
				}
			})
		}
		time.Sleep(time.Duration(random.IntN(15_000)) * time.Microsecond)
		s.signal(syscall.SIGKILL)
		s.wait()
		all.Wait()
		came += whole()
		if round%4 == 3 { // else nothing would be left to come
			must(t, os.RemoveAll(dir+"/distfiles"))
		}
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
	t.Logf("%d whole files were seen after %d rounds", came, rounds)
	s := serveCache(t, dir, "")
	for at, want := range bodies {
		for range 2 {
			if body, _, err := fetched(proxied(s), up.URL+at); err != nil || !bytes.Equal(body, want) {
				t.Errorf("%s afterwards: %d of %d bytes, %v", at, len(body), len(want), err)
			}
		}
	}
	until(t, "all files in the cache", func() bool { return whole() == files })
}

// A disk that is full is no reason to fail: what does not fit goes past the
// cache, what is old makes room, and no part stays in the way.
func TestCacheDiskFull(t *testing.T) {
	t.Parallel()
	dir := tempDir(t) + "/cache"
	mountTmpfs(t, dir, "size=1m,mode=755")
	body := bytes.Repeat([]byte("0123456789abcdef"), 25_000) // 400 kB
	huge := bytes.Repeat(body, 4)
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/distfiles/huge.tar":
			w.Header().Set("Content-Length", fmt.Sprint(len(huge)))
			_, _ = w.Write(huge)
		case "/distfiles/chunked.tar":
			_ = http.NewResponseController(w).Flush()
			_, _ = w.Write(huge)
		default:
			w.Header().Set("Content-Length", fmt.Sprint(len(body)))
			_, _ = w.Write(body)
		}
	}))
	t.Cleanup(up.Close)
	s := serveCache(t, dir, "")
	c := proxied(s)
	expect := func(name, state string, want []byte) {
		t.Helper()
		if got, from, err := fetched(c, up.URL+name); err != nil || !bytes.Equal(got, want) || from != state {
			t.Errorf("%s: %d of %d bytes, %s, %v", name, len(got), len(want), from, err)
		}
	}
	settle := func(name string) {
		t.Helper()
		until(t, name+" in the cache", func() bool {
			_, err := os.Stat(dir + name)
			return err == nil
		})
	}
	expect("/distfiles/huge.tar", "PASS", huge)
	// Nobody knew that this would not fit: the first client's body breaks, so that
	// it cannot take it for whole, and who asks again has it.
	if got, _, err := fetched(c, up.URL+"/distfiles/chunked.tar"); err == nil {
		t.Errorf("%d of %d bytes end well", len(got), len(huge))
	}
	expect("/distfiles/chunked.tar", "PASS", huge)
	for i := range 6 { // no more than two fit at once
		name := fmt.Sprintf("/distfiles/f%d.tar", i)
		expect(name, "MISS", body)
		settle(name)
		expect(name, "HIT", body)
	}
	parts, err := filepath.Glob(dir + "/.cache/part/*/*")
	if err != nil || len(parts) > 0 {
		t.Errorf("left: %v, %v", parts, err)
	}
}
