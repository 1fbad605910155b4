//go:build !board

package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/empegsync/empegsync/pkg/rsync/conf"
	"github.com/empegsync/empegsync/pkg/rsync/daemon"
	shown "github.com/empegsync/empegsync/pkg/rsync/report"
	"github.com/empegsync/empegsync/pkg/status/web"
)

// watch is a daemon's status page; nil: it has none.
type watch struct {
	book  *shown.Book
	ln    net.Listener
	names []string
}

// openWatch opens the page's socket, which at overrides, where one is asked for.
func openWatch(ctx context.Context, cfg *conf.Config, at string) (*watch, error) {
	at = cmp.Or(at, cfg.Global.StatusAddress)
	if at == "" {
		return nil, nil
	}
	address, err := statusAddress(at)
	if err != nil {
		return nil, err
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("status address: listen on %s: %w", address, err)
	}
	return &watch{book: &shown.Book{}, ln: ln, names: conf.Hosts(cfg.Global.StatusNames)}, nil
}

// checkWatch looks at what a configuration says of the page.
func checkWatch(cfg *conf.Config) error {
	if cfg.Global.StatusAddress == "" {
		return nil
	}
	if _, err := statusAddress(cfg.Global.StatusAddress); err != nil {
		return fmt.Errorf("%s: %w", cfg.Places["status address"], err)
	}
	return nil
}

// statusAddress completes a port, or :port, to one of this machine alone.
func statusAddress(at string) (string, error) {
	host, port, err := net.SplitHostPort(at)
	if err != nil && !strings.Contains(at, ":") {
		host, port, err = "", at, nil
	}
	if _, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil {
		return "", fmt.Errorf("status address: %q: write a port, or host:port", at)
	}
	return net.JoinHostPort(cmp.Or(host, "127.0.0.1"), port), nil
}

// ready says where the page is.
func (w *watch) ready(out io.Writer) {
	if w != nil {
		fmt.Fprintf(out, "status page at http://%s/\n", w.ln.Addr())
	}
}

func (w *watch) close() error {
	if w == nil {
		return nil
	}
	return w.ln.Close()
}

// handler has the page show what goes wrong.
func (w *watch) handler(h slog.Handler) slog.Handler {
	if w == nil {
		return h
	}
	return w.book.Handler(h)
}

// lines does the same for what workers write.
func (w *watch) lines(out io.Writer) io.Writer {
	if w == nil {
		return out
	}
	return w.book.Lines(out)
}

// run serves the page until the function that it returns is called.
func (w *watch) run(ctx context.Context, srv *daemon.Server) (stop func()) {
	if w == nil {
		return func() {}
	}
	name, err := os.Hostname()
	if err != nil {
		name = w.ln.Addr().String()
	}
	srv.Watch = w.book
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // to the end of the last transfer
	page := &shown.Page{Book: w.book, Config: srv.Current, Title: name + ": rsync"}
	var wg sync.WaitGroup
	wg.Go(func() { w.book.Run(ctx, srv.Current) })
	wg.Go(func() { web.Serve(ctx, w.ln, &web.Page{Names: w.names, HTML: page.HTML, Metrics: page.Metrics}) })
	return func() {
		cancel()
		wg.Wait()
	}
}
