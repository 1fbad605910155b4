//go:build !board

package main

import (
	"crypto/sha512"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A folder of distfiles goes over into the cache; what the tree names no more
// is told, then removed.
func TestCacheImportAndClean(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	for _, sub := range []string{"cache", "distdir", "tree/app-admin/logrotate"} {
		must(t, os.MkdirAll(filepath.Join(dir, sub), 0o755))
	}
	manifest := dir + "/tree/app-admin/logrotate/Manifest"
	must(t, os.WriteFile(manifest, fmt.Appendf(nil, "DIST logrotate-3.22.0.tar.xz 7 SHA512 %x\n", sha512.Sum512([]byte("tarball"))), 0o644))
	must(t, os.WriteFile(dir+"/distdir/logrotate-3.22.0.tar.xz", []byte("tarball"), 0o644))
	must(t, os.WriteFile(dir+"/distdir/other", []byte("x"), 0o644))
	flags := []string{"--dir", dir + "/cache", "--manifests", dir + "/tree"}
	kept := dir + "/cache/distfiles/logrotate-3.22.0.tar.xz"

	r := call(t, append([]string{"cache", "import", dir + "/distdir"}, flags...)...)
	r.expect(t, 0)
	if b, err := os.ReadFile(kept); string(b) != "tarball" || !strings.Contains(r.out, "1 taken over\n1 left: no list names it\n") {
		t.Errorf("%q, %v: %s", b, err, r)
	}
	long := time.Now().Add(-100 * 24 * time.Hour)
	must(t, os.Chtimes(kept, long, long)) // what is known of it is void, too
	r = call(t, append([]string{"cache", "clean"}, flags...)...)
	r.expect(t, 0)
	if _, err := os.Stat(kept); err != nil {
		t.Errorf("%v: %s", err, r)
	}
	must(t, os.WriteFile(manifest, []byte("DIST logrotate-3.23.0.tar.xz 7 SHA512 "+strings.Repeat("0", 128)+"\n"), 0o644))
	r = call(t, append([]string{"cache", "clean", "-n"}, flags...)...)
	r.expect(t, 0)
	if _, err := os.Stat(kept); err != nil || !strings.Contains(r.out, "would remove distfiles/logrotate-3.22.0.tar.xz (7 bytes): no list names it, not used for 100 days") {
		t.Errorf("%v: %s", err, r)
	}
	// Without its lists it removes nothing.
	r = call(t, "cache", "clean", "--dir", dir+"/cache", "--manifests", dir+"/distdir")
	if _, err := os.Stat(kept); err != nil || r.code != 1 || !strings.Contains(r.err, "portage tree") {
		t.Errorf("%v: %s", err, r)
	}
	r = call(t, append([]string{"cache", "clean"}, flags...)...)
	r.expect(t, 0)
	if _, err := os.Stat(kept); err == nil {
		t.Errorf("it is still there: %s", r)
	}
}
