package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/empegsync/empegsync/pkg/install"
)

func TestSetupAnswers(t *testing.T) {
	t.Parallel()
	root, _ := players(t, 12)
	withPlayer(t, root)
	call(t, "setup", "--root", root, "--answers", "/dev/null").expect(t, 1, "not installed", "empegsync install")
	call(t, "install", "--root", root).expect(t, 0)
	answers := filepath.Join(tempDir(t), "answers")
	must(t, os.WriteFile(answers, []byte("role = both\nmaster = kitchen\nmaster user = car\nmaster password = open sesame\ndrives = drive0\n"), 0o644))
	before := state(t, root)
	r := call(t, "setup", "--root", root, "--answers", answers, "-n")
	r.expect(t, 0)
	untouched(t, before, root)
	if !strings.Contains(r.out, "    | role = both\n") || strings.Contains(r.out, "sesame") {
		t.Errorf("-n: %s", r)
	}
	call(t, "setup", "--root", root, "--answers", answers).expect(t, 0)
	text, err := os.ReadFile(filepath.Join(root, install.Config))
	must(t, err)
	for _, want := range []string{"\nrole = both\n", "\nmaster = kitchen\n", "\n[drive0]\n"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the configuration lacks %q:\n%s", want, text)
		}
	}
	secret := filepath.Join(root, "drive0/empegsync/password")
	info, err := os.Stat(secret)
	must(t, err)
	if word, err := os.ReadFile(secret); err != nil || string(word) != "open sesame\n" || info.Mode().Perm() != 0o600 {
		t.Errorf("the password: %q, %v, %v", word, info.Mode(), err)
	}
	if r := call(t, "setup", "--root", root, "--answers", answers); r.code != 0 || r.out != "nothing has changed\n" {
		t.Errorf("a second time: %s", r)
	}
	// What the new answers do not name stays as it was.
	must(t, os.WriteFile(answers, []byte("role = slave\n"), 0o644))
	call(t, "setup", "--root", root, "--answers", answers).expect(t, 0)
	text, err = os.ReadFile(filepath.Join(root, install.Config))
	must(t, err)
	if !strings.Contains(string(text), "\nrole = slave\n") || !strings.Contains(string(text), "\nmaster = kitchen\n") {
		t.Errorf("the configuration:\n%s", text)
	}
	must(t, os.WriteFile(answers, []byte("rolle = slave\n"), 0o644))
	call(t, "setup", "--root", root, "--answers", answers).expect(t, 1, "rolle", ":1:")
}

// typeIn starts setup on a terminal, and types when it waits for that: at 4800
// baud nobody types ahead.
func typeIn(t *testing.T, root string, answers ...string) (string, result) {
	t.Helper()
	s := sit(t, empegsync("setup", "--root", root))
	for _, a := range answers {
		s.asked("a question before " + a)
		s.types(a)
	}
	return s.end()
}

func TestSetupDialogue(t *testing.T) {
	t.Parallel()
	root, _ := players(t, 12)
	withPlayer(t, root)
	call(t, "install", "--root", root).expect(t, 0)
	before := layout(t, root)
	_, r := typeIn(t, root, "den\r", "\x03")
	r.expect(t, 1, "nothing was changed")
	if diff := cmp.Diff(before, layout(t, root)); diff != "" {
		t.Errorf("after ^C: %s", diff)
	}
	shown, r := typeIn(t, root, "dexx\b\bn\r\n", "\r", "drive1\r", "yes\r", "-\r", "no\r")
	r.expect(t, 0)
	if !strings.Contains(shown, "| hostname = den\r\n") || !strings.HasSuffix(shown, "Nothing was written.\r\n") {
		t.Errorf("shown:\n%s", shown)
	}
	shown, r = typeIn(t, root, "den\r", "\r", "drive1\r", "yes\r", "-\r", "yes\r")
	r.expect(t, 0)
	text, err := os.ReadFile(filepath.Join(root, install.Config))
	must(t, err)
	for _, want := range []string{"\nhostname = den\n", "\nrole = master\n", "\n[drive1]\n", "read only = no\n"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the configuration lacks %q:\n%s\nshown:\n%s", want, text, shown)
		}
	}
	shown, r = typeIn(t, root, "\r", "\r", "\r", "\r", "\r")
	if r.code != 0 || !strings.HasSuffix(shown, "Nothing has changed.\r\n") {
		t.Errorf("a second time: %s\n%s", r, shown)
	}
}

// A master that asks for a password, and a slave that knows it, both as setup has
// made them.
func TestSetupPassword(t *testing.T) {
	t.Parallel()
	master, slave := players(t, 12)
	answers := filepath.Join(tempDir(t), "answers")
	set := func(root, text string) {
		withPlayer(t, root)
		call(t, "install", "--root", root).expect(t, 0)
		must(t, os.WriteFile(answers, []byte(text), 0o644))
		call(t, "setup", "--root", root, "--answers", answers).expect(t, 0)
	}
	set(master, "user = lars\npassword = open sesame\n")
	addr := serve(t, "--root", master).addr
	set(slave, "role = slave\nmaster = "+addr+"\nmaster user = lars\nmaster password = wrong\n")
	call(t, "pull", "--root", slave).contains(t, 5, "auth failed")
	set(slave, "master password = open sesame\n")
	call(t, "pull", "--root", slave).expect(t, 0)
	equal(t, master, slave)
}
