//go:build !board

package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The third document's configuration file, as it stands but for folders and
// port: a client's proxy, and the alias.
func TestCache(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	for _, sub := range []string{"cache", "All"} {
		must(t, os.Mkdir(filepath.Join(dir, sub), 0o755))
	}
	must(t, os.WriteFile(dir+"/All/logrotate-3.7.8.tbz2", []byte("a package"), 0o644))
	config := fmt.Sprintf(`GENERAL_OPTS="--dir %s/cache"
DAEMON_OPTS="$DAEMON_OPTS --alias %[1]s/All:All"
DAEMON_OPTS="$DAEMON_OPTS --log %[1]s/log"
DAEMON_OPTS="$DAEMON_OPTS --ip 10.13.18.*"
## The proxy port on which the server listens for http requests:
DAEMON_OPTS="$DAEMON_OPTS --port 8080"
`, dir)
	must(t, os.WriteFile(dir+"/confd", []byte(config), 0o644))
	must(t, os.WriteFile(dir+"/more", []byte("private hosts = 127.0.0.1\nport = 0\n"), 0o644))
	asked := 0
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		w.Header().Set("Content-Length", "7")
		_, _ = w.Write([]byte("tarball"))
	}))
	t.Cleanup(upstream.Close)

	cmd := empegsync("cache", "--confd", dir+"/confd", "--config", dir+"/more", "--address", "127.0.0.1")
	s := serveBy(t, cmd)
	at := &url.URL{Scheme: "http", Host: s.addr}
	client := &http.Client{Transport: &http.Transport{Proxy: func(r *http.Request) (*url.URL, error) {
		if r.URL.Host == s.addr {
			return nil, nil
		}
		return at, nil
	}}}
	read := func(at string) string {
		t.Helper()
		resp, err := client.Get(at)
		must(t, err)
		defer resp.Body.Close()
		var b strings.Builder
		_, err = fmt.Fprint(&b, resp.StatusCode, " ")
		must(t, err)
		buf := make([]byte, 1000)
		n, _ := resp.Body.Read(buf)
		b.Write(buf[:n])
		return b.String()
	}
	if got := read("http://" + s.addr + "/All/logrotate-3.7.8.tbz2"); got != "200 a package" {
		t.Errorf("the alias: %q", got)
	}
	for range 3 {
		if got := read(upstream.URL + "/distfiles/logrotate-3.7.8.tar.gz"); got != "200 tarball" {
			t.Errorf("the proxy: %q", got)
		}
	}
	until(t, "the file in the cache", func() bool {
		b, err := os.ReadFile(dir + "/cache/distfiles/logrotate-3.7.8.tar.gz")
		return err == nil && string(b) == "tarball"
	})
	if asked != 1 {
		t.Errorf("upstream was asked %d times", asked)
	}
}

func TestCacheUsage(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"cache --ip 10.13":       "10.13",
		"cache --alias /x":       "DIR:NAME",
		"cache --dir /nowhere/x": "/nowhere/x",
		"cache --frob":           "--frob",
	} {
		r := call(t, strings.Fields(line)...)
		if r.code == 0 || !strings.Contains(r.err, want) {
			t.Errorf("%s: %s", line, r)
		}
	}
}
