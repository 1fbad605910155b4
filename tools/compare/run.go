package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// bench is where jobs are done.
type bench struct {
	dir         string // the sandbox is dir/world
	rsync, ours string
	patience    time.Duration // then a run counts as one that hangs
}

// outcome is what doing a job comes to.
type outcome struct {
	tree, lines []string
	codes       []int
	hung        bool
	errs        string
}

// do does a job from the start, as rsync alone would or with us.
func (b *bench) do(ctx context.Context, j *job, withUs bool) (*outcome, error) {
	client, server := b.rsync, b.rsync
	if withUs && j.way.client {
		client = b.ours
	}
	if withUs && j.way.server {
		server = b.ours
	}
	world := filepath.Join(b.dir, "world")
	if err := os.RemoveAll(world); err != nil {
		return nil, err
	}
	if err := os.Mkdir(world, 0o755); err != nil {
		return nil, err
	}
	for name, text := range map[string]string{"rsh": remoteShell, "conf": configuration(b.dir)} {
		if err := os.WriteFile(filepath.Join(b.dir, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	if err := lay(world, j.nodes); err != nil {
		return nil, err
	}
	o := &outcome{}
	for _, words := range j.commands(client, server, world) {
		var out, errs bytes.Buffer
		ctx, cancel := context.WithTimeout(ctx, b.patience)
		cmd := exec.CommandContext(ctx, words[0], words[1:]...)
		cmd.Dir, cmd.Stdout, cmd.Stderr = world, &out, &errs
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "HOME=" + b.dir, "TZ=UTC"}
		if j.way.over == "daemon" {
			cmd.Env = append(cmd.Env, fmt.Sprintf("RSYNC_CONNECT_PROG=%s --server --daemon --config=%s/conf .", server, b.dir))
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
		cmd.WaitDelay = 5 * time.Second
		err := cmd.Run()
		o.hung = o.hung || ctx.Err() != nil
		cancel()
		var ended *exec.ExitError
		if err != nil && !errors.As(err, &ended) && !errors.Is(err, exec.ErrWaitDelay) {
			return nil, err
		}
		o.codes = append(o.codes, cmd.ProcessState.ExitCode())
		o.lines = append(o.lines, settled(out.String())...)
		o.errs += errs.String()
	}
	if err := waitForOthers(b.dir); err != nil {
		return nil, err
	}
	tree, err := look(world)
	o.tree = tree
	return o, err
}

// waitForOthers waits until no process works below dir any more: a server may
// still be at it when its client has gone.
func waitForOthers(dir string) error {
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		links, err := filepath.Glob("/proc/[0-9]*/cwd")
		if err != nil {
			return err
		}
		busy := false
		for _, l := range links {
			at, err := os.Readlink(l)
			busy = busy || err == nil && strings.HasPrefix(at, dir+"/")
		}
		if !busy {
			return nil
		}
	}
	return errors.New("a process still works in " + dir)
}
