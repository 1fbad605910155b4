package report

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/empegsync/empegsync/pkg/pkgcache/clean"
	"github.com/empegsync/empegsync/pkg/pkgcache/fill"
	"github.com/empegsync/empegsync/pkg/pkgcache/store"
	"github.com/empegsync/empegsync/pkg/status"
	"github.com/empegsync/empegsync/pkg/status/web"
)

// Page serves the report at /, the metrics at /metrics and a sign of life at
// /health. It changes nothing, whatever it is asked.
type Page struct {
	Book  *Book
	Fills *fill.Group
	Store *store.Store
	// Title names the cache, Names are what it may be called in a URL beside its
	// addresses and localhost.
	Title string
	Names []string

	mu   sync.Mutex
	disk disk
}

// disk is a look at the folder, which is not taken more often than once a minute.
type disk struct {
	at             time.Time
	files, bytes   int64
	free           int64
	biggest, stale []store.Item
	err            error
}

// ServeHTTP implements http.Handler.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	(&web.Page{Names: p.Names, HTML: p.page, Metrics: p.metrics}).ServeHTTP(w, r)
}

// look looks at the folder.
func (p *Page) look() disk {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.Book.now()
	if !p.disk.at.IsZero() && now.Sub(p.disk.at) < time.Minute {
		return p.disk
	}
	const most = 10
	d := disk{at: now}
	keep := func(list []store.Item, it store.Item, less func(a, b store.Item) int) []store.Item {
		i, _ := slices.BinarySearchFunc(list, it, less)
		if i >= most {
			return list
		}
		list = slices.Insert(list, i, it)
		return list[:min(len(list), most)]
	}
	d.err = p.Store.Each(func(it store.Item) error {
		if it.Meta.Fetched.After(it.Used) {
			it.Used = it.Meta.Fetched
		}
		d.files++
		d.bytes += it.Size
		d.biggest = keep(d.biggest, it, func(a, b store.Item) int { return cmp.Compare(b.Size, a.Size) })
		d.stale = keep(d.stale, it, func(a, b store.Item) int { return a.Used.Compare(b.Used) })
		return nil
	})
	d.free, _ = p.Store.Free()
	p.disk = d
	return d
}

func (p *Page) page() []byte {
	s, d := p.Book.summary(), p.look()
	now := p.Book.now()
	b := status.AppendHead(nil, p.Title, "Package cache, counting since "+s.since.Format("2 January 2006, 15:04"), 10)
	hit := "–"
	if r, any := s.rate(); any {
		hit = fmt.Sprintf("%.1f %%", 100*r)
	}
	var out, in int64
	for _, t := range s.states {
		out += t.Bytes
	}
	for _, u := range s.hosts {
		in += u.Bytes
	}
	b = status.AppendFigures(b, "Saved, by bytes", hit, "Served", clean.Bytes(out), "Fetched", clean.Bytes(in),
		"Files", fmt.Sprint(d.files), "On disk", clean.Bytes(d.bytes), "Free", clean.Bytes(d.free))
	if d.err != nil {
		b = status.AppendTable(b, nil, [][]status.Cell{{{Text: "The folder cannot be read: " + d.err.Error()}}}, "")
	}
	b = p.appendPlots(b, s)
	b = p.appendArriving(b)
	b = appendHosts(b, s, now)
	b = appendFiles(b, "Biggest files", d.biggest, now)
	return appendFiles(b, "Longest unused files", d.stale, now)
}

func (p *Page) appendPlots(b []byte, s summary) []byte {
	rate := make([]float64, len(s.all))
	for i := range rate {
		rate[i] = math.NaN()
		if s.all[i] > 0 {
			rate[i] = 100 * s.kept[i] / s.all[i]
		}
	}
	b = status.AppendTitle(b, "Saved, by bytes, in the last day")
	plot := status.Plot{
		Title: "how much of what was served came from the cache, in percent", Start: s.start, Step: step, Most: 100,
		Series: []status.Series{{Name: "from the cache, of what was served", Values: rate}},
		Label:  func(v float64) string { return fmt.Sprintf("%.0f %%", v) },
	}
	b = plot.AppendSVG(b)
	b = status.AppendTitle(b, "Served, in the last day")
	plot = status.Plot{
		Title: "bytes served in five minutes", Start: s.start, Step: step,
		Series: []status.Series{{Name: "from the cache", Values: s.kept}, {Name: "all", Values: s.all}},
		Label:  func(v float64) string { return clean.Bytes(int64(v)) },
	}
	return plot.AppendSVG(b)
}

func (p *Page) appendArriving(b []byte) []byte {
	fills := p.Fills.Running()
	slices.SortFunc(fills, func(a, b *fill.Fill) int { return cmp.Compare(a.Key, b.Key) })
	var rows [][]status.Cell
	for _, f := range fills {
		have, length, readers := f.Progress()
		text := clean.Bytes(have)
		if length > 0 {
			text += " of " + clean.Bytes(length)
		}
		rows = append(rows, []status.Cell{{Text: f.Key}, {Text: text, Have: have, Of: length}, {Text: fmt.Sprint(readers)}})
	}
	b = status.AppendTitle(b, "Arriving now")
	return status.AppendTable(b, []status.Column{{Name: "File"}, {Name: "Progress"}, {Name: "Readers", Number: true}}, rows, "Nothing.")
}

func appendHosts(b []byte, s summary, now time.Time) []byte {
	var rows [][]status.Cell
	for _, u := range s.hosts[:min(len(s.hosts), 30)] {
		last := ""
		if u.LastError != "" {
			last = fmt.Sprintf("%s ago, %s: %s", since(now, u.LastTime), u.LastErrorOfKey, u.LastError)
		}
		rows = append(rows, []status.Cell{{Text: u.Name}, {Text: fmt.Sprint(u.Fetches)}, {Text: clean.Bytes(u.Bytes)}, {Text: fmt.Sprint(u.Errors)}, {Text: last}})
	}
	b = status.AppendTitle(b, "Upstreams")
	return status.AppendTable(b, []status.Column{{Name: "Host"}, {Name: "Fetches", Number: true}, {Name: "Bytes", Number: true}, {Name: "Errors", Number: true}, {Name: "Last error"}},
		rows, "None has been asked yet.")
}

func appendFiles(b []byte, title string, items []store.Item, now time.Time) []byte {
	var rows [][]status.Cell
	for _, it := range items {
		proof := it.Meta.Proof
		if proof == "" {
			proof = "length only"
		}
		rows = append(rows, []status.Cell{{Text: it.Key}, {Text: clean.Bytes(it.Size)}, {Text: since(now, it.Used)}, {Text: proof}})
	}
	b = status.AppendTitle(b, title)
	return status.AppendTable(b, []status.Column{{Name: "File"}, {Name: "Size", Number: true}, {Name: "Unused for", Number: true}, {Name: "Verified"}}, rows, "The cache is empty.")
}

// since writes a time span for people.
func since(now, then time.Time) string { return status.Span(now.Sub(then)) }

func (p *Page) metrics() []byte {
	s, d := p.Book.summary(), p.look()
	answers := status.Metric{Name: "empegsync_cache_answers_total", Help: "Answers, by where they came from.", Kind: status.Counter}
	sent := status.Metric{Name: "empegsync_cache_sent_bytes_total", Help: "Bytes of answers, by where they came from.", Kind: status.Counter}
	for _, state := range slices.Sorted(maps.Keys(s.states)) {
		labels := []string{"state", state}
		answers.Samples = append(answers.Samples, status.Sample{Labels: labels, Value: float64(s.states[state].Answers)})
		sent.Samples = append(sent.Samples, status.Sample{Labels: labels, Value: float64(s.states[state].Bytes)})
	}
	fetches := status.Metric{Name: "empegsync_cache_fetches_total", Help: "Fetches, by upstream.", Kind: status.Counter}
	came := status.Metric{Name: "empegsync_cache_fetched_bytes_total", Help: "Bytes of bodies that came, by upstream.", Kind: status.Counter}
	failed := status.Metric{Name: "empegsync_cache_fetch_errors_total", Help: "Fetches that failed, by upstream.", Kind: status.Counter}
	slices.SortFunc(s.hosts, func(a, b upstream) int { return cmp.Compare(a.Name, b.Name) })
	for _, u := range s.hosts {
		labels := []string{"upstream", u.Name}
		fetches.Samples = append(fetches.Samples, status.Sample{Labels: labels, Value: float64(u.Fetches)})
		came.Samples = append(came.Samples, status.Sample{Labels: labels, Value: float64(u.Bytes)})
		failed.Samples = append(failed.Samples, status.Sample{Labels: labels, Value: float64(u.Errors)})
	}
	return status.AppendMetrics(nil, answers, sent, fetches, came, failed,
		status.One("empegsync_cache_arriving", "Files that arrive now.", status.Gauge, float64(len(p.Fills.Running()))),
		status.One("empegsync_cache_files", "Whole files in the cache.", status.Gauge, float64(d.files)),
		status.One("empegsync_cache_size_bytes", "Bytes of whole files.", status.Gauge, float64(d.bytes)),
		status.One("empegsync_cache_free_bytes", "Bytes that the file system has left.", status.Gauge, float64(d.free)),
		status.One("empegsync_cache_start_time_seconds", "When counting began.", status.Gauge, float64(s.since.Unix())),
	)
}
