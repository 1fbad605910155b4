//go:build s3

package tier

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/empegsync/empegsync/pkg/ownport"
	"github.com/empegsync/empegsync/pkg/pkgcache/store"
)

// gateway runs a real S3 server, versitygw, whose program S3_SERVER names, and
// returns its address.
func gateway(t *testing.T) string {
	t.Helper()
	program := os.Getenv("S3_SERVER")
	if program == "" {
		t.Fatal("S3_SERVER has to name versitygw's program: use \"make s3test\"")
	}
	address := ownport.HoldAddress(t)
	cmd := exec.Command(program, "--access", "somebody", "--secret", "secretsecret", "--port", address, "posix", t.TempDir())
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	go func() { _ = cmd.Wait(); close(gone) }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		if <-gone; t.Failed() {
			t.Logf("the S3 server says\n%s", &out)
		}
	})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return address
		}
		if time.Now().After(deadline) {
			t.Fatal("the S3 server does not answer")
		}
	}
}

// What one cache has copied another gets, whole or from a place on, with the
// validators of its upstream; larger files go in several parts.
func TestRealStore(t *testing.T) {
	tier := newTier(t, "http://"+gateway(t)+"/packages/shared")
	if err := tier.core.MakeBucket(t.Context(), "packages", minio.MakeBucketOptions{}); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go tier.Run(ctx)
	const etag, modified = `"v1"`, "Thu, 10 Dec 2009 12:00:00 GMT"
	for key, n := range map[string]int{"distfiles/small": 1000, "distfiles/empty": 0, "a/b?c=d e%20f~": 70_000, "distfiles/big": 40 << 20} {
		body := make([]byte, n)
		_, _ = rand.NewChaCha8([32]byte{byte(n)}).Read(body)
		p, err := s.Begin(key, store.Meta{Length: int64(n)})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = p.Write(body)
		if err := p.Commit(store.Meta{ETag: etag, LastModified: modified, ContentType: "application/x-test"}, time.Time{}); err != nil {
			t.Fatal(err)
		}
		p.File().Close()
		if resp := ask(t, tier, key); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s before it was copied: %d", key, resp.StatusCode)
		}
		tier.Copy(s, key)
		var resp *http.Response
		for deadline := time.Now().Add(time.Minute); resp == nil || resp.StatusCode == http.StatusNotFound; time.Sleep(10 * time.Millisecond) {
			if resp = ask(t, tier, key); time.Now().After(deadline) {
				t.Fatalf("%s is never there", key)
			}
		}
		got, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK || !bytes.Equal(got, body) || resp.ContentLength != int64(n) ||
			resp.Header.Get("ETag") != etag || resp.Header.Get("Last-Modified") != modified || resp.Header.Get("Content-Type") != "application/x-test" {
			t.Errorf("%s: %d with %d bytes, %v, %v", key, resp.StatusCode, len(got), resp.Header, err)
		}
		if n < 1000 {
			continue
		}
		for validator, code := range map[string]int{etag: 206, modified: 206, `"v2"`: 200} {
			resp = ask(t, tier, key, "Range", "bytes=900-", "If-Range", validator)
			got, err = io.ReadAll(resp.Body)
			want := body
			if code == 206 {
				want = body[900:]
			}
			if err != nil || resp.StatusCode != code || !bytes.Equal(got, want) {
				t.Errorf("%s from a place on, if %s: %d with %d bytes, %v", key, validator, resp.StatusCode, len(got), err)
			}
		}
	}
	if resp := ask(t, tier, "distfiles/small", "Range", "bytes=1000-"); resp.StatusCode != http.StatusRequestedRangeNotSatisfiable {
		t.Errorf("beyond the end: %d", resp.StatusCode)
	}
}
