//go:build board

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/empegsync/empegsync/pkg/rsync/conf"
	"github.com/empegsync/empegsync/pkg/rsync/daemon"
)

// watch stands where the daemon's status page is in the builds for PCs: it would
// bring net/http along.
type watch struct{}

var errNoWatch = errors.New("this program is built for boards, without the status page; take the build for PCs (make all)")

func openWatch(_ context.Context, _ *conf.Config, at string) (*watch, error) {
	if at != "" {
		return nil, errNoWatch
	}
	return nil, nil
}

func checkWatch(cfg *conf.Config) error {
	if cfg.Global.StatusAddress == "" {
		return nil
	}
	return fmt.Errorf("%s: status address: %w, or remove the line", cfg.Places["status address"], errNoWatch)
}

func (*watch) ready(io.Writer)                                   {}
func (*watch) close() error                                      { return nil }
func (*watch) handler(h slog.Handler) slog.Handler               { return h }
func (*watch) lines(out io.Writer) io.Writer                     { return out }
func (*watch) run(context.Context, *daemon.Server) (stop func()) { return func() {} }
