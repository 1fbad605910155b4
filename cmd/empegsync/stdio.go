package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/daemon"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	farend "github.com/empegsync/empegsync/pkg/rsync/server"
	handshake "github.com/empegsync/empegsync/pkg/rsync/session"
)

// stdio makes a connection of the streams that whoever started us holds.
func stdio(s *streams) (net.Conn, func(), error) {
	in, inOK := s.in.(*os.File)
	out, outOK := s.out.(*os.File)
	if !inOK || !outOK {
		return nil, nil, proto.Failf(proto.ExitIPC, "--server needs a real standard input and output")
	}
	conn, restore, err := farend.Stdio(in, out)
	return conn, restore, proto.Fail(proto.ExitIPC, err)
}

// serveStdio is the far end of somebody else's transfer.
func serveStdio(ctx context.Context, opt *options.Options, words []string, s *streams) int {
	conn, restore, err := stdio(s)
	if err != nil {
		return rsyncError(s.err, "rsync: "+err.Error(), proto.ExitCode(err), "server")
	}
	defer restore()
	if opt.Incomplete {
		if opt, err = farend.ReadSecluded(ctx, conn, words); err != nil {
			return rsyncError(s.err, "rsync: "+err.Error(), proto.ExitCode(err), "server")
		}
	}
	session := &farend.Session{Options: opt, Conn: conn, Err: s.err, Umask: umask()}
	if session.SumList, session.CompressList, err = handshake.EnvironmentLists(os.Getenv, true); err != nil {
		return rsyncError(s.err, "rsync: "+err.Error(), proto.ExitCode(err), "server")
	}
	return int(proto.ExitCode(session.Run(ctx)))
}

// shellConfig is what a daemon behind a remote shell reads for a user other
// than root, in the directory where it starts (rsync(1), --config).
const shellConfig = "rsyncd.conf"

// daemonStdio is a daemon for one connection, which a remote shell brings.
func daemonStdio(ctx context.Context, opt *options.Options, s *streams) int {
	c := &serveCmd{Config: opt.Config, over: opt.Over}
	c.Root = "/"
	if c.Config == "" {
		c.Config = "/etc/rsyncd.conf"
		if os.Geteuid() != 0 {
			c.Config = shellConfig
		}
	}
	cfg, _, err := c.load()
	if err != nil {
		return rsyncError(s.err, "rsync: "+err.Error(), proto.ExitSyntax, "daemon")
	}
	if cfg.Global.DaemonChroot != "" {
		return rsyncError(s.err, "rsync: "+cfg.Places["daemon chroot"]+": daemon chroot is for a daemon that listens; leave it out here", proto.ExitSyntax, "daemon")
	}
	conn, restore, err := stdio(s)
	if err != nil {
		return rsyncError(s.err, "rsync: "+err.Error(), proto.ExitCode(err), "daemon")
	}
	defer restore()
	// What goes wrong is told to the client; its terminal is no place for a log.
	logs := &logFile{name: cfg.Global.LogFile, spare: io.Discard}
	lines := lineHandler(cfg.Global.LogJSON)
	log := slog.New(lines(logs))
	srv := &daemon.Server{
		Config: cfg, Log: log, Lines: lines, Umask: umask(), Grace: grace, Motd: motd(cfg.Global.MotdFile, log), Worker: spawner(logs, cfg.Global.LogJSON),
	}
	if err := srv.ServeConn(ctx, conn, shellClient(os.Getenv)); err != nil {
		return rsyncError(s.err, "rsync: "+err.Error(), proto.ExitSyntax, "daemon")
	}
	return exitOK
}

// shellClient is the address of who has come over a remote shell, as sshd
// tells it (clientname.c:client_addr).
func shellClient(env func(string) string) string {
	for _, name := range []string{"REMOTE_HOST", "SSH_CONNECTION", "SSH_CLIENT", "SSH2_CLIENT"} {
		if words := strings.Fields(env(name)); len(words) > 0 {
			if _, err := netip.ParseAddr(words[0]); err == nil {
				return words[0]
			}
		}
	}
	return "0.0.0.0"
}

// runDaemon is "rsync --daemon": the verb serve in rsync's words, in the background
// unless --no-detach says otherwise.
func runDaemon(ctx context.Context, opt *options.Options, s *streams) int {
	out := io.Discard
	if !opt.NoDetach {
		if !inBackground() {
			if _, _, err := background(""); err != nil {
				return rsyncError(s.err, "rsync: the daemon: "+err.Error(), proto.ExitStartClient, "daemon")
			}
			return exitOK
		}
		out = leave{s.out}
	}
	c := &serveCmd{Config: opt.Config, over: opt.Over}
	c.Root = "/"
	cfg, _, err := c.load()
	if err != nil {
		return rsyncError(s.err, "rsync: "+err.Error(), proto.ExitSyntax, "daemon")
	}
	if opt.Port != 0 || opt.Address != "" {
		host, port := opt.Address, opt.Port
		if host == "" {
			host = cfg.Global.Address
		}
		if port == 0 {
			port = cfg.Global.Port
		}
		if port == 0 {
			port = 873
		}
		c.Address = net.JoinHostPort(host, strconv.Itoa(port))
	}
	if err := c.Run(ctx, &streams{s.in, out, s.err}); err != nil {
		return rsyncError(s.err, "rsync: "+err.Error(), proto.ExitSocketIO, "daemon")
	}
	return exitOK
}
