package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/empegsync/empegsync/pkg/console"
	"github.com/empegsync/empegsync/pkg/install"
)

// consoleCmd brings the program onto a player over its serial line, from a PC.
type consoleCmd struct {
	Port     string `required:"" placeholder:"DEVICE" help:"The serial line, such as /dev/ttyUSB0."`
	Baud     int    `placeholder:"N" help:"Its speed; else it is found out (115200 as a rule, 4800 on car power)."`
	Program  string `placeholder:"FILE" type:"path" help:"The program for the player; else empegsync-linux-armv5 beside this one or in dist."`
	Terminal bool   `help:"Only connect the terminal; install nothing."`
	Setup    bool   `default:"true" negatable:"" help:"Run setup once it is installed (the default)."`
	Root     string `hidden:"" help:"The player's root as its shell sees it."`
}

// Help is what --help tells of the verb.
func (consoleCmd) Help() string {
	return `Finds out what answers on the line, quits the player to its shell, sends the
program with the player's rz (sz is needed here: the package lrzsz), checks it on
the player, installs it, runs setup, and starts the player again. In the end the
terminal is connected to the player; "~." at the beginning of a line leaves. When
the line drops, run it again: it goes on where it stopped.

Examples:
  empegsync console --port /dev/ttyUSB0
  empegsync console --port /dev/ttyUSB0 --terminal`
}

// Run implements the verb.
func (c *consoleCmd) Run(ctx context.Context, s *streams) (err error) {
	program, err := c.program()
	if err != nil {
		return err
	}
	speeds := console.Speeds()
	if c.Baud != 0 {
		speeds = []int{c.Baud}
	}
	port, err := console.OpenPort(c.Port, speeds[0])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, port.Close()) }()
	link := console.NewLink(port)
	quit := false
	if !c.Terminal || c.Baud == 0 {
		if quit, err = c.find(ctx, s, link, port, speeds); err != nil {
			return err
		}
	}
	keyboard, err := console.OpenKeyboard(s.in)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, keyboard.Close()) }()
	out := &crlf{s.out}
	if !c.Terminal {
		if err := c.install(ctx, link, out, program); err != nil {
			return errors.Join(err, c.playAgain(quit, link, out, err))
		}
		if err := c.setup(ctx, link, keyboard, s.out, out); err != nil {
			return err
		}
	}
	fmt.Fprintln(out, `connected; "~." at the beginning of a line leaves`)
	err = link.Interact(ctx, keyboard, s.out)
	fmt.Fprintln(out)
	return err
}

// program finds the program for the player.
func (c *consoleCmd) program() (string, error) {
	if c.Terminal {
		return "", nil
	}
	const name = "empegsync-linux-armv5"
	candidates := []string{c.Program}
	if c.Program == "" {
		self, err := os.Executable()
		if err != nil {
			return "", err
		}
		candidates = []string{filepath.Join(filepath.Dir(self), name), filepath.Join("dist", name)}
	}
	for _, file := range candidates {
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
			return file, nil
		}
	}
	return "", fmt.Errorf("there is no %s; name the program for the player with --program", strings.Join(candidates, " and no "))
}

// find gets to the player's shell, or for a terminal only to the right speed. It
// reports whether it has quit the player for that.
func (c *consoleCmd) find(ctx context.Context, s *streams, link *console.Link, port *console.Port, speeds []int) (quit bool, err error) {
	fmt.Fprintf(s.out, "looking who answers on %s\n", c.Port)
	state, speed, err := link.Find(ctx, speeds, port.SetSpeed)
	if err != nil {
		return false, err
	}
	what := map[console.State]string{
		console.Silent: "nobody answers an empty line", console.Playing: "the player answers", console.Shell: "its shell answers",
	}[state]
	fmt.Fprintf(s.out, "%s, at %d baud\n", what, speed)
	if c.Terminal || state == console.Shell {
		return false, nil
	}
	if state == console.Playing {
		speeds = []int{speed}
	} else {
		speeds = speeds[:min(len(speeds), 2)] // the two that players have
	}
	for _, speed := range speeds {
		if err := port.SetSpeed(speed); err != nil {
			return false, err
		}
		fmt.Fprintf(s.out, "quitting the player (q), at %d baud\n", speed)
		if err = link.Quit(ctx); err == nil || !errors.Is(err, console.ErrSilent) {
			return err == nil, err
		}
	}
	return false, fmt.Errorf("%w; is the player on, and is the cable in the right way? (--baud names the speed)", err)
}

// install brings the program over.
func (c *consoleCmd) install(ctx context.Context, link *console.Link, out io.Writer, program string) error {
	meter := &meter{out: out}
	o := &console.Onboard{
		Link: link, Program: program, Root: c.Root, Check: c.check(out),
		Say:      func(line string) { meter.end(); fmt.Fprintln(out, line) },
		Progress: meter.show,
	}
	err := o.Run(ctx)
	meter.end()
	return err
}

// playAgain starts a player that was quit for an installation that has failed.
func (c *consoleCmd) playAgain(quit bool, link *console.Link, out io.Writer, why error) error {
	if !quit || errors.Is(why, console.ErrDropped) {
		return nil
	}
	fmt.Fprintln(out, "starting the player (exit)")
	return link.Leave()
}

// check judges the player by what its /proc says.
func (c *consoleCmd) check(out io.Writer) func(cpuinfo, version string) error {
	return func(cpuinfo, version string) error {
		m := install.Machine{Arch: "arm"}
		m.CPU, m.Version = install.ParseCPU([]byte(cpuinfo))
		if _, after, ok := strings.Cut(version, "Linux version "); ok {
			m.Kernel, _, _ = strings.Cut(after, " ")
		}
		err := install.CheckMachine(m)
		var old *install.TooOld
		if errors.As(err, &old) {
			fmt.Fprint(out, install.StockAdvice)
		}
		return err
	}
}

// setup runs the dialogue on the player, and starts the player again.
func (c *consoleCmd) setup(ctx context.Context, link *console.Link, keyboard *console.Keyboard, raw, out io.Writer) error {
	if c.Setup {
		root := c.Root + "/"
		code, err := link.RunFor(ctx, keyboard, raw, c.Root+install.Program+" setup --root "+root)
		fmt.Fprintln(out)
		if err != nil {
			return err
		}
		if code != 0 {
			fmt.Fprintf(out, "setup has ended with %d; it can be run again at any time: empegsync setup\n", code)
		}
	}
	fmt.Fprintln(out, "starting the player (exit)")
	return link.Leave()
}

// meter is a progress line that is written over.
type meter struct {
	out   io.Writer
	last  time.Time
	width int
	full  bool
}

// show writes the line, at most five times a second, and once when all is done.
func (m *meter) show(done, total int64, left time.Duration) {
	if time.Since(m.last) < 200*time.Millisecond && done < total || m.full {
		return
	}
	m.full = done == total
	m.last = time.Now()
	const cells = 30
	full := int(done * cells / max(total, 1))
	line := fmt.Sprintf("[%s%s] %3d%%  %d of %d KB", strings.Repeat("#", full), strings.Repeat(".", cells-full), done*100/max(total, 1), done>>10, total>>10)
	if left > 0 {
		line += fmt.Sprintf("  %d:%02d left", int(left.Minutes()), int(left.Seconds())%60)
	}
	fmt.Fprintf(m.out, "\r%-*s", m.width, line)
	m.width = len(line)
}

// end ends the line, if there is one.
func (m *meter) end() {
	if m.width > 0 {
		fmt.Fprintln(m.out)
		m.width, m.full = 0, false
	}
}

// crlf ends lines as a terminal in raw mode needs it.
type crlf struct{ out io.Writer }

// Write implements io.Writer.
func (c *crlf) Write(p []byte) (int, error) {
	if _, err := c.out.Write(bytes.ReplaceAll(p, []byte("\n"), []byte("\r\n"))); err != nil {
		return 0, err
	}
	return len(p), nil
}
