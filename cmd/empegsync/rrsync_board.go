//go:build board

package main

import (
	"context"
	"errors"
	"fmt"
)

// rrsyncCmd stands where restricted keys are served in the builds for PCs.
type rrsyncCmd struct {
	Words []string `arg:"" optional:"" passthrough:"" help:"Not in this build."`
}

// Help implements kong's detailed help.
func (rrsyncCmd) Help() string {
	return `This build is for boards and serves no restricted ssh keys; the one for PCs does.

Example:
  empegsync rrsync -ro /srv/music`
}

var errNoKeys = errors.New("this program is built for boards, without restricted ssh keys: take the build for PCs (make all), or build it with \"go build ./cmd/empegsync\"")

// Run implements the verb.
func (rrsyncCmd) Run() error { return &coded{errNoKeys, exitUsage} }

func runRrsync(_ context.Context, _ []string, s *streams) int {
	fmt.Fprintln(s.err, "rrsync:", errNoKeys)
	return exitUsage
}

// authorizeCmd stands where lines for such keys are made.
type authorizeCmd struct {
	Words []string `arg:"" optional:"" passthrough:"" help:"Not in this build."`
}

// Help implements kong's detailed help.
func (authorizeCmd) Help() string {
	return `This build is for boards and makes no lines of authorized_keys; the one for PCs does.

Example:
  empegsync authorize --key laptop.pub --ro /srv/music`
}

// Run implements the verb.
func (authorizeCmd) Run() error { return &coded{errNoKeys, exitUsage} }
