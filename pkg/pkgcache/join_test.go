package pkgcache

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
)

// A hundred clients join one download, each after a further hundredth of it has
// come, and every tenth leaves with the first bytes, also the first: one fetch, and
// every body is right.
func TestHundredJoin(t *testing.T) {
	const clients, piece = 100, 10_000
	body := make([]byte, clients*piece)
	_, _ = rand.NewChaCha8([32]byte{7}).Read(body)
	h := newHouse(t)
	joined := make(chan struct{})
	h.serves(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		w.Header().Set("ETag", `"v1"`)
		for i := range clients {
			_, _ = w.Write(body[i*piece : (i+1)*piece])
			_ = http.NewResponseController(w).Flush()
			<-joined
		}
	})
	h.client.Transport.(*http.Transport).DisableKeepAlives = true
	want := sha256.Sum256(body[1:])
	var all sync.WaitGroup
	for i := range clients {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.upstream.URL+"/big.tar", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := h.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(resp.Body, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		if i%10 == 0 {
			resp.Body.Close()
			joined <- struct{}{}
			continue
		}
		all.Go(func() {
			defer resp.Body.Close()
			sum := sha256.New()
			n, err := io.Copy(sum, resp.Body)
			if err != nil || !bytes.Equal(sum.Sum(nil), want[:]) {
				t.Errorf("client %d: %d bytes, %v", i, n+1, err)
			}
		})
		joined <- struct{}{}
	}
	all.Wait()
	h.settle(t)
	h.get(t, "/big.tar").expect(t, 200, "HIT", body)
	if n := h.asked.Load(); n != 1 {
		t.Errorf("upstream was asked %d times", n)
	}
}
