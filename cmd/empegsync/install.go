package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/empegsync/empegsync/pkg/install"
	"github.com/empegsync/empegsync/pkg/mounts"
	"github.com/empegsync/empegsync/pkg/role"
)

// installCmd lays the program on a player.
type installCmd struct {
	rootFlag
	From   string `placeholder:"FILE" type:"path" help:"The program to install; else this one."`
	DryRun bool   `short:"n" help:"Show what would be done, with the text of every file; change nothing."`
	Role   string `enum:"master,slave,both," default:"" placeholder:"ROLE" help:"What the player shall be: master (default), slave or both. A configuration that is there is kept."`
	Master string `placeholder:"HOST" help:"Whom a slave pulls from."`
}

// Help is what --help tells of the verb.
func (installCmd) Help() string {
	return `Puts the program into /drive0/empegsync, links it into the path, and has the
player start it at boot: by /etc/preinit.d where there is one, else by a wrapper
around /empeg/bin/player. Whatever happens to the program, the player starts.
It can be repeated at any time, and does only what is missing. On a PC, --root is
where the player's disks are mounted and --from the program for ARM.

Examples:
  empegsync install -n                             look first
  empegsync install --role slave --master kitchen
  empegsync install --root /mnt --from dist/empegsync-linux-armv5`
}

// Run implements the verb.
func (c *installCmd) Run(ctx context.Context, s *streams) error {
	want, err := c.want()
	if err != nil {
		return &coded{err, exitUsage}
	}
	source := c.From
	if source == "" {
		if source, err = os.Executable(); err != nil {
			return err
		}
	}
	guard := mounts.NewGuard(mounts.Linux{}, nil)
	o, err := install.Observe(c.Root, source, guard)
	if err != nil {
		return err
	}
	notes, err := install.Check(o)
	var old *install.TooOld
	if errors.As(err, &old) {
		fmt.Fprint(s.out, install.StockAdvice)
	}
	if err != nil {
		return err
	}
	if c.Role+c.Master != "" && o.Places[install.Config].Kind != install.Absent {
		return fmt.Errorf("%s is there already and says what this player is; change it with \"empegsync setup\", or by hand", install.Config)
	}
	plan, err := install.Plan(o, want)
	if err != nil {
		return err
	}
	plan.Notes = append(notes, plan.Notes...)
	done := "installed; it starts with the player. To start it now: empegsync start"
	return carryOut(ctx, s, install.Applier{Root: c.Root, Guard: guard}, plan, c.DryRun, done)
}

// want reads the flags.
func (c *installCmd) want() (install.Want, error) {
	want := install.Want{Master: c.Master}
	if c.Master != "" {
		want.Role = role.Slave
	}
	var err error
	if c.Role != "" {
		want.Role, err = role.ParseRole(c.Role)
	}
	return want, errors.Join(err, role.CheckMaster(c.Master))
}

// reinstateCmd repairs an installation after an upgrade.
type reinstateCmd struct {
	rootFlag
	DryRun bool `short:"n" help:"Show what would be done, with the text of every file; change nothing."`
}

// Help is what --help tells of the verb.
func (reinstateCmd) Help() string {
	return `An upgrade of the player's software rewrites its root file system. What is in
/drive0/empegsync stays; this lays the links and the boot hook anew. The script
/drive0/empegsync/reinstate does the same, for when the links are gone.

Example:
  /drive0/empegsync/reinstate     (or: empegsync reinstate)`
}

// Run implements the verb.
func (c *reinstateCmd) Run(ctx context.Context, s *streams) error {
	guard := mounts.NewGuard(mounts.Linux{}, nil)
	o, err := install.Observe(c.Root, "", guard)
	if err != nil {
		return err
	}
	plan, err := install.PlanReinstate(o)
	if err != nil {
		return err
	}
	return carryOut(ctx, s, install.Applier{Root: c.Root, Guard: guard}, plan, c.DryRun, "reinstated")
}

// uninstallCmd takes the program off a player.
type uninstallCmd struct {
	rootFlag
	DryRun bool `short:"n" help:"Show what would be done, change nothing."`
}

// Help is what --help tells of the verb.
func (uninstallCmd) Help() string {
	return `Takes away everything that install has laid down, the configuration with it, and
gives the player program its place back. Music, the player's own files, and what
boot has added to /etc/hosts, passwd and group stay.

Example:
  empegsync uninstall -n`
}

// Run implements the verb.
func (c *uninstallCmd) Run(ctx context.Context, s *streams) error {
	guard := mounts.NewGuard(mounts.Linux{}, nil)
	o, err := install.Observe(c.Root, "", guard)
	if err != nil {
		return err
	}
	plan, err := install.PlanUninstall(o)
	if err != nil {
		return err
	}
	return carryOut(ctx, s, install.Applier{Root: c.Root, Guard: guard, Self: o.Self}, plan, c.DryRun, "uninstalled")
}

// carryOut shows a plan or does it.
func carryOut(ctx context.Context, s *streams, applier install.Applier, plan install.Planned, dry bool, done string) error {
	defer func() {
		for _, note := range plan.Notes {
			fmt.Fprintln(s.out, "note: "+strings.ReplaceAll(note, "\n", "\n  "))
		}
	}()
	if len(plan.Actions) == 0 {
		fmt.Fprintln(s.out, "nothing to do")
		return nil
	}
	if dry {
		fmt.Fprint(s.out, plan.Show(true))
		return nil
	}
	applier.Report = func(a install.Action) { fmt.Fprintln(s.out, a) }
	finish, err := applier.Apply(ctx, plan.Actions)
	if err != nil {
		return err
	}
	fmt.Fprintln(s.out, done)
	if finish == "" {
		return nil
	}
	// This process runs from what is to go: it becomes the shell that removes it.
	return syscall.Exec("/bin/sh", []string{"sh", "-c", finish}, os.Environ())
}
