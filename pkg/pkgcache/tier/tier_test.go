package tier

import (
	"log/slog"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func newTier(t *testing.T, endpoint string) *Tier {
	t.Helper()
	at, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	tier, err := New(Settings{
		Endpoint: at, Region: "us-east-1", Access: "somebody", Secret: "secretsecret", Log: slog.New(slog.DiscardHandler), Rest: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	return tier
}

func ask(t *testing.T, tier *Tier, key string, header ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, tier.URL(key).String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := tier.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func TestURL(t *testing.T) {
	for endpoint, want := range map[string]string{
		"http://h:1/packages":        "s3://h:1/packages/distfiles/a%3Fb",
		"https://h/packages/deep/x/": "s3://h/packages/deep/x/distfiles/a%3Fb",
	} {
		if d := cmp.Diff(want, newTier(t, endpoint).URL("distfiles/a?b").String()); d != "" {
			t.Error(d)
		}
	}
	for _, endpoint := range []string{"http://h:1/", "http:///packages"} {
		at, _ := url.Parse(endpoint)
		if _, err := New(Settings{Endpoint: at}); err == nil {
			t.Errorf("%s is taken", endpoint)
		}
	}
}

// A store that is not there is an answer, not an error that would be tried
// again, and is left alone then.
func TestDown(t *testing.T) {
	tier := newTier(t, "http://127.0.0.1:1/packages")
	for range 2 {
		if resp := ask(t, tier, "f"); resp.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("%d", resp.StatusCode)
		}
		if !tier.resting() {
			t.Error("it is not left alone")
		}
	}
}
