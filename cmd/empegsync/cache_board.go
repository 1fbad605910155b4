//go:build board

package main

import "errors"

// cacheCmd stands where the package cache is in the builds for PCs: what it needs
// of net/http would add half of its size to a board's program.
type cacheCmd struct {
	Words []string `arg:"" optional:"" passthrough:"" help:"Not in this build."`
}

// Help is what --help tells of the verb.
func (cacheCmd) Help() string {
	return `This build is for boards and has no package cache; the one for PCs has.

Example:
  empegsync cache --dir /var/cache/http-replicator`
}

// Run implements the verb.
func (cacheCmd) Run(*streams) error {
	return &coded{errors.New("this program is built for boards, without the package cache: take the build for PCs (make all), or build it with \"go build ./cmd/empegsync\""), exitUsage}
}
