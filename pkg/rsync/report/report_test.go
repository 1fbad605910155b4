package report

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/conf"
	"github.com/empegsync/empegsync/pkg/rsync/daemon"
)

// clock is a Book's, moved by hand.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func newClock() *clock { return &clock{time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)} }

// moving is a visit of which so much has moved.
func moving(n uint64, doing daemon.Doing, f *flow) daemon.Visit {
	return daemon.Visit{
		Number: n, Since: time.Date(2026, 11, 22, 11, 59, 0, 0, time.UTC), Address: "10.0.0.7", Host: "ws2", Module: "m", Request: "m/<b>", Doing: doing,
		Moved: func() (in, out int64) { return f.in, f.out },
	}
}

func TestBook(t *testing.T) {
	c := newClock()
	b := &Book{Now: c.Now}
	a, z := &flow{10, 1000}, &flow{}
	b.Seen(moving(1, daemon.Talking, a))
	b.Seen(moving(1, daemon.Receiving, a))
	b.Seen(moving(2, daemon.Waiting, z))
	b.sample()
	c.now = c.now.Add(step)
	a.in, a.out = 12, 5000
	b.sample()
	c.now = c.now.Add(step)
	s := b.summary()
	if n := len(s.out); n != steps-1 || s.out[n-1] != 2000 || s.out[n-2] != 500 || s.in[n-1] != 1 || s.rate != (flow{1, 2000}) {
		t.Errorf("the last steps: %v of %v, %v", s.out[n-2:], s.in[n-2:], s.rate)
	}
	if s.busy != 1 || s.waiting != 1 || s.talks != 0 || s.came != 2 || len(s.visits) != 2 {
		t.Errorf("%+v", s)
	}
	a.out = 6000 // since the last sample
	b.Left(moving(1, daemon.Receiving, a), 23)
	b.Left(moving(1, daemon.Receiving, a), 23) // there is nobody any more
	b.Left(moving(2, daemon.Waiting, z), 0)
	s = b.summary()
	if s.total != (flow{12, 6000}) || s.modules["m"] != (tally{flow{12, 6000}, 1, 1}) || len(s.done) != 1 || s.done[0].exit != 23 || len(s.visits) != 0 {
		t.Errorf("in the end: %+v", s)
	}
	c.now = c.now.Add(-time.Hour) // a clock that is set back spoils nothing
	b.Seen(moving(3, daemon.Talking, z))
	c.now = c.now.Add(1000 * time.Hour)
	if s = b.summary(); s.out[0] != 0 || s.out[steps-2] != 0 {
		t.Errorf("after long: %v", s.out)
	}
	for i := range 10 * recent {
		b.failed(c.now, strings.Repeat("x", i*100))
		b.Seen(moving(uint64(100+i), daemon.Sending, z))
		b.Left(moving(uint64(100+i), daemon.Sending, z), 0)
	}
	if s = b.summary(); len(s.errors) != recent || len(s.done) != recent || len(s.errors[0].text) != 500 || s.done[0].Number != 299 {
		t.Errorf("%d errors, %d transfers", len(s.errors), len(s.done))
	}
}

// TestLog: what goes wrong is seen, from handlers and from workers' lines.
func TestLog(t *testing.T) {
	c := newClock()
	b := &Book{Now: c.Now}
	var out bytes.Buffer
	log := slog.New(b.Handler(daemon.NewLogHandler(&out))).With("from", "10.0.0.7")
	log.Info("fine")
	log.Log(context.Background(), daemon.LevelAccess, "error: said by a client")
	log.Warn("odd", "n", 3)
	log.WithGroup("g").Error("bad", "stack", "long")
	w := b.Lines(&out)
	for _, part := range []string{
		"2026/11/22 06:00:00 [12] rsync on m/\n2026/11/22 06:00:00 [12] error: no sp", "ace from=1.2.3.4\n",
		`{"time":"x","level":"WARN","msg":"json","from":"1.2.3.4","module":"m"}` + "\n" + `{"level":"ACCESS","msg":"fine"}` + "\n{broken\n",
		"no stamp error: x\n", strings.Repeat("y", maxLine+1), "\n",
	} {
		if n, err := io.WriteString(w, part); n != len(part) || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	}
	var got []string
	for _, e := range b.summary().errors {
		got = append(got, e.text)
	}
	if want := "json from=1.2.3.4 module=m|no space from=1.2.3.4|bad from=10.0.0.7|odd from=10.0.0.7 n=3"; strings.Join(got, "|") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "|"), want)
	}
	if !strings.Contains(out.String(), "error: no space from=1.2.3.4\n") || !strings.Contains(out.String(), "warning: odd from=10.0.0.7 n=3\n") {
		t.Errorf("the log:\n%s", &out)
	}
}

// shows fails the test where a text lacks one of the words.
func shows(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("no %q in\n%s", w, text)
		}
	}
}

func TestPage(t *testing.T) {
	dir := t.TempDir()
	cfg, err := conf.Parse("f", []byte("[m]\npath = "+dir+"\nread only = no\nauth users = joe\nmax connections = 5\n[gone]\npath = /no/such\n[late]\npath = /%RSYNC_USER_NAME%\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	c := newClock()
	b := &Book{Now: c.Now}
	p := &Page{Book: b, Config: func() *conf.Config { return cfg }, Title: "ws1"}
	shows(t, string(p.HTML()), "Nobody.", "None yet.") // before anything has happened
	f := &flow{1 << 20, 3 << 20}
	b.lookAtDisks(cfg)
	b.Seen(moving(1, daemon.Receiving, f))
	b.Seen(moving(2, daemon.Waiting, &flow{}))
	b.sample()
	b.Seen(moving(3, daemon.Sending, &flow{5, 0}))
	b.Left(moving(3, daemon.Sending, &flow{5, 0}), 12)
	b.Refused("10.0.0.9", "full")
	b.failed(c.now, "<script>alert(1)</script>")
	page := string(p.HTML())
	shows(t, page, "<h1>ws1</h1>", "<svg", "ws2 (10.0.0.7)", "downloads m/&lt;b&gt;", "4.0 MiB", "2.0 MiB/s", "waits for a place", "1 of 5, 1 waits", "read and write, by password",
		"<progress", " free", "no such file", "&lt;script&gt;", "code 12", "uploads m/")
	if strings.Contains(page, "<script") || strings.Contains(page, "<b>") {
		t.Errorf("unescaped:\n%s", page)
	}
	shows(t, string(p.Metrics()), "empegsync_daemon_connections{doing=\"downloads\"} 1\n", "empegsync_daemon_sent_bytes_total{module=\"m\"} 3.145728e+06\n",
		"empegsync_daemon_transfers_total{module=\"m\",result=\"failed\"} 1\n", "empegsync_daemon_free_bytes{module=\"m\"}", "empegsync_daemon_refused_total 1\n", "empegsync_daemon_clients_total 3\n")
}

// TestDaemon watches a real transfer.
func TestDaemon(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "big"), bytes.Repeat([]byte("x"), 1<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	text := "use chroot = no\n[m]\npath = " + dir + "\nbandwidth = 512K\n"
	if os.Geteuid() == 0 {
		text = "uid = 0\ngid = 0\n" + text
	}
	cfg, err := conf.Parse("f", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &Book{}
	p := &Page{Book: b, Config: func() *conf.Config { return cfg }, Title: "ws1"}
	srv := &daemon.Server{Config: cfg, Log: slog.New(slog.DiscardHandler), Watch: b}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx, ln) }()
	cmd := exec.Command("rsync", "-r", "rsync://"+ln.Addr().String()+"/m/", t.TempDir()+"/")
	if err := cmd.Start(); err != nil {
		t.Fatalf("the tests need rsync (scripts/deps.sh installs it): %v", err)
	}
	wait := make(chan error, 1)
	go func() { wait <- cmd.Wait() }()
	seen := false
	for over := false; !over; {
		select {
		case err := <-wait:
			if err != nil {
				t.Error(err)
			}
			over = true
		case <-time.After(20 * time.Millisecond):
			b.sample()
			s := b.summary()
			seen = seen || s.busy == 1 && s.visits[0].moved.out > 100<<10 && s.visits[0].moved.out < 1<<20
		}
	}
	if !seen {
		t.Error("the transfer was never seen in its middle")
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	s := b.summary()
	if m := s.modules["m"]; m.transfers != 1 || m.failed != 0 || m.out < 1<<20 || m.out > 1<<20+4096 || m.in < 50 {
		t.Errorf("%+v", m)
	}
	shows(t, string(p.HTML()), "downloads m/", "well")
}
