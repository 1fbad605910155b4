package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"

	"github.com/empegsync/empegsync/pkg/mounts"
	"github.com/empegsync/empegsync/pkg/player"
	"github.com/empegsync/empegsync/pkg/role"
	"github.com/empegsync/empegsync/pkg/rsync/conf"
	"github.com/empegsync/empegsync/pkg/rsync/daemon"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

// serveCmd is the daemon.
type serveCmd struct {
	rootFlag
	Config  string   `placeholder:"FILE" type:"path" help:"The rsyncd.conf; else the configuration of the installed player, else /etc/rsyncd.conf below the root, else the drives that are there, read only."`
	Address string   `placeholder:"HOST:PORT" help:"Listen here, whatever the file says. Port 0 lets the system choose."`
	Status  string   `placeholder:"[HOST:]PORT" help:"Show how it does on a page there; without HOST to this machine only."`
	LogJSON bool     `name:"log-json" help:"Write the log as a JSON object a line."`
	over    []string // parameters that count more than the file's, "name=value"
	Check   bool     `help:"Only read the configuration and say what would be served."`
}

// Help is what --help tells of the verb.
func (serveCmd) Help() string {
	return `Serves in the foreground until it is told to stop (SIGTERM or Ctrl-C). The log
goes to the file's "log file", else to standard error. Without a terminal, a
hangup (kill -HUP) has it read the configuration again. With --status, or "status
address" in the file, http://127.0.0.1:PORT/ shows who is connected and what
moves, and /metrics the same for Prometheus.

Examples:
  empegsync serve
  empegsync serve --status 8731
  empegsync serve --config /etc/rsyncd.conf --address 0.0.0.0:8730`
}

// grace is how long running transfers may go on at the end.
const grace = 10 * time.Second

// Run implements the verb.
func (c *serveCmd) Run(ctx context.Context, s *streams) (err error) {
	cfg, origin, err := c.load()
	if err != nil {
		return err
	}
	if err := checkLock(cfg); err != nil {
		return err
	}
	switch {
	case c.Check && cfg.Global.DaemonChroot != "":
		return c.describeLocked(ctx, s, cfg, origin)
	case c.Check:
		return c.describe(s, cfg, origin)
	}
	// Whatever directory we were started in: a drive must not stay busy.
	if err := os.Chdir("/"); err != nil {
		return err
	}
	logs := serverLog(cfg, s.err)
	ln, err := c.listen(ctx, cfg.Global)
	if err != nil {
		return err
	}
	if cfg.Global.DaemonChroot != "" {
		return c.serveLocked(ctx, s, cfg, ln, logs, origin)
	}
	watch, err := openWatch(ctx, cfg, c.Status)
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	remove, err := writePid(cfg.Global.PidFile, s.err)
	if err != nil {
		return errors.Join(err, ln.Close(), watch.close())
	}
	defer func() { err = errors.Join(err, remove()) }()
	if err := become(cfg.Global.DaemonUID, cfg.Global.DaemonGID); err != nil {
		return errors.Join(err, ln.Close(), watch.close())
	}
	fmt.Fprintf(s.out, "listening on %s, %s\n", ln.Addr(), origin)
	watch.ready(s.out)
	json := c.LogJSON || cfg.Global.LogJSON
	log := slog.New(watch.handler(lineHandler(json)(logs)))
	log.Info("empegsync " + version + " starting, listening on " + ln.Addr().String())
	srv := newServer(cfg, log, c.LogJSON)
	srv.Worker = spawner(watch.lines(logs), json)
	defer watch.run(ctx, srv)()
	defer c.reread(func(cfg *conf.Config, origin string) error {
		err := srv.Reload(cfg)
		told(log, err, origin)
		return nil
	}, log)()
	tell(sd.SdNotifyReady)
	stopping := sync.OnceFunc(func() { tell(sd.SdNotifyStopping) })
	defer context.AfterFunc(ctx, stopping)()
	err = srv.Serve(ctx, ln)
	stopping()
	log.Info("stopped")
	return err
}

// newServer is a daemon without workers.
func newServer(cfg *conf.Config, log *slog.Logger, json bool) *daemon.Server {
	return &daemon.Server{
		Config: cfg, Log: log, Lines: lineHandler(json || cfg.Global.LogJSON), Umask: umask(), Grace: grace, Motd: motd(cfg.Global.MotdFile, log),
	}
}

// serverLog is where a daemon's log goes: the configuration's file, else the
// system's log if it names that, else spare.
func serverLog(cfg *conf.Config, spare io.Writer) io.Writer {
	tag, name := cfg.Defaults.SyslogTag, cfg.Defaults.SyslogFacility
	if cfg.Global.LogFile != "" || tag == "" && name == "" {
		return &logFile{name: cfg.Global.LogFile, spare: spare}
	}
	number, _ := facility(cmp.Or(name, "daemon")) // checkSyslog has looked
	return &syslogFile{socket: "/dev/log", facility: number, tag: cmp.Or(tag, "rsyncd"), spare: spare}
}

// checkSyslog looks at what is said of the system's log: one log for all.
func checkSyslog(cfg *conf.Config) error {
	var errs []error
	if name := cfg.Defaults.SyslogFacility; name != "" {
		if _, ok := facility(name); !ok {
			errs = append(errs, fmt.Errorf("syslog facility: there is no %q; it is daemon, auth, cron, ftp, user, local0 to local7 and the like", name))
		}
	}
	for _, m := range cfg.Modules {
		if m.SyslogFacility != cfg.Defaults.SyslogFacility || m.SyslogTag != cfg.Defaults.SyslogTag {
			errs = append(errs, fmt.Errorf("%s:%d: module [%s]: the system's log is one for all modules: set \"syslog facility\" and \"syslog tag\" in the global part", m.File, m.Line, m.Name))
		}
	}
	return errors.Join(errs...)
}

// reread has the configuration read again at each hangup, until the function
// that it returns is called, and handed to apply. One that cannot be used changes
// nothing.
func (c *serveCmd) reread(apply func(cfg *conf.Config, origin string) error, log *slog.Logger) (stop func()) {
	if hangupEnds() {
		return func() {}
	}
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		for range hangups {
			tell(sd.SdNotifyReloading + "\nMONOTONIC_USEC=" + strconv.FormatInt(monotonic(), 10))
			cfg, origin, err := c.load()
			if err == nil {
				err = apply(cfg, origin)
			}
			if err != nil {
				told(log, err, origin)
			}
			tell(sd.SdNotifyReady)
		}
	}()
	return func() {
		signal.Stop(hangups)
		close(hangups)
	}
}

// told writes down how reading the configuration again has gone.
func told(log *slog.Logger, err error, origin string) {
	if err == nil {
		log.Info("the configuration has been read again, " + origin)
		return
	}
	for line := range strings.Lines(err.Error()) {
		log.Error("the configuration is not read again: " + strings.TrimSpace(line))
	}
	log.Error("the old configuration stays in force")
}

// hangupEnds reports whether a hangup means that the terminal is gone, or means
// nothing, as under nohup. Without a terminal it asks a daemon to read its
// configuration again.
func hangupEnds() bool {
	if signal.Ignored(syscall.SIGHUP) {
		return true
	}
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	tty.Close()
	return true
}

// lineHandler makes the handlers of a daemon's logs.
func lineHandler(json bool) func(io.Writer) slog.Handler {
	if json {
		return daemon.NewJSONHandler
	}
	return daemon.NewLogHandler
}

// spawner starts the workers of a daemon: this program's verb of that name.
func spawner(stderr io.Writer, json bool) func(context.Context, *os.File, daemon.Job) error {
	words := []string{"worker"}
	if json {
		words = append(words, "--log-json")
	}
	return func(ctx context.Context, conn *os.File, job daemon.Job) error {
		return daemon.Spawn(ctx, conn, job, stderr, words...)
	}
}

// load reads the configuration, or makes one of the drives.
func (c *serveCmd) load() (*conf.Config, string, error) {
	name := c.Config
	if name == "" {
		set, name, err := c.settings()
		if err != nil || set != nil {
			return daemonOf(set), "serving the modules of " + name, err
		}
	}
	if name == "" {
		name = filepath.Join(c.Root, "etc/rsyncd.conf")
	}
	text, err := source{}.Read(name)
	if errors.Is(err, fs.ErrNotExist) && c.Config == "" {
		cfg, err := c.drives()
		return cfg, "serving the drives read only", err
	}
	if err != nil {
		return nil, "", fmt.Errorf("read the configuration: %w", err)
	}
	cfg, err := conf.ParseOver(name, text, source{}, c.over)
	if err != nil {
		return nil, "", err
	}
	if err := errors.Join(checkSyslog(cfg), checkWatch(cfg)); err != nil {
		return nil, "", err
	}
	cfg.Global = cfg.Global.Expanded(source{}.Env)
	for i := range cfg.Modules {
		cfg.Modules[i] = cfg.Modules[i].Expanded(source{}.Env)
	}
	return cfg, "serving the modules of " + name, nil
}

// daemonOf is what the configuration of an installed player serves.
func daemonOf(set *role.Settings) *conf.Config {
	if set == nil {
		return nil
	}
	return set.Daemon
}

// drives makes a read-only module of each drive.
func (c *serveCmd) drives() (*conf.Config, error) {
	p, err := player.Open(c.Root, mounts.NewGuard(mounts.Linux{}, nil))
	if err != nil {
		return nil, err
	}
	drives, err := p.Drives()
	if err != nil {
		return nil, err
	}
	if len(drives) == 0 {
		return nil, fmt.Errorf("there is nothing to serve: no %s, and no drive0 or drive1 with music below %s",
			filepath.Join(c.Root, "etc/rsyncd.conf"), c.Root)
	}
	cfg := &conf.Config{}
	for _, d := range drives {
		cfg.Modules = append(cfg.Modules, conf.Module{
			Name: d.Name, Path: d.Path, Comment: "music of " + d.Name, ReadOnly: true, List: true, MaxVerbosity: 1,
			UID: fmt.Sprint(os.Geteuid()), GID: fmt.Sprint(os.Getegid()),
			UseChroot: conf.No, MungeSymlinks: conf.No,
		})
	}
	return cfg, nil
}

// describe says what would be served, in full, and what in it is dangerous.
func (c *serveCmd) describe(s *streams, cfg *conf.Config, origin string) error {
	srv := &daemon.Server{Log: slog.New(daemon.NewLogHandler(s.err))}
	if err := srv.Check(cfg); err != nil {
		return err
	}
	fmt.Fprintln(s.out, origin)
	for _, m := range cfg.Modules {
		how := "read only"
		switch {
		case !m.ReadOnly && m.WriteOnly:
			how = "write only"
		case !m.ReadOnly:
			how = "read and write"
		}
		state := ""
		if info, err := os.Stat(m.Path); err != nil || !info.IsDir() {
			state = "  (not there now)"
		}
		fmt.Fprintf(s.out, "  %-15s %s, %s%s\n", m.Name, m.Path, how, state)
	}
	fmt.Fprintf(s.out, "\n%s", cfg.Text())
	local, err := net.InterfaceAddrs()
	if err != nil {
		fmt.Fprintf(s.err, "warning: which addresses this machine has is not known: %v\n", err)
	}
	for _, d := range daemon.Dangers(cfg, local) {
		fmt.Fprintln(s.err, "warning:", d)
	}
	return nil
}

// source gives the configuration what it asks for.
type source struct{}

// Env implements conf.Source.
func (source) Env(name string) (string, bool) { return os.LookupEnv(name) }

// Read implements conf.Source.
func (source) Read(path string) ([]byte, error) {
	f, err := rootfs.Operator{}.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// List implements conf.Source.
func (source) List(path string) (names []string, dir bool, err error) {
	info, err := rootfs.Operator{}.Stat(path)
	if err != nil || !info.IsDir() {
		return nil, false, err
	}
	f, err := rootfs.Operator{}.Open(path)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	slices.SortFunc(entries, func(a, b os.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, true, err
}

// motd returns the message of the day's reader, nil if there is none.
func motd(file string, log *slog.Logger) func() string {
	if file == "" {
		return nil
	}
	return func() string {
		text, err := source{}.Read(file)
		if err != nil {
			log.Warn("motd file", "err", err)
			return ""
		}
		return string(text[:min(len(text), 16*1024)]) + "\n" // clientserver.c:output_motd
	}
}
