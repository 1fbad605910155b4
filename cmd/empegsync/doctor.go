package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/empegsync/empegsync/pkg/doctor"
	"github.com/empegsync/empegsync/pkg/rsync/client"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
)

// doctorCmd finds out why rsync over a remote shell does not work.
type doctorCmd struct {
	Host      string `arg:"" help:"The host: HOST or USER@HOST; with :PATH or ::MODULE to try that."`
	Rsh       string `short:"e" placeholder:"COMMAND" help:"The remote shell, such as \"ssh -i KEY\"."`
	RsyncPath string `placeholder:"PROGRAM" help:"The rsync to run there."`
	Protocol  int    `placeholder:"NUM" help:"Highest protocol version to speak."`
	Leave     bool   `help:"Send a file even where the key does not let it be removed again: it stays there."`
	JSON      bool   `name:"json" help:"Print the checks as JSON."`
	Timeout   int    `default:"20" placeholder:"SECONDS" help:"Give up a check after so long (default 20)."`
}

// Help is what --help tells of the verb.
func (doctorCmd) Help() string {
	return `A line a check: ok, or what is wrong and the line to change in which file. The exit
code is 0 if a backup would work, else 1. It writes one small file to a temporary
folder there, fetches it, and takes it away again. Where a key's forced command is
rrsync or a daemon, that folder is .empegsync-doctorN in the key's folder or each
writable module (or in the one that you name); where the key deletes nothing no file
is sent without --leave.

Examples:
  empegsync doctor root@host -e "ssh -i KEY"
  empegsync doctor host:photos/ -e "ssh -i KEY"
  empegsync doctor host::music --leave
  empegsync doctor host --rsync-path=/usr/local/bin/rsync`
}

// Run implements the verb.
func (d *doctorCmd) Run(ctx context.Context, s *streams) error {
	host, module, ok := d.place()
	if !ok || d.Timeout < 1 {
		return &coded{fmt.Errorf("doctor needs a host, such as root@host, host:folder/ or host::module, and a --timeout of a second or more, not %q", d.Host), exitUsage}
	}
	if d.Protocol != 0 {
		if err := proto.CheckOwn(d.Protocol); err != nil {
			return &coded{err, exitUsage}
		}
	}
	job := &doctor.Job{
		Host: host, Module: module, Leave: d.Leave, Options: &options.Options{Shell: d.Rsh, RsyncPath: d.RsyncPath, Protocol: d.Protocol},
		Shell: client.Shell{Default: os.Getenv("RSYNC_RSH")}, Timeout: time.Duration(d.Timeout) * time.Second, Now: time.Now,
	}
	report, err := job.Run(ctx)
	if err != nil {
		return err
	}
	if d.JSON {
		text, err := json.MarshalIndent(report, "", "  ")
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "%s\n", text)
	} else {
		report.Text(s.out)
	}
	if !report.OK {
		return &coded{fmt.Errorf("a backup of %s would not work", report.Host), exitFailed}
	}
	return nil
}

// place reads the host, and what is to be tried of it.
func (d *doctorCmd) place() (host client.Remote, module string, ok bool) {
	for _, arg := range []string{d.Host, d.Host + ":"} {
		r, remote, err := client.ParsePlace(arg)
		if err != nil || !remote || strings.Contains(arg, "://") {
			continue
		}
		if !r.Shell {
			module := strings.TrimSuffix(r.Module+"/"+strings.TrimPrefix(r.Path, "/"), "/")
			return client.Remote{User: r.User, Host: r.Host}, module, module != ""
		}
		return r, "", true
	}
	return client.Remote{}, "", false
}
