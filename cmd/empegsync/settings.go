package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/empegsync/empegsync/pkg/install"
	"github.com/empegsync/empegsync/pkg/role"
)

// settings reads the configuration of an installed player, nil if there is none.
// Paths in it are the player's own, and so below the root.
func (r rootFlag) settings() (*role.Settings, string, error) {
	name := filepath.Join(r.Root, install.Config)
	text, err := source{}.Read(name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil, name, nil
	}
	if err != nil {
		return nil, name, fmt.Errorf("read the configuration: %w", err)
	}
	set, err := role.Parse(name, text, source{})
	if err != nil {
		return nil, name, err
	}
	cfg := set.Daemon
	cfg.Global = cfg.Global.Expanded(source{}.Env)
	for i := range cfg.Modules {
		m := cfg.Modules[i].Expanded(source{}.Env)
		m.Path, m.SecretsFile = r.below(m.Path), r.below(m.SecretsFile)
		cfg.Modules[i] = m
	}
	set.PasswordFile = r.below(set.PasswordFile)
	return set, name, nil
}

// below is where a file of the player lies on this machine, whatever folder a
// process works in; "" stays "".
func (r rootFlag) below(name string) string {
	if name == "" {
		return ""
	}
	here := filepath.Join(r.Root, name)
	if full, err := filepath.Abs(here); err == nil { // else the root's name has to do
		return full
	}
	return here
}
