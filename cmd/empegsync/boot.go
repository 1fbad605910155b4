package main

import (
	"context"
	"fmt"
	"time"

	"github.com/empegsync/empegsync/pkg/boot"
	"github.com/empegsync/empegsync/pkg/mounts"
)

// bootCmd puts a player's system right.
type bootCmd struct {
	rootFlag
	Hostname string        `placeholder:"NAME" help:"Hostname to set; else the player's own name from config.ini, else empeg."`
	DryRun   bool          `short:"n" help:"Show what would be done, change nothing."`
	Wait     bool          `help:"Wait for an own address to put into /etc/hosts, if there is none yet."`
	WaitTime time.Duration `default:"2m" placeholder:"TIME" help:"How long --wait waits (default 2m)."`
	System   bool          `help:"Set loopback and hostname also when --root is not /."`
}

// Help is what --help tells of the verb.
func (bootCmd) Help() string {
	return `Looks first, then does only what is missing; a second run does nothing.
A read-only root is made writable for the writing only.

Examples:
  empegsync boot -n       show what is missing
  empegsync boot --wait   do it, and wait for the network to come up`
}

// Run implements the verb.
func (b *bootCmd) Run(ctx context.Context, s *streams) error {
	if b.Hostname != "" {
		if err := boot.ValidateHostname(b.Hostname); err != nil {
			return &coded{err, exitUsage}
		}
	}
	system := boot.NewLinux(mounts.NewGuard(mounts.Linux{}, nil))
	n := 0
	options := boot.Options{DryRun: b.DryRun, System: b.System, Report: func(a boot.Action) {
		n++
		fmt.Fprintln(s.out, a)
	}}
	if b.Wait {
		options.Wait = b.WaitTime
	}
	err := boot.Run(ctx, system, b.Root, boot.Desired{Hostname: b.Hostname}, options)
	if n == 0 && err == nil {
		fmt.Fprintln(s.out, "nothing to do")
	}
	return err
}
