package pkgcache

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// What is not there is asked for once in a while, unless a client insists.
func TestNegative(t *testing.T) {
	h := newHouse(t)
	h.Negative = 10 * time.Second
	h.serves(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) })
	for range 3 {
		if a := h.settled(t, "/none.tar"); a.StatusCode != 404 {
			t.Errorf("%d", a.StatusCode)
		}
	}
	if n := h.asked.Load(); n != 1 {
		t.Errorf("upstream was asked %d times", n)
	}
	h.serves(content(text, `"v1"`))
	h.settled(t, "/none.tar", "Cache-Control", "no-cache").expect(t, 200, "MISS", text)
	h.serves(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) })
	h.settled(t, "/other.tar")
	h.serves(content(text, `"v1"`))
	h.clock.Add(11)
	h.settled(t, "/other.tar").expect(t, 200, "MISS", text)
}

func TestRecentBounded(t *testing.T) {
	var r recent
	for i := range 3 * mostRecent {
		r.note(Decision{Key: fmt.Sprint(i)}, 404, time.Unix(10, 0))
	}
	if len(r.all) > mostRecent || r.of(Decision{Key: fmt.Sprint(3*mostRecent - 1)}, time.Unix(9, 0)) != 404 || r.of(Decision{Key: fmt.Sprint(3*mostRecent - 1)}, time.Unix(11, 0)) != 0 {
		t.Errorf("%d are remembered", len(r.all))
	}
}
