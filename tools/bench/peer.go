package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
	"time"

	"github.com/empegsync/empegsync/pkg/rsync/client"
	"github.com/empegsync/empegsync/pkg/rsync/conf"
	"github.com/empegsync/empegsync/pkg/rsync/daemon"
	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
	"github.com/empegsync/empegsync/pkg/rsync/server"
	"github.com/empegsync/empegsync/pkg/rsync/transfer"
)

// account is what our client tells of itself when it is done, as JSON.
type account struct {
	Read int64 `json:"read"` // bytes from the wire
	HWM  int64 `json:"hwm"`  // peak resident memory in bytes
}

// profiles are the flags for pprof.
type profiles struct{ cpu, mem string }

func (p *profiles) flags(fs *flag.FlagSet) {
	fs.StringVar(&p.cpu, "cpuprofile", "", "write a processor profile to this `file`")
	fs.StringVar(&p.mem, "memprofile", "", "write a profile of allocations to this `file`")
}

// around runs f with the profiles that are wanted.
func (p *profiles) around(f func() error) (err error) {
	if p.cpu != "" {
		file, err := os.Create(p.cpu)
		if err != nil {
			return err
		}
		defer file.Close()
		if err := pprof.StartCPUProfile(file); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	if err := f(); err != nil || p.mem == "" {
		return err
	}
	file, err := os.Create(p.mem)
	if err != nil {
		return err
	}
	return errors.Join(pprof.Lookup("allocs").WriteTo(file, 0), file.Close())
}

// tuneMemory does what cmd/empegsync does.
func tuneMemory() {
	switch {
	case os.Getenv("GOGC") != "":
	case strconv.IntSize == 32:
		debug.SetGCPercent(50)
	default:
		debug.SetGCPercent(200)
	}
}

// peer is our side of a pairing, in a process of its own. Its exit code is
// rsync's.
func peer(ctx context.Context, args []string, out, errOut io.Writer) int {
	tuneMemory()
	var err error
	switch {
	case len(args) > 0 && args[0] == "pull":
		err = pull(ctx, args[1:], out, errOut)
	case len(args) > 0 && args[0] == "serve":
		err = serve(ctx, args[1:], out, errOut)
	default:
		err = proto.Fail(proto.ExitSyntax, errors.New("peer is followed by pull or serve"))
	}
	if err != nil {
		fmt.Fprintln(errOut, "bench peer:", err)
	}
	return int(proto.ExitCode(err))
}

// pull copies like rsync OPTIONS rsync://HOST:PORT/MODULE/ FOLDER.
func pull(ctx context.Context, args []string, out, errOut io.Writer) error {
	fs := flag.NewFlagSet("peer pull", flag.ContinueOnError)
	fs.SetOutput(errOut)
	var prof profiles
	prof.flags(fs)
	// What follows "--" is rsync's.
	if err := fs.Parse(args); err != nil {
		return proto.Fail(proto.ExitSyntax, err)
	}
	opt, err := options.Parse(fs.Args())
	if err != nil {
		var oe *options.Error
		if errors.As(err, &oe) && oe.Kind == options.Unsupported {
			return proto.Fail(proto.ExitUnsupported, err)
		}
		return proto.Fail(proto.ExitSyntax, err)
	}
	if len(opt.Args) != 2 {
		return proto.Failf(proto.ExitSyntax, "pull needs a source and a folder, not %q", opt.Args)
	}
	from, ok, err := client.ParseRemote(opt.Args[0])
	if err != nil || !ok {
		return proto.Failf(proto.ExitSyntax, "%q is no rsync:// source: %w", opt.Args[0], err)
	}
	root, err := rootfs.Open(opt.Args[1])
	if err != nil {
		return proto.Fail(proto.ExitFileSelect, err)
	}
	defer root.Close()
	return prof.around(func() error {
		c := &client.Client{Options: opt, Umask: 0o022, Observer: quiet{errOut}}
		st, err := c.Pull(ctx, []client.Remote{from}, transfer.Dest{Root: root, Aside: server.Aside(opt.Args[1], server.Operator(opt))})
		if err != nil {
			return err
		}
		hwm, err := peakMemory(os.Getpid())
		if err != nil {
			return err
		}
		return json.NewEncoder(out).Encode(account{Read: st.Read, HWM: hwm})
	})
}

// serve is a daemon with one module. It prints its address as the first line
// and ends by SIGTERM.
func serve(ctx context.Context, args []string, out, errOut io.Writer) error {
	fs := flag.NewFlagSet("peer serve", flag.ContinueOnError)
	fs.SetOutput(errOut)
	var prof profiles
	prof.flags(fs)
	module := fs.String("module", "", "serve `NAME=DIR`")
	if err := fs.Parse(args); err != nil {
		return proto.Fail(proto.ExitSyntax, err)
	}
	name, dir, ok := strings.Cut(*module, "=")
	if !ok || fs.NArg() > 0 || !filepath.IsAbs(dir) {
		return proto.Failf(proto.ExitSyntax, "serve needs -module NAME=/DIR and nothing else")
	}
	cfg, err := conf.Parse("bench", []byte(daemonConf(name, dir)), nil)
	if err != nil {
		return proto.Fail(proto.ExitSyntax, err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return proto.Fail(proto.ExitSocketIO, err)
	}
	fmt.Fprintln(out, ln.Addr())
	srv := &daemon.Server{
		Config: cfg, Umask: 0o022, Grace: time.Second,
		Log: slog.New(slog.NewTextHandler(errOut, &slog.HandlerOptions{Level: slog.LevelError})),
	}
	return prof.around(func() error { return srv.Serve(ctx, ln) })
}

// daemonConf is an rsyncd.conf that rsync and our daemon read alike.
func daemonConf(module, dir string) string {
	return fmt.Sprintf("uid = %d\ngid = %d\n[%s]\npath = %s\nread only = yes\nuse chroot = no\n",
		os.Geteuid(), os.Getegid(), module, dir)
}

// quiet is an observer that passes on messages only.
type quiet struct{ out io.Writer }

func (quiet) Listed(int, bool)                 {}
func (quiet) Item(*filelist.Entry, proto.Item) {}
func (quiet) Data(*filelist.Entry, int64)      {}
func (quiet) Deleted(string, uint32)           {}
func (q quiet) Message(_ proto.Tag, text string) {
	fmt.Fprintln(q.out, text)
}
