package service

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestFolder: of a folder that is published, whole files and folders are there,
// and nothing that is hidden, by whatever name.
func TestFolder(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(
		os.MkdirAll(dir+"/sub/.git", 0o755), os.WriteFile(dir+"/sub/f", []byte("text"), 0o644), os.WriteFile(dir+"/sub/.git/config", []byte("SECRET"), 0o644),
		os.Symlink("sub/.git/config", dir+"/link"), os.Symlink("sub/.git", dir+"/way"), os.Symlink("/etc", dir+"/etc"), syscall.Mkfifo(dir+"/fifo", 0o644),
	); err != nil {
		t.Fatal(err)
	}
	f, err := openFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.root.Close()
	ask := func(method, at string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		f.ServeHTTP(w, httptest.NewRequest(method, at, nil))
		return w
	}
	for at, want := range map[string]int{
		"/": 200, "/sub": 301, "/sub/": 200, "/sub/f": 200, "/sub/../sub/f": 200, "/none": 404, "/sub/f/x": 404, "/sub/.git/": 404, "/sub/.git/config": 404,
		"/link": 404, "/way/": 404, "/way/config": 404, "/etc/passwd": 404, "/../etc/passwd": 404, "/fifo": 404,
	} {
		if w := ask(http.MethodGet, at); w.Code != want || strings.Contains(w.Body.String(), "SECRET") {
			t.Errorf("%s: %d, want %d: %.200s", at, w.Code, want, w.Body)
		}
	}
	if w := ask(http.MethodPost, "/sub/f"); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
	if text := ask(http.MethodGet, "/").Body.String(); !strings.Contains(text, "sub/") || strings.Contains(text, "link") || strings.Contains(text, "way") || strings.Contains(text, "fifo") {
		t.Errorf("the list: %s", text)
	}
	if text := ask(http.MethodGet, "/sub/").Body.String(); !strings.Contains(text, ">f<") || strings.Contains(text, "git") {
		t.Errorf("the list: %s", text)
	}
}
