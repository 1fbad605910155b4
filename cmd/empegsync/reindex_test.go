package main

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestReindex(t *testing.T) {
	t.Parallel()
	_, slave := players(t, 20)
	before := state(t, slave)
	r := call(t, "reindex", "--root", slave, "-n")
	r.expect(t, 0)
	if n := strings.Count(r.out, "would remove "); n != len(database()) || strings.Count(r.out, "\n") != n {
		t.Errorf("-n says:\n%s", r.out)
	}
	untouched(t, before, slave)

	r = call(t, "reindex", "--root", slave)
	r.expect(t, 0)
	for _, name := range database() {
		if !strings.Contains(r.out, "removed "+name+" (") {
			t.Errorf("says nothing of %s:\n%s", name, r.out)
		}
	}
	if !strings.Contains(r.out, "rwm") {
		t.Errorf("does not say how to restart the player:\n%s", r.out)
	}
	// Only those four and their folder's time have changed.
	after := state(t, slave)
	maps.DeleteFunc(before, func(name, _ string) bool {
		return filepath.Dir(name) == "drive0/var" && filepath.Base(name) != "config.ini" || name == "drive0/var"
	})
	delete(after, "drive0/var")
	if !maps.Equal(before, after) {
		t.Errorf("before:\n%v\nafter:\n%v", before, after)
	}

	r = call(t, "reindex", "--root", slave)
	r.expect(t, 0)
	if !strings.HasPrefix(r.out, "nothing to remove") {
		t.Errorf("again:\n%s", r.out)
	}
	starts(t, slave, true)
	starts(t, slave, false)
}

// The binary is reindex, too, if it is called so.
func TestReindexByName(t *testing.T) {
	t.Parallel()
	_, slave := players(t, 20)
	link := filepath.Join(tempDir(t), "reindex")
	must(t, os.Symlink(os.Getenv(binaryVar), link))
	start(t, exec.Command(link, "-n", "--root", slave)).wait().expect(t, 0)
	hasDatabase(t, slave, database()...)
	start(t, exec.Command(link, "--root", slave)).wait().expect(t, 0)
	hasDatabase(t, slave)
	r := start(t, exec.Command(link, "--help")).wait()
	r.expect(t, 0)
	if !strings.Contains(r.out, "config.ini") {
		t.Errorf("reindex --help:\n%s", r.out)
	}
}

func TestReindexFails(t *testing.T) {
	t.Parallel()
	_, slave := players(t, 20)
	call(t, "reindex", "--root", filepath.Join(slave, "nowhere")).expect(t, 1, "nowhere")
	call(t, "reindex", "--root", tempDir(t)).expect(t, 1, "drive0/var", "is it a player's root")
	// What cannot be restarted says so after the files are gone.
	r := call(t, "reindex", "--root", slave, "--restart")
	r.contains(t, 1, "empeg_notify", "rwm")
	hasDatabase(t, slave)
	// Something that is no file is nobody's to delete.
	must(t, os.MkdirAll(filepath.Join(slave, "drive0/var/tags/own"), 0o755))
	call(t, "reindex", "--root", slave).expect(t, 1, "tags", "not a file")
	if _, err := os.Stat(filepath.Join(slave, "drive0/var/tags/own")); err != nil {
		t.Error(err)
	}
}
