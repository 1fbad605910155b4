package main

import (
	"os"
	"strings"
	"testing"
)

// TestMissingDestination: a destination whose own folder is missing, and one for
// which there is nothing, end as with rsync, and are made where rsync makes them.
func TestMissingDestination(t *testing.T) {
	t.Parallel()
	w := newTwin(t)
	w.fill(t)
	for _, line := range []string{
		"src/old no/such/file", "src/old no/such/", "src/old src/new no/such", "src/none no/such", "-r src/empty/ no/such/place", "-r src/empty no/such/place",
		"src/none new", "src/empty/ new", "-av src/empty/ new", "-av src/empty new", "-av src/d new", "-av src/empty/ new/", "-r src/empty/ new", "-n src/old no/such/file", "-n src/none no/such", "-r SHELL:src/empty/ no/such", "src/old SHELL:no/such/file",
		"src/none SHELL:no/such/file", "src/old DAEMON:no/such/file", "src/none DAEMON:no/such/file", "src/old DAEMON:no/such/",
	} {
		var codes [2]int
		var made, told [2]bool
		for i, side := range sides {
			here := w.dir + "/" + side + "/"
			must(t, os.RemoveAll(here+"new"))
			flags := ""
			if strings.Contains(line, "SHELL:") {
				flags = "--rsync-path=" + []string{"rsync", w.ours}[i] + " "
			}
			r := w.run(t, side, flags+line)
			codes[i], told[i] = r.code, strings.Contains(r.out, "created directory")
			_, err := os.Lstat(here + "new")
			made[i] = err == nil
		}
		if codes[0] != codes[1] || made[0] != made[1] || told[0] != told[1] {
			t.Errorf("%s: codes of rsync and of ours %v, made %v, told %v", line, codes, made, told)
		}
	}
}
