//go:build !board

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/empegsync/empegsync/pkg/remote/authorized"
	"github.com/empegsync/empegsync/pkg/remote/restricted"
)

// authorizeCmd makes lines of authorized_keys.
type authorizeCmd struct {
	Key    string `required:"" placeholder:"FILE.pub" help:"The public key."`
	RO     bool   `name:"ro" xor:"right" help:"Its holder may read what is below DIR."`
	WO     bool   `name:"wo" xor:"right" help:"... may write."`
	RW     bool   `name:"rw" xor:"right" help:"... may do both."`
	Append bool   `xor:"right" help:"... may read and add; what changes is kept in every version. With --no-read it is for adding alone."`
	Module bool   `xor:"right" help:"... may use the modules of an rsyncd.conf: DIR is that file, without it the usual one."`

	NoRead      bool   `help:"With --append: nothing can be read."`
	NoDel       bool   `help:"Nothing can be deleted."`
	NoOverwrite bool   `help:"What exists stays as it is."`
	Munge       bool   `help:"Symlinks are stored in a form that leads nowhere."`
	Quota       string `placeholder:"SIZE" help:"The files may have so many bytes in all."`
	Log         string `placeholder:"FILE" help:"A line for each session goes there."`

	Program string `placeholder:"FILE" help:"This program, as the server has it (default: where it runs from)."`
	Write   bool   `help:"Add the line to the file, after asking."`
	Yes     bool   `help:"Do not ask."`
	User    string `placeholder:"NAME" help:"Whose file it is (default: yours)."`
	File    string `placeholder:"FILE" help:"The file (default: ~/.ssh/authorized_keys)."`

	Dirs []string `arg:"" optional:"" name:"dir" help:"The directory, or NAME=DIR for each of several."`
}

// Help implements kong's detailed help.
func (authorizeCmd) Help() string {
	return `Prints the line that lets an ssh key do one thing with rsync, and nothing else.
With --write it is added to the user's authorized_keys, whose mode and owner stay.

Examples:
  empegsync authorize --key laptop.pub --append --no-read /srv/backups/laptop
  empegsync authorize --key player.pub --ro --write --user music /srv/music`
}

// Run implements the verb.
func (c *authorizeCmd) Run(s *streams) error {
	text, err := os.ReadFile(c.Key)
	if err != nil {
		return fmt.Errorf("read the key: %w", err)
	}
	key, err := authorized.ParseKey(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", c.Key, err)
	}
	file, err := c.file()
	if err != nil {
		return err
	}
	words, err := c.command(file.Path)
	if err != nil {
		return err
	}
	line, err := authorized.Line(key, words)
	if err != nil {
		return err
	}
	if !c.Write {
		_, err = fmt.Fprintln(s.out, line)
		return err
	}
	if !c.Yes {
		fmt.Fprintf(s.out, "%s\nAdd this line to %s? [y/N] ", line, file.Path)
		answer, err := bufio.NewReader(io.LimitReader(s.in, maxTyped)).ReadString('\n')
		if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
			if err != nil {
				fmt.Fprintln(s.out)
			}
			return errors.New("nothing was written")
		}
	}
	if err := file.Add(key, line); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "added to %s\n", file.Path)
	return err
}

// command is what the key runs.
func (c *authorizeCmd) command(keys string) ([]string, error) {
	program := c.Program
	if program == "" {
		var err error
		if program, err = os.Executable(); err != nil {
			return nil, fmt.Errorf("find out where this program is: %w (give --program)", err)
		}
	}
	if c.Module {
		return c.moduleCommand(program)
	}
	words := []string{"rrsync"}
	flag := func(on bool, name string) {
		if on {
			words = append(words, name)
		}
	}
	flag(c.RO, "-ro")
	flag(c.WO || c.NoRead, "-wo")
	flag(c.Append, "-append")
	flag(c.NoDel, "-no-del")
	flag(c.NoOverwrite, "-no-overwrite")
	flag(c.Munge, "-munge")
	flag(c.Quota != "", "-quota="+c.Quota)
	if c.Log != "" {
		log, err := filepath.Abs(c.Log)
		if err != nil {
			return nil, err
		}
		words = append(words, "-log="+log)
	}
	dirs, err := restricted.ParseDirs(c.Dirs)
	if err != nil {
		return nil, &coded{err, exitUsage}
	}
	for _, d := range dirs {
		abs, err := filepath.Abs(d.Path)
		if err != nil {
			return nil, err
		}
		if d.Name != "" {
			abs = d.Name + "=" + abs
		}
		words = append(words, abs)
	}
	return append([]string{program}, words...), c.try(words[1:], keys)
}

// try has the key's own command look at its words, and refuses a key that
// could let itself do more.
func (c *authorizeCmd) try(words []string, keys string) error {
	switch {
	case !c.RO && !c.WO && !c.RW && !c.Append:
		return &coded{errors.New("say what the key may do: --ro, --wo, --rw, --append or --module"), exitUsage}
	case c.NoRead && !c.Append:
		return &coded{errors.New("--no-read goes with --append; --wo alone says it, too"), exitUsage}
	}
	r, err := parseRrsync(words, io.Discard)
	if err != nil {
		return &coded{err, exitUsage}
	}
	key, err := restricted.Open(r.policy, r.dirs)
	if err != nil {
		return err
	}
	defer key.Close()
	if !c.RO && key.Holds(keys) {
		return fmt.Errorf("%s lies in the key's directory: whoever has the key could let itself do anything; give it a folder of its own", keys)
	}
	return nil
}

// moduleCommand is a daemon for one connection.
func (c *authorizeCmd) moduleCommand(program string) ([]string, error) {
	words := []string{program, "rsync", "--server", "--daemon"}
	if c.NoRead || c.NoDel || c.NoOverwrite || c.Munge || c.Quota != "" || c.Log != "" || len(c.Dirs) > 1 {
		return nil, &coded{errors.New("--module takes nothing but the rsyncd.conf: what the key may do stands in it"), exitUsage}
	}
	if len(c.Dirs) == 1 {
		config, err := filepath.Abs(c.Dirs[0])
		if err != nil {
			return nil, err
		}
		info, err := os.Stat(config)
		if err != nil {
			return nil, fmt.Errorf("look at the configuration: %w", err)
		}
		if !info.Mode().IsRegular() {
			return nil, fmt.Errorf("%s is no rsyncd.conf: --module names the file, and that names the directories", config)
		}
		words = append(words, "--config="+config)
	}
	return append(words, "."), nil
}

// file is the authorized_keys file to use.
func (c *authorizeCmd) file() (authorized.File, error) {
	who, err := user.Current()
	if c.User != "" {
		who, err = user.Lookup(c.User)
	}
	if err != nil {
		return authorized.File{}, fmt.Errorf("find the user: %w", err)
	}
	uid, err := strconv.ParseUint(who.Uid, 10, 32)
	if err != nil {
		return authorized.File{}, fmt.Errorf("the user's id: %w", err)
	}
	gid, err := strconv.ParseUint(who.Gid, 10, 32)
	if err != nil {
		return authorized.File{}, fmt.Errorf("the group's id: %w", err)
	}
	f := authorized.File{Path: c.File, UID: uint32(uid), GID: uint32(gid)}
	if f.Path == "" {
		f.Path, f.Makes = filepath.Join(who.HomeDir, ".ssh", "authorized_keys"), true
	}
	f.Path, err = filepath.Abs(f.Path)
	return f, err
}
