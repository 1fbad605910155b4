package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the command without the process around it; it returns the exit code.
func run(ctx context.Context, args []string, out, errOut io.Writer) int {
	fs := flag.NewFlagSet("compare", flag.ContinueOnError)
	fs.SetOutput(errOut)
	seed := fs.Uint64("seed", 1, "the first `seed`")
	runs := fs.Int("runs", 1, "how many jobs, one a seed")
	ours := fs.String("ours", "bin/empegsync", "our `program`")
	rsync := fs.String("rsync", "/usr/bin/rsync", "rsync 3.5.0")
	dir := fs.String("dir", "", "where to work (default: a new temporary `folder`)")
	patience := fs.Duration("patience", time.Minute, "how long a run may take before it counts as one that hangs")
	small := fs.Duration("shrink", time.Minute, "how long to make a failed job smaller")
	verbose := fs.Bool("v", false, "print every job's script")
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil || fs.NArg() > 0 {
		return 2
	}
	b, done, err := newBench(*dir, *rsync, *ours, *patience)
	if err != nil {
		fmt.Fprintln(errOut, "compare:", err)
		return 2
	}
	defer done()
	t := &tally{bench: b, out: out, shrink: *small, verbose: *verbose}
	for i := range *runs {
		if err := t.try(ctx, newJob(*seed+uint64(i))); err != nil {
			fmt.Fprintf(errOut, "compare: seed %d: %v\n", *seed+uint64(i), err)
			return 2
		}
	}
	fmt.Fprintf(out, "%d jobs: %d alike (%d of them refused by both), %d known to differ, %d that rsync does not do twice alike, %d FAILED\n",
		*runs, t.alike, t.refused, t.known, t.unsteady, t.failed)
	if t.failed > 0 {
		return 1
	}
	return 0
}

// newBench makes the folder to work in, where our program has rsync's name.
func newBench(dir, rsync, ours string, patience time.Duration) (*bench, func(), error) {
	made := func() {}
	if dir == "" {
		d, err := os.MkdirTemp("", "compare")
		if err != nil {
			return nil, nil, err
		}
		dir, made = d, func() { os.RemoveAll(d) }
	}
	program, err := filepath.Abs(ours)
	if err == nil {
		_, err = os.Stat(program)
	}
	if err == nil {
		err = os.MkdirAll(filepath.Join(dir, "bin"), 0o755)
	}
	name := filepath.Join(dir, "bin/rsync")
	if err == nil {
		os.Remove(name)
		err = os.Symlink(program, name)
	}
	if err != nil {
		made()
		return nil, nil, err
	}
	return &bench{dir: dir, rsync: rsync, ours: name, patience: patience}, made, nil
}
