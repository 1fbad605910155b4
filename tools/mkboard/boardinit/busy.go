package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// openOn lists who has files open on a drive, which keeps it from becoming
// read-only if it is for writing or the file has been deleted.
func openOn(drive string) string {
	var b strings.Builder
	fds, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return ""
	}
	for _, fd := range fds {
		file, err := os.Readlink(fd)
		if err != nil || !strings.HasPrefix(file, drive+"/") {
			continue // ended meanwhile, or elsewhere
		}
		process := filepath.Dir(filepath.Dir(fd))
		command, _ := os.ReadFile(process + "/comm")
		flags, _ := os.ReadFile(process + "/fdinfo/" + filepath.Base(fd))
		fmt.Fprintf(&b, "; %s of process %s (%s), %s", file, filepath.Base(process), strings.TrimSpace(string(command)),
			strings.Join(strings.Fields(string(flags)), " "))
	}
	return b.String()
}
