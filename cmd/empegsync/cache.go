//go:build !board

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/empegsync/empegsync/pkg/pkgcache/service"
	"github.com/empegsync/empegsync/pkg/pkgcache/settings"
	"github.com/empegsync/empegsync/pkg/verbs"
)

// cacheCmd is the package cache.
type cacheCmd struct {
	Serve  cacheServeCmd  `cmd:"" default:"withargs" help:"Serve: an HTTP proxy that fetches each package once."`
	Clean  cacheCleanCmd  `cmd:"" help:"Remove what no list names any more, and what a quota has no room for."`
	Import cacheImportCmd `cmd:"" help:"Take a folder of distfiles over, as repcacheman did."`
}

// cacheServeCmd takes http-replicator's options.
type cacheServeCmd struct {
	Dir      string   `short:"d" placeholder:"DIR" help:"Keep files here (/var/cache/http-replicator)."`
	User     string   `placeholder:"USER" help:"Run as this user once it listens."`
	Alias    []string `short:"a" sep:"none" placeholder:"DIR:NAME" help:"Publish a folder at http://HOST:PORT/NAME/; a NAME host/path keeps that mirror's files in it."`
	IP       []string `name:"ip" short:"i" sep:"none" placeholder:"ADDRESS" help:"Let this address use it: 10.13.18.7, 10.13.18.*, 10.13.18.0/24. This machine always may."`
	Port     int      `short:"p" placeholder:"PORT" help:"Listen on this port (8080)."`
	Address  string   `placeholder:"HOST" help:"Listen on this address only."`
	Static   bool     `short:"s" help:"Never ask again for what is there."`
	Flat     bool     `short:"f" help:"Name files by their own name alone."`
	External string   `short:"e" placeholder:"[USER:PASS@]HOST:PORT" help:"Reach upstream through this proxy."`
	Log      string   `placeholder:"FILE" help:"Log to this file."`
	Pid      string   `placeholder:"FILE" help:"Write the process number to this file."`
	Daemon   bool     `help:"Go on in the background."`
	Debug    bool     `help:"Log more."`
	Quiet    bool     `short:"q" help:"Log warnings and errors only."`
	Config   string   `placeholder:"FILE" type:"path" help:"Read this file, in the syntax of rsyncd.conf."`
	Confd    string   `placeholder:"FILE" type:"path" help:"Read http-replicator's file of /etc/conf.d as it stands."`
	Check    bool     `help:"Only read the configuration and say what would be served."`
	Explain  bool     `help:"List the parameters of the configuration file."`
}

// Help is what --help tells of the verb.
func (cacheServeCmd) Help() string {
	return `Clients use it as their HTTP proxy. What the options say comes after what files
say. Called by the name http-replicator, the program does the same.

Examples:
  empegsync cache --dir /var/cache/http-replicator --ip 10.13.18.* --port 8080
  empegsync cache --confd /etc/conf.d/http-replicator
  http_proxy=http://ws1:8080 emerge logrotate`
}

// Run implements the verb.
func (c *cacheServeCmd) Run(ctx context.Context, s *streams) (err error) {
	if c.Explain {
		_, err := fmt.Fprint(s.out, settings.Explain())
		return err
	}
	set, err := c.settings()
	if err != nil {
		return &coded{err, exitUsage}
	}
	out := s.out
	if c.Daemon && !c.Check {
		if !inBackground() {
			pid, line, err := background("") // relative names are those of whoever starts it
			if err == nil {
				fmt.Fprintf(s.out, "process %d is %s", pid, line)
			}
			return err
		}
		out = leave{s.out}
		if err := os.Chdir("/"); err != nil { // no folder stays busy
			return err
		}
	}
	logs := &logFile{name: set.Log, spare: s.err}
	log := slog.New(c.handler(logs, set))
	host, err := os.Hostname()
	if err != nil {
		host = "empegsync"
	}
	srv, err := service.New(set, host+":"+strconv.Itoa(set.Port), log)
	if err != nil {
		return err
	}
	if c.Check {
		fmt.Fprintf(s.out, "%s: port %d, folder %s, %d aliases, presets %s\n", host, set.Port, set.Dir, len(set.Aliases), strings.Join(set.Presets, " "))
		return srv.Close()
	}
	ln, err := srv.Listen(ctx)
	if err != nil {
		return errors.Join(err, srv.Close())
	}
	remove, err := writePid(set.Pid, s.err)
	if err != nil {
		return errors.Join(err, ln.Close(), srv.Close())
	}
	defer func() { err = errors.Join(err, remove()) }()
	if err := errors.Join(giveLogs(set), become(set.User, ""), c.tryLog(set)); err != nil {
		return errors.Join(err, ln.Close(), srv.Close())
	}
	fmt.Fprintf(out, "listening on %s, files are in %s\n", ln.Addr(), set.Dir)
	log.Info("empegsync " + version + " cache starting, listening on " + ln.Addr().String())
	var accessLog io.Writer
	if set.AccessLog != "" {
		accessLog = &logFile{name: set.AccessLog, spare: s.err}
	}
	err = srv.Serve(ctx, ln, grace, accessLog)
	log.Info("stopped")
	return err
}

// giveLogs makes the log files that are not there yet, for the user who will write
// them: in /var/log only root can.
func giveLogs(set *settings.Settings) error {
	if set.User == "" || os.Geteuid() != 0 {
		return nil
	}
	uid, groups, err := identityOf(set.User)
	if err != nil {
		return err
	}
	for _, name := range []string{set.Log, set.AccessLog} {
		if name == "" {
			continue
		}
		f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY|syscall.O_NOFOLLOW, 0o644)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("make the log file: %w", err)
		}
		if err := errors.Join(f.Chown(uid, groups[0]), f.Close()); err != nil {
			return fmt.Errorf("give the log file to %s: %w", set.User, err)
		}
	}
	return nil
}

// tryLog says now what could be said nowhere once it is in the background.
func (c *cacheServeCmd) tryLog(set *settings.Settings) error {
	if !c.Daemon || set.Log == "" {
		return nil
	}
	f, err := os.OpenFile(set.Log, os.O_APPEND|os.O_CREATE|os.O_WRONLY|syscall.O_NOFOLLOW, 0o644)
	if err != nil {
		return fmt.Errorf("the log file cannot be written: %w; give it to the user that the cache runs as", err)
	}
	return f.Close()
}

func (c *cacheServeCmd) handler(to *logFile, set *settings.Settings) slog.Handler {
	opt := &slog.HandlerOptions{Level: slog.LevelInfo}
	switch {
	case set.Debug:
		opt.Level = slog.LevelDebug
	case c.Quiet:
		opt.Level = slog.LevelWarn
	}
	if set.LogJSON {
		return slog.NewJSONHandler(to, opt)
	}
	return slog.NewTextHandler(to, opt)
}

// settings puts together what the files and the options say.
func (c *cacheServeCmd) settings() (*settings.Settings, error) {
	set := settings.Default()
	if c.Confd != "" {
		text, err := os.ReadFile(c.Confd)
		if err != nil {
			return nil, err
		}
		words, err := settings.ConfD(c.Confd, string(text))
		if err != nil {
			return nil, err
		}
		var from cacheServeCmd
		line, err := verbs.New(&from)
		if err != nil {
			return nil, err
		}
		if _, err := line.Parse(words); err != nil {
			return nil, fmt.Errorf("%s: %w", c.Confd, err)
		}
		if from.Confd != "" {
			return nil, fmt.Errorf("%s: --confd cannot stand in this file", c.Confd)
		}
		if err := from.apply(set); err != nil {
			return nil, fmt.Errorf("%s: %w", c.Confd, err)
		}
		c.Daemon = c.Daemon || from.Daemon
	}
	if err := c.apply(set); err != nil {
		return nil, err
	}
	return set, set.Absolute()
}

// apply adds what one command line says.
func (c *cacheServeCmd) apply(set *settings.Settings) error {
	if c.Config != "" {
		text, err := os.ReadFile(c.Config)
		if err != nil {
			return fmt.Errorf("read the configuration: %w", err)
		}
		if err := set.Read(c.Config, text); err != nil {
			return err
		}
	}
	for to, v := range map[*string]string{&set.Dir: c.Dir, &set.User: c.User, &set.Address: c.Address, &set.Log: c.Log, &set.Pid: c.Pid} {
		if v != "" {
			*to = v
		}
	}
	if c.Port != 0 {
		set.Port = c.Port
	}
	set.Static, set.Flat, set.Debug = set.Static || c.Static, set.Flat || c.Flat, set.Debug || c.Debug
	var all error
	for _, v := range c.Alias {
		all = errors.Join(all, set.AddAlias(v))
	}
	for _, v := range c.IP {
		if err := set.Access.Add(v); err != nil {
			all = errors.Join(all, fmt.Errorf("--ip: %w", err))
		}
	}
	if c.External != "" {
		all = errors.Join(all, set.SetParent(c.External))
	}
	return all
}
