package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path"
	"sync/atomic"
	"syscall"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"

	"github.com/empegsync/empegsync/pkg/rsync/conf"
	"github.com/empegsync/empegsync/pkg/rsync/daemon"
)

// checkLock looks at "daemon chroot".
func checkLock(cfg *conf.Config) error {
	dir := cfg.Global.DaemonChroot
	switch {
	case dir == "":
		return nil
	case !path.IsAbs(dir):
		return fmt.Errorf("%s: daemon chroot: %q is no absolute path", cfg.Places["daemon chroot"], dir)
	case os.Geteuid() != 0:
		return fmt.Errorf("%s: daemon chroot: only root can do that", cfg.Places["daemon chroot"])
	}
	return nil
}

// insideCommand is this program again, as the daemon that is locked up. It reads
// its configuration, and what replaces it, from its standard input until it is to
// end.
func (c *serveCmd) insideCommand(ctx context.Context, words ...string) (*exec.Cmd, io.WriteCloser, error) {
	words = append([]string{"inside"}, words...)
	if c.Status != "" {
		words = append(words, "--status", c.Status)
	}
	if c.LogJSON {
		words = append(words, "--log-json")
	}
	cmd := exec.CommandContext(ctx, "/proc/self/exe", words...)
	cmd.Args[0], cmd.Dir = "empegsync", "/"
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	cmd.Cancel = stdin.Close
	cmd.WaitDelay = grace + 5*time.Second
	return cmd, stdin, nil
}

// serveLocked has another process serve, locked up in a folder, and does here
// what takes the rest of the file system: the log, the pid file, reading the
// configuration again, and starting workers, which are locked up as well.
func (c *serveCmd) serveLocked(ctx context.Context, s *streams, cfg *conf.Config, ln net.Listener, logs io.Writer, origin string) (err error) {
	defer ln.Close()
	socket, err := ln.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		return err
	}
	defer socket.Close()
	outside, way, err := daemon.Passage()
	if err != nil {
		return err
	}
	defer outside.Close()
	defer way.Close()
	remove, err := writePid(cfg.Global.PidFile, s.err)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	cmd, config, err := c.insideCommand(ctx)
	if err != nil {
		return err
	}
	var ready atomic.Bool
	cmd.Stdout, cmd.Stderr = s.out, writerFunc(func(p []byte) (int, error) {
		if ready.Load() {
			return logs.Write(p)
		}
		return s.err.Write(p)
	})
	cmd.ExtraFiles = []*os.File{socket, way}
	if err := cmd.Start(); err != nil {
		return err
	}
	way.Close()
	ln.Close() // it listens in there
	log := slog.New(lineHandler(c.LogJSON || cfg.Global.LogJSON)(logs))
	go daemon.Attend(outside, func() {
		ready.Store(true)
		fmt.Fprintf(s.out, "listening on %s, %s\n", ln.Addr(), origin)
		tell(sd.SdNotifyReady)
	}, c.workerWords(cfg)...)
	defer c.reread(func(cfg *conf.Config, _ string) error { return daemon.WriteConfig(config, cfg) }, log)()
	defer context.AfterFunc(ctx, func() { tell(sd.SdNotifyStopping) })()
	writeErr := daemon.WriteConfig(config, cfg)
	if err := cmd.Wait(); err != nil && (ctx.Err() == nil || !cmd.ProcessState.Success()) {
		return fmt.Errorf("the daemon in %s: %w", cfg.Global.DaemonChroot, errors.Join(err, writeErr))
	}
	return nil
}

// writerFunc is a writer.
type writerFunc func([]byte) (int, error)

// Write implements [io.Writer].
func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// workerWords start a worker for a daemon that is locked up; none if it is not
// root's, and has none.
func (c *serveCmd) workerWords(cfg *conf.Config) []string {
	if cfg.Global.DaemonUID != "" || cfg.Global.DaemonGID != "" {
		return nil
	}
	words := []string{"worker", "--chroot", cfg.Global.DaemonChroot}
	if c.LogJSON || cfg.Global.LogJSON {
		words = append(words, "--log-json")
	}
	return words
}

// describeLocked has the daemon itself look at its files, where it sees them.
func (c *serveCmd) describeLocked(ctx context.Context, s *streams, cfg *conf.Config, origin string) error {
	cmd, config, err := c.insideCommand(ctx, "--check", origin)
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = s.out, s.err
	if err := cmd.Start(); err != nil {
		return err
	}
	writeErr := daemon.WriteConfig(config, cfg)
	config.Close()
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%s: daemon chroot: the configuration cannot be served from there: %w", cfg.Places["daemon chroot"], errors.Join(err, writeErr))
	}
	for _, n := range cfg.Notes {
		fmt.Fprintln(s.err, "warning:", n.Error())
	}
	return nil
}

// insideCmd is the daemon of serve under "daemon chroot".
type insideCmd struct {
	Status  string `help:"Where the status page is."`
	LogJSON bool   `name:"log-json" help:"Write the log as a JSON object a line."`
	Check   string `help:"Only say what would be served; this says where that comes from."`
}

// Run implements the verb.
func (c insideCmd) Run(ctx context.Context, s *streams) error {
	signal.Ignore(syscall.SIGHUP) // it is for who reads files
	from := json.NewDecoder(s.in)
	cfg, err := daemon.ReadConfig(from)
	if err != nil {
		return fmt.Errorf("inside is started by serve, not by hand: %w", err)
	}
	if c.Check != "" {
		if err := daemon.LockUp(cfg.Global.DaemonChroot); err != nil {
			return err
		}
		return (&serveCmd{}).describe(s, cfg, c.Check)
	}
	socket, way := os.NewFile(3, "socket"), os.NewFile(4, "way")
	ln, err := net.FileListener(socket)
	socket.Close()
	if err != nil {
		return err
	}
	outside, err := daemon.EnterBy(way)
	if err != nil {
		return err
	}
	watch, err := openWatch(ctx, cfg, c.Status)
	if err != nil {
		return err
	}
	if err := daemon.LockUp(cfg.Global.DaemonChroot); err != nil {
		return fmt.Errorf("daemon %w", err)
	}
	if err := become(cfg.Global.DaemonUID, cfg.Global.DaemonGID); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	log := slog.New(watch.handler(lineHandler(c.LogJSON || cfg.Global.LogJSON)(s.err)))
	srv := newServer(cfg, log, c.LogJSON)
	if os.Geteuid() == 0 {
		if err := daemon.KeepLittle(); err != nil {
			log.Warn("the daemon keeps root's capabilities", "err", err)
		}
		errs := watch.lines(s.err)
		srv.Worker = func(ctx context.Context, conn *os.File, job daemon.Job) error {
			return outside.Spawn(ctx, conn, job, errs)
		}
	}
	if err := srv.Check(cfg); err != nil {
		return err
	}
	log.Info("empegsync " + version + " starting, listening on " + ln.Addr().String() + ", locked up in " + cfg.Global.DaemonChroot)
	defer watch.run(ctx, srv)()
	go func() {
		defer cancel()
		replace(srv, from, log)
	}()
	watch.ready(s.out)
	if err := outside.Ready(); err != nil {
		return err
	}
	err = srv.Serve(ctx, ln)
	log.Info("stopped")
	return err
}

// replace has new configurations served as they come, until there are none to come.
func replace(srv *daemon.Server, from *json.Decoder, log *slog.Logger) {
	for {
		cfg, err := daemon.ReadConfig(from)
		if err != nil {
			return
		}
		err = srv.Reload(cfg)
		told(log, err, "from outside")
	}
}
