package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/empegsync/empegsync/pkg/boot"
	"github.com/empegsync/empegsync/pkg/install"
	"github.com/empegsync/empegsync/pkg/mounts"
	"github.com/empegsync/empegsync/pkg/role"
)

// startCmd is what the boot hook runs.
type startCmd struct {
	rootFlag
	Foreground bool   `help:"Stay in the foreground, with the log on standard error."`
	Address    string `placeholder:"HOST:PORT" help:"Listen here, whatever the configuration says. Port 0 lets the system choose."`
}

// Help is what --help tells of the verb.
func (startCmd) Help() string {
	return `Does in the background what the player's role asks for, as the boot hook has it:
the fix-ups of boot; serve, for a master; a first pull, for a slave that shall
pull at boot. A second start ends at once. The log goes to the configuration's
"log file", else to the kernel's log (dmesg).

Example:
  empegsync start`
}

// Run implements the verb.
func (c *startCmd) Run(ctx context.Context, s *streams) error {
	if !c.Foreground {
		return c.detach(s)
	}
	s = s.recorded()
	lock, err := c.lock()
	if err != nil {
		return err
	}
	defer lock.Close()
	set, _, err := c.settings()
	if err != nil {
		fmt.Fprintln(s.err, "empegsync:", err) // the fix-ups need no configuration
	}
	if set == nil {
		set = &role.Settings{}
	}
	c.boot(ctx, s, set, 0)
	var wg sync.WaitGroup
	if set.Role.Serves() {
		wg.Go(func() { c.serve(ctx, s) })
	}
	wg.Go(func() {
		c.boot(ctx, s, set, bootPatience)
		if set.Role.Pulls() && set.PullAtBoot {
			c.pull(ctx, s, set)
		}
	})
	wg.Wait()
	return nil
}

// How long a start waits: for an address, for the master, and between tries.
const (
	bootPatience   = 10 * time.Minute
	masterPatience = 10 * time.Minute
	firstPause     = time.Second
	longestPause   = 5 * time.Minute
)

// detach starts this program again in a session of its own, which no terminal
// ends, and leaves it to itself.
func (c *startCmd) detach(s *streams) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, "start", "--foreground", "--root", c.Root)
	if c.Address != "" {
		cmd.Args = append(cmd.Args, "--address", c.Address)
	}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	log, err := kernelLog()
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "started as process %d\n", cmd.Process.Pid)
	return cmd.Process.Release()
}

// kernelLog is where a program without a terminal can speak without ever waiting
// and without filling a disk.
func kernelLog() (*os.File, error) {
	const name = kernelLogName
	if info, err := os.Stat(name); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		if f, err := os.OpenFile(name, os.O_WRONLY, 0); err == nil {
			return f, nil
		}
	}
	return os.OpenFile(os.DevNull, os.O_WRONLY, 0)
}

// lock lets one start run on a player. It is flock(2) on the folder, which needs
// no file and keeps no drive from being remounted; the hook runs again whenever
// the player is restarted.
func (c *startCmd) lock() (*os.File, error) {
	dir, err := os.Open(c.below(install.Folder))
	if err != nil {
		return nil, fmt.Errorf("%w (is it installed? empegsync install)", err)
	}
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		dir.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errors.New("it runs already")
		}
		return nil, err
	}
	return dir, nil
}

// boot does the fix-ups, and waits for an address if told to.
func (c *startCmd) boot(ctx context.Context, s *streams, set *role.Settings, wait time.Duration) {
	system := boot.NewLinux(mounts.NewGuard(mounts.Linux{}, nil))
	err := boot.Run(ctx, system, c.Root, boot.Desired{Hostname: set.Hostname}, boot.Options{
		Wait: wait, Report: func(a boot.Action) { fmt.Fprintln(s.err, a) },
	})
	if err != nil && ctx.Err() == nil {
		report(err, s.err)
	}
}

// serve serves until it is told to stop. What keeps it from that may pass (an
// address that is not there yet, a configuration that is being written).
func (c *startCmd) serve(ctx context.Context, s *streams) {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := (&serveCmd{rootFlag: c.rootFlag, Address: c.Address}).Run(ctx, s)
		if ctx.Err() != nil {
			return
		}
		report(errors.Join(err, fmt.Errorf("next try in %v", pause)), s.err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// pull pulls once, as soon as the master answers; if it does not come within a
// while, it is not near.
func (c *startCmd) pull(ctx context.Context, s *streams, set *role.Settings) {
	if !near(ctx, set.Master) {
		fmt.Fprintf(s.out, "the master %s is not there; nothing is pulled\n", set.Master)
		return
	}
	p := &pullCmd{rootFlag: c.rootFlag, Delete: true, Update: true, Reindex: true, Restart: true, Timeout: 60}
	if err := p.Run(ctx, s); err != nil {
		report(err, s.err)
	}
}

// near waits until something listens at the master's address.
func near(ctx context.Context, master string) bool {
	remote, err := parseMaster(master)
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, masterPatience)
	defer cancel()
	for pause := firstPause; ; pause = min(2*pause, time.Minute) {
		dialer := net.Dialer{Timeout: 10 * time.Second}
		conn, err := dialer.DialContext(ctx, "tcp", remote.Address())
		if err == nil {
			conn.Close()
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(pause):
		}
	}
}
