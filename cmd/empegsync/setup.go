package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/empegsync/empegsync/pkg/boot"
	"github.com/empegsync/empegsync/pkg/console"
	"github.com/empegsync/empegsync/pkg/install"
	"github.com/empegsync/empegsync/pkg/mounts"
	"github.com/empegsync/empegsync/pkg/role"
)

// setupCmd asks what a player shall be.
type setupCmd struct {
	rootFlag
	Answers string `placeholder:"FILE" type:"path" help:"Take the answers from FILE and ask nothing."`
	DryRun  bool   `short:"n" help:"Show the resulting files, write nothing."`
}

// Help is what --help tells of the verb.
func (setupCmd) Help() string {
	return `Asks for the player's name, its role, its master and what it serves, shows the
files that follow from that, and writes them. It needs no more of a terminal than
a serial line has. What was answered before is kept unless it is changed.

A file of answers has lines "name = value": hostname, role, master, pull at boot,
drives, writable, user, password, master user, master password.

Examples:
  empegsync setup
  empegsync setup --answers answers.txt`
}

// discoverPatience is how long other players are given to answer.
const discoverPatience = 2 * time.Second

// Run implements the verb.
func (c *setupCmd) Run(ctx context.Context, s *streams) (err error) {
	guard := mounts.NewGuard(mounts.Linux{}, nil)
	o, err := install.Observe(c.Root, "", guard)
	if err != nil {
		return err
	}
	if o.Places[install.Program].Kind != install.File {
		return fmt.Errorf("empegsync is not installed on this player; first: empegsync install")
	}
	now, err := c.now(s, o)
	if err != nil {
		return err
	}
	plan := func(answers console.Setup) (install.Planned, error) { return c.plan(o, answers) }
	applier := install.Applier{Root: c.Root, Guard: guard}
	if c.Answers != "" {
		return c.unasked(ctx, s, now, plan, applier)
	}
	terminal, err := console.NewTerminal(ctx, s.in, s.out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, terminal.Close()) }()
	ask := c.ask(ctx, o, terminal)
	answers, err := ask.Run(now)
	if err != nil {
		return err
	}
	planned, err := plan(answers)
	if err != nil {
		return err
	}
	if len(planned.Actions) == 0 {
		terminal.Print("\nNothing has changed.\n")
		return nil
	}
	terminal.Print("\n%s\n", planned.Show(true))
	if c.DryRun {
		return nil
	}
	if yes, err := ask.Confirm("Write this"); err != nil || !yes {
		terminal.Print("Nothing was written.\n")
		return err
	}
	if err := c.write(ctx, applier, planned); err != nil {
		return err
	}
	terminal.Print("Written.%s\n", advice(o))
	return nil
}

// advice is what is left to do for the new settings to count.
func advice(o install.Observed) string {
	if len(o.Running) > 0 {
		return fmt.Sprintf(" The running service reads it at the next start of the player,\nor now: kill %d; empegsync start", o.Running[0].PID)
	}
	return " It counts from the next start of the player, or now: empegsync start"
}

// unasked writes what a file answers.
func (c *setupCmd) unasked(ctx context.Context, s *streams, now console.Setup, plan func(console.Setup) (install.Planned, error), applier install.Applier) error {
	text, err := os.ReadFile(c.Answers)
	if err != nil {
		return fmt.Errorf("read the answers: %w", err)
	}
	answers, err := console.ParseAnswers(c.Answers, text, now, boot.ValidateHostname)
	if err != nil {
		return err
	}
	planned, err := plan(answers)
	if err != nil {
		return err
	}
	if len(planned.Actions) == 0 {
		fmt.Fprintln(s.out, "nothing has changed")
		return nil
	}
	fmt.Fprint(s.out, planned.Show(true))
	if c.DryRun {
		return nil
	}
	return c.write(ctx, applier, planned)
}

// write does the plan; nothing is left for a shell, as no program is removed.
func (c *setupCmd) write(ctx context.Context, applier install.Applier, planned install.Planned) error {
	_, err := applier.Apply(ctx, planned.Actions)
	return err
}

// now is what the player is configured as. A configuration that cannot be read is
// told, and the dialogue starts anew.
func (c *setupCmd) now(s *streams, o install.Observed) (console.Setup, error) {
	set, name, err := c.settings()
	if err != nil {
		fmt.Fprintf(s.err, "empegsync: %v\nempegsync: %s starts anew\n", err, name)
	}
	if set == nil {
		return console.Setup{Answers: role.Answers{Drives: o.Drives}}, nil
	}
	return console.Setup{Answers: set.Answers()}, nil
}

// ask prepares the dialogue.
func (c *setupCmd) ask(ctx context.Context, o install.Observed, terminal *console.Terminal) *console.Ask {
	name := ""
	if text, err := os.ReadFile(filepath.Join(c.Root, "drive0/var/config.ini")); err == nil {
		name = boot.HostnameFrom(boot.ParsePlayerName(text))
	}
	return &console.Ask{
		Terminal: terminal, Name: name, Drives: o.Drives, CheckName: boot.ValidateHostname,
		Secret:  o.Places[role.SecretsFile].Kind == install.File,
		Secret2: o.Places[role.PasswordFile].Kind == install.File,
		Find:    func() []console.Found { return console.Discover(ctx, discoverPatience) },
	}
}

// plan is what leads to these answers. The text is read back before anything is
// written, so that a configuration always is one.
func (c *setupCmd) plan(o install.Observed, answers console.Setup) (install.Planned, error) {
	text := role.Text(answers.Answers)
	if _, err := role.Parse(install.Config, []byte(text), source{}); err != nil {
		return install.Planned{}, err
	}
	var p install.Planned
	put := func(name string, secret bool, text, what string) {
		place := o.Places[name]
		if place.Kind == install.File && bytes.Equal(place.Text, []byte(text)) {
			return
		}
		a := install.PutFile{Name: name, Mode: 0o644, Text: []byte(text), What: what, Secret: secret}
		if secret {
			a.Mode = 0o600
		}
		p.Actions = append(p.Actions, a)
	}
	if answers.User != "" && answers.Password != "" {
		put(role.SecretsFile, true, answers.User+":"+answers.Password+"\n", "the password of "+answers.User)
	}
	if answers.MasterUser != "" && answers.MasterPassword != "" {
		put(role.PasswordFile, true, answers.MasterPassword+"\n", "the password for the master")
	}
	put(install.Config, false, text, "the configuration, role "+answers.Role.String())
	return p, nil
}
