package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/empegsync/empegsync/pkg/player/playertest"
)

func TestNetworkOf(t *testing.T) {
	tests := []struct{ name, config, want, err string }{
		{"fixed", "[Options]\nname=x\n[Network]\ndhcp=0\nIPAddress = 10.0.2.15\nnetmask=255.255.255.0\n[serial]\ndhcp=1\n", "10.0.2.15/24", ""},
		{"dhcp", "[network]\ndhcp=1\nipaddress=10.0.2.15\n", "", "DHCP"},
		{"nothing", "", "", "DHCP"},
		{"no address", "[network]\ndhcp=0\n", "", "ipaddress"},
		{"no mask", "[network]\ndhcp=0\nipaddress=10.0.2.15\n", "", "netmask"},
		{"six", "[network]\ndhcp=0\nipaddress=fe80::1\nnetmask=255.0.0.0\n", "", "want IPv4"},
	}
	for _, tt := range tests {
		n, err := networkOf(tt.config)
		if tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) || tt.err == "" && err != nil {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.err)
		}
		if err == nil && n.address.String() != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, n.address, tt.want)
		}
	}
}

func FuzzNetworkOf(f *testing.F) {
	f.Add("[network]\ndhcp=0\nipaddress=10.0.2.15\nnetmask=255.255.255.0\n")
	f.Fuzz(func(t *testing.T, config string) {
		if n, err := networkOf(config); err == nil && !n.address.IsValid() {
			t.Errorf("no error and no address")
		}
	})
}

// The stand-in loads, rebuilds, saves where it can, and ends as it is told.
func TestPlay(t *testing.T) {
	root := filepath.Join(t.TempDir(), "player")
	if err := playertest.Build(root, playertest.Options{Fids: 20, Seed: 1}); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		before func() error
		typed  string
		code   int
		want   string
	}{
		{nil, "q\n", 0, "database loaded"},
		{nil, "x\nR\n", exitRestart, "database loaded"},
		{func() error { return os.Remove(filepath.Join(root, "drive0/var/playlists")) }, "exit 44\n", exitCommand, "playlists last"},
		{nil, "exit 43\n", exitNoPlayer, "database loaded"},
		{func() error { return os.RemoveAll(filepath.Join(root, "drive0/fids/_00000")) }, "", 0, "LIES"},
	}
	for _, tt := range tests {
		if tt.before != nil {
			if err := tt.before(); err != nil {
				t.Fatal(err)
			}
		}
		var out bytes.Buffer
		code, err := play(strings.NewReader(tt.typed), &out, root)
		if code != tt.code || err != nil || !strings.Contains(out.String(), tt.want) {
			t.Errorf("typed %q: code %d, %v, want %d; %q lacks %q", tt.typed, code, err, tt.code, &out, tt.want)
		}
	}
	if _, err := play(strings.NewReader("exit soon\n"), &bytes.Buffer{}, root); err == nil {
		t.Error("exit soon: no error")
	}
}
