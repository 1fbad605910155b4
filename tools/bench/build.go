package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	modulePath = "github.com/empegsync/empegsync"
	armGoal    = 8 << 20 // bytes of the stripped binary
)

// findPrograms finds rsync and this program, and builds gokrazy/rsync if a
// pairing needs it.
func (b *bench) findPrograms(ctx context.Context) (err error) {
	if b.prog.rsync, err = exec.LookPath("rsync"); err != nil {
		return fmt.Errorf("rsync is what everything is compared with; install it: %w", err)
	}
	if b.prog.ours, err = os.Executable(); err != nil {
		return err
	}
	if b.prog.profile = b.cfg.profile; b.cfg.profile != "" {
		if err := os.MkdirAll(b.cfg.profile, 0o755); err != nil {
			return err
		}
	}
	for _, p := range b.cfg.pairings {
		if p.client == gokrazy || p.server == gokrazy {
			b.prog.gokrazy, err = b.buildGokrazy(ctx)
			return err
		}
	}
	return nil
}

func (b *bench) buildGokrazy(ctx context.Context) (string, error) {
	name := filepath.Join(b.dir, "gokr-rsync")
	if _, err := os.Stat(name); err == nil {
		return name, nil
	}
	return name, b.build(ctx, name, nil, "-modfile=tools/bench/gokrazy.mod", "github.com/gokrazy/rsync/cmd/gokr-rsync")
}

// memoryBuild is this program for the architecture whose memory is measured.
func (b *bench) memoryBuild(ctx context.Context) (string, error) {
	if b.cfg.memArch == "" {
		return b.prog.ours, nil
	}
	name := filepath.Join(b.dir, "bench-"+b.cfg.memArch)
	if _, err := os.Stat(name); err == nil {
		return name, nil
	}
	return name, b.build(ctx, name, []string{"GOARCH=" + b.cfg.memArch}, modulePath+"/tools/bench")
}

// armSize is the size of the binary for boards, in bytes.
func (b *bench) armSize(ctx context.Context) (int64, error) {
	fmt.Fprintln(b.say, "building the program for boards")
	mod, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return 0, fmt.Errorf("ask go where the module is: %w", err)
	}
	top := filepath.Dir(strings.TrimSpace(string(mod)))
	if out, err := exec.CommandContext(ctx, "make", "-s", "-C", top, "arm").CombinedOutput(); err != nil {
		return 0, fmt.Errorf("make arm: %w\n%s", err, out)
	}
	info, err := os.Stat(filepath.Join(top, "dist", "empegsync-linux-armv5"))
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// build runs go build at the top of the module's tree.
func (b *bench) build(ctx context.Context, to string, env []string, args ...string) error {
	fmt.Fprintln(b.say, "building", args[len(args)-1])
	mod, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return fmt.Errorf("ask go where the module is: %w", err)
	}
	top := filepath.Dir(strings.TrimSpace(string(mod)))
	if _, err := os.Stat(filepath.Join(top, "tools/bench/gokrazy.mod")); err != nil {
		return fmt.Errorf("call this inside the module's tree, which has the sources that it builds: %w", err)
	}
	cmd := exec.CommandContext(ctx, "go", append([]string{"build", "-buildvcs=false", "-o", to}, args...)...)
	cmd.Dir = top
	cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux"), env...)
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w: %s", args[len(args)-1], err, tail(string(said)))
	}
	return nil
}
