package status

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAllowed(t *testing.T) {
	names := []string{"ws1", "Cache.Example.org."}
	for host, want := range map[string]bool{
		"127.0.0.1": true, "127.0.0.1:8081": true, "[::1]:8081": true, "[2001:db8::1]": true, "::1": true, "localhost": true, "LOCALHOST:1": true, "localhost.:1": true,
		"ws1": true, "ws1:80": true, "cache.example.org:80": true, "cache.example.org.": true,
		"": false, "evil.example": false, "evil.example:8081": false, "localhost.evil.example": false, "127.0.0.1.evil.example": false, "ws1.": true, "ws2": false, "[evil]:80": false,
		"ws1:": true, "ws1:x": false, "[::1]:80:90": false, "[::]:X:": false, "127.0.0.1:evil.example": false,
	} {
		if got := Allowed(host, names); got != want {
			t.Errorf("%q: %v", host, got)
		}
	}
}

func TestMetrics(t *testing.T) {
	got := string(AppendMetrics(nil,
		Metric{"x_total", "Help\\ with\na line.", Counter, []Sample{{[]string{"host", "a\"b\\\n\xff", "kind", "k"}, 3}, {nil, 0.5}}},
		One("y_bytes", "Y.", Gauge, 12345678901)))
	want := `# HELP x_total Help\\ with\na line.
# TYPE x_total counter
x_total{host="a\"b\\\n�",kind="k"} 3
x_total 0.5
# HELP y_bytes Y.
# TYPE y_bytes gauge
y_bytes 1.2345678901e+10
`
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// The plot draws runs, leaves gaps, and stays within its frame.
func TestPlot(t *testing.T) {
	p := Plot{
		Title: "a <b>", Start: time.Unix(0, 0).UTC(), Step: time.Hour, Most: 100, Label: func(v float64) string { return fmt.Sprintf("%.0f&", v) },
		Series: []Series{{"one", []float64{math.NaN(), 0, 50, math.NaN(), 200, math.NaN()}}, {"two", nil}},
	}
	got := string(p.AppendSVG(nil))
	for _, want := range []string{
		`aria-label="a &lt;b&gt;"`, "100&amp;", "00:00", "05:00", `d="M202.0 156L202.0 156.0L330.0 85.0L330.0 156Z"`, `cx="586.0" cy="14.0"`, "two",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	if got := string((&Plot{Label: p.Label}).AppendSVG(nil)); strings.Contains(got, "NaN") || strings.Contains(got, "Inf") {
		t.Errorf("an empty plot: %s", got)
	}
}

// What comes from outside stays text.
func TestPageEscapes(t *testing.T) {
	evil := `<script>"'&`
	b := AppendHead(nil, evil, evil, 5)
	b = AppendFigures(b, evil, evil)
	b = AppendTitle(b, evil)
	b = AppendTable(b, []Column{{Name: evil}, {"n", true}}, [][]Cell{{{Text: evil}, {evil, 1, 2}, {Text: "more than columns"}}}, "")
	b = AppendTable(b, nil, nil, evil)
	if s := string(b); strings.Contains(s, "<script") || !strings.Contains(s, "<progress value=1 max=2>") || strings.Count(s, "&lt;script&gt;") != 10 {
		t.Errorf("%d\n%s", strings.Count(s, "&lt;script&gt;"), s)
	}
}

// Whatever a Host field says, it does not become one of the page's names by what
// stands around it.
func FuzzAllowed(f *testing.F) {
	for _, host := range []string{"ws1:8081", "ws1.", "[::1]:80", "localhost.evil.example", "[ws1", "[::1]evil.example", "ws1:80:80", "127.0.0.1.evil.example", "]ws1[", "[::]:X:"} {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, host string) {
		if !Allowed(host, []string{"ws1"}) {
			return
		}
		name := strings.ToLower(host)
		for _, own := range []string{"ws1", "localhost"} {
			if strings.HasPrefix(name, own) || strings.HasPrefix(name, "["+own) {
				return
			}
		}
		if i := strings.LastIndex(name, ":"); i >= 0 {
			name = name[:i] // what follows is not looked at
		}
		if strings.ContainsAny(name, "ghijklmnopqrstuvwxyz") && !strings.Contains(name, "%") {
			t.Errorf("%q is taken for an address", host)
		}
	})
}
