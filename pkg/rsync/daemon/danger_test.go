package daemon

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/empegsync/empegsync/pkg/rsync/conf"
)

func TestDangers(t *testing.T) {
	dir := t.TempDir()
	loose, tight := filepath.Join(dir, "loose"), filepath.Join(dir, "tight")
	for name, mode := range map[string]os.FileMode{loose: 0o644, tight: 0o600} {
		if err := os.WriteFile(name, nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	local := []net.Addr{&net.IPNet{IP: net.ParseIP("127.0.0.1"), Mask: net.CIDRMask(8, 32)}, &net.IPNet{IP: net.ParseIP("8.8.4.4"), Mask: net.CIDRMask(24, 32)}}
	const safe = "[m]\npath = /\nuid = 1\n"
	for text, want := range map[string][]string{
		safe:                      nil,
		"hosts allow =\n" + safe:  {"f:1: \"hosts allow\" is empty"},
		safe + "read only = no\n": {"f:1: module [m]: can be written to without a password by everybody"},
		safe + "read only = no\nhosts allow = 10.0.0.1\n":                                                   {`every host in "hosts allow"`},
		"[m]\npath = /\nuid = 0\nuse chroot = no\n":                                                         {"as root without a chroot"},
		"[m]\npath = /\nuid = 0\nuse chroot = yes\n":                                                        nil,
		safe + "auth users = a\n":                                                                           {"nobody can log in", "listens on 8.8.4.4"},
		safe + "auth users = a\nsecrets file = /none/x\n":                                                   {"no such file", "listens on 8.8.4.4"},
		safe + "auth users = a\nsecrets file = " + loose + "\n":                                             {"chmod 600 " + loose, "listens on 8.8.4.4"},
		"address = 192.168.1.1\n" + safe + "auth users = a\nread only = no\nsecrets file = " + tight + "\n": nil,
		"address = 8.8.8.8\n" + safe + "auth users = a\nsecrets file = " + tight + "\n":                     {"listens on 8.8.8.8"},
	} {
		cfg, err := conf.Parse("f", []byte(text), nil)
		if err != nil {
			t.Fatal(err)
		}
		got := Dangers(cfg, local)
		if len(got) != len(want) || slices.ContainsFunc(want, func(w string) bool { return !strings.Contains(strings.Join(got, "\n"), w) }) {
			t.Errorf("%s\ngot  %q\nwant %q", text, got, want)
		}
	}
}
