package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	dir := t.TempDir()
	master, slave := filepath.Join(dir, "master"), filepath.Join(dir, "slave")
	// One player's life, in order: each line builds on those before.
	tests := []struct {
		args string
		code int
		want string
	}{
		{"", 2, "mkplayer build"},
		{"frobnicate", 2, "usage"},
		{"build", 2, "usage"},
		{"build -h", 0, "-layout"},
		{"build -layout odd " + master, 2, "mixed, flat or split"},
		{"build -release v9 " + master, 2, "v2 or v3"},
		{"build -drives 3 " + master, 1, "1 or 2"},
		{"build -bodies " + dir + " " + master, 1, "no *.oga"},
		{"build -fids 20 -name kitchen " + master, 0, `player "kitchen"`},
		{"build -fids 20 " + master, 1, "not empty"},
		{"build -fids 20 -name car -bodies auto -layout mixed -release v3 " + slave, 0, `player "car"`},
		{"compare " + master + " " + slave, 0, "equal"},
		{"mutate -seed 2 " + master, 0, "a day of edits: "},
		{"mutate " + dir, 1, "installed"},
		{"compare " + master + " " + slave, 1, "the players differ"},
		{"start " + slave, 0, "database loaded"},
		{"start " + dir, 1, "player.release"},
		{"leftovers " + slave, 0, "no temporary file"},
		{"leftovers " + filepath.Join(dir, "none"), 1, "no such file"},
	}
	for _, tt := range tests {
		check(t, tt.args, tt.code, tt.want)
	}
	if err := os.WriteFile(filepath.Join(slave, "drive0/fids/.120.abcdef"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	check(t, "leftovers "+slave, 1, ".120.abcdef")
}

func check(t *testing.T, args string, code int, want string) {
	t.Helper()
	var out, errOut bytes.Buffer
	got := run(strings.Fields(args), &out, &errOut)
	text := out.String() + errOut.String()
	if got != code || !strings.Contains(text, want) {
		t.Errorf("mkplayer %s: exit code %d, want %d with %q:\n%s", args, got, code, want, text)
	}
}
