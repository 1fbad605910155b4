package main

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// look returns a line for each thing below dir, with all that both engines
// should leave alike.
func look(dir string) ([]string, error) {
	var lines []string
	type inode struct{ dev, ino uint64 }
	first := map[inode]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		rel := p[len(dir)+1:]
		var st unix.Stat_t
		if err := unix.Lstat(p, &st); err != nil {
			return err
		}
		line := fmt.Sprintf("%q %o %d:%d %s", rel, st.Mode, st.Uid, st.Gid, moment(st.Mtim.Unix()))
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFREG:
			data, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" size %d sum %.4x", len(data), sha256.Sum256(data))
		case unix.S_IFLNK:
			to, err := os.Readlink(p)
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" -> %q", to)
		case unix.S_IFCHR, unix.S_IFBLK:
			line += fmt.Sprintf(" device %#x", st.Rdev)
		}
		if !d.IsDir() && st.Nlink > 1 {
			key := inode{st.Dev, st.Ino}
			if first[key] == "" {
				first[key] = rel
			}
			line += fmt.Sprintf(" one of %d with %q", st.Nlink, first[key])
		}
		for _, name := range attrNames(p) {
			value := make([]byte, 4096)
			n, _ := unix.Lgetxattr(p, name, value)
			line += fmt.Sprintf(" %s=%x", name, value[:max(n, 0)])
		}
		lines = append(lines, line)
		return nil
	})
	return lines, err
}

// moment shows a time; all that is about now is the same.
func moment(sec, nsec int64) string {
	if d := time.Since(time.Unix(sec, 0)); d > -time.Hour && d < time.Hour {
		return "now"
	}
	return fmt.Sprintf("%d.%09d", sec, nsec)
}

func attrNames(p string) []string {
	list := make([]byte, 4096)
	n, err := unix.Llistxattr(p, list)
	if err != nil || n <= 0 {
		return nil
	}
	names := strings.Split(strings.TrimSuffix(string(list[:n]), "\x00"), "\x00")
	slices.Sort(names)
	return names
}

// What lines say that depends on time, on the size of messages, or on who prints.
var unsettled = []struct {
	find *regexp.Regexp
	put  string
}{
	{regexp.MustCompile(`^sent .* bytes/sec$`), ""},
	{regexp.MustCompile(`speedup is .*`), "speedup"},
	{regexp.MustCompile(`^(File list (size|generation time|transfer time)|Total bytes (sent|received)): .*`), "$1"},
	{regexp.MustCompile(`\b20[0-9][0-9]/[0-9/]+-[0-9:]+`), "date"},
	{regexp.MustCompile(`^(Running socket program: |Using RSYNC_CONNECT_PROG |opening connection using: |sending daemon args: |protected args: |\[client\] _exit_cleanup).*`), ""},
	{regexp.MustCompile(`^(building|receiving|sending incremental|receiving incremental) file list.*|^done$`), ""},
	{regexp.MustCompile(`hash_hits=.*`), ""},
	{regexp.MustCompile(`^(Client|Server) is very old version of rsync.*`), ""},
}

// settled returns the lines of an output: what is deleted in its order, then the
// rest sorted, since messages of the three processes overtake each other.
func settled(out string) []string {
	var deleted, rest []string
	for line := range strings.Lines(out) {
		line = strings.TrimSuffix(line, "\n")
		for _, u := range unsettled {
			line = u.find.ReplaceAllString(line, u.put)
		}
		switch {
		case line == "":
		case strings.HasPrefix(line, "deleting ") || strings.HasPrefix(line, "*deleting "):
			deleted = append(deleted, line)
		default:
			rest = append(rest, line)
		}
	}
	slices.Sort(rest)
	return append(deleted, rest...)
}
