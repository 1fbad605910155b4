package mounts

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Mount is one line of /proc/self/mountinfo, as proc_pid_mountinfo(5) describes
// it. Octal escapes are decoded.
type Mount struct {
	ID     int    // unique among the mounts that exist now
	Parent int    // ID of the mount this one is mounted on
	Device string // major:minor of the file system, equal for all its mounts
	Root   string // directory of the file system that is seen at Point
	Point  string // where it is mounted, an absolute path in this process's root

	Options []string // of this mount alone: ro, nosuid, noatime...
	FSType  string
	Source  string
	// SuperOptions belong to the file system itself, and so to all its mounts.
	SuperOptions []string
}

// MountReadOnly reports whether this mount alone refuses writing. Another mount
// of the same file system may still be writable (a read-only bind mount).
func (m Mount) MountReadOnly() bool { return slices.Contains(m.Options, "ro") }

// SuperReadOnly reports whether the file system refuses writing through any
// mount.
func (m Mount) SuperReadOnly() bool { return slices.Contains(m.SuperOptions, "ro") }

// ReadOnly reports whether writing at Point is refused for either reason.
func (m Mount) ReadOnly() bool { return m.MountReadOnly() || m.SuperReadOnly() }

// mountFlags are the mount(2) flags of the mount itself, without MS_RDONLY. A
// remount sets all of them anew, so what is not repeated here would be lost.
func (m Mount) mountFlags() uintptr {
	var flags uintptr
	for _, option := range m.Options {
		switch option {
		case "nosuid":
			flags |= unix.MS_NOSUID
		case "nodev":
			flags |= unix.MS_NODEV
		case "noexec":
			flags |= unix.MS_NOEXEC
		case "noatime":
			flags |= unix.MS_NOATIME
		case "nodiratime":
			flags |= unix.MS_NODIRATIME
		case "relatime":
			flags |= unix.MS_RELATIME
		case "nosymfollow":
			flags |= unix.MS_NOSYMFOLLOW
		}
	}
	// Neither of the two is how the kernel shows strictatime; left out, an
	// older kernel would make it relatime.
	if flags&(unix.MS_NOATIME|unix.MS_RELATIME) == 0 {
		flags |= unix.MS_STRICTATIME
	}
	return flags
}

// superFlags are the mount(2) flags of the file system, without MS_RDONLY.
func (m Mount) superFlags() uintptr {
	var flags uintptr
	for _, option := range m.SuperOptions {
		switch option {
		case "sync":
			flags |= unix.MS_SYNCHRONOUS
		case "dirsync":
			flags |= unix.MS_DIRSYNC
		case "mand":
			flags |= unix.MS_MANDLOCK
		case "lazytime":
			flags |= unix.MS_LAZYTIME
		}
	}
	return flags
}

// Parse reads the text of /proc/self/mountinfo. The order of the lines is kept.
func Parse(text []byte) ([]Mount, error) {
	var mounts []Mount
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			continue
		}
		m, err := parseLine(line)
		if err != nil {
			return nil, fmt.Errorf("mountinfo line %d: %w", number, err)
		}
		mounts = append(mounts, m)
	}
	return mounts, nil
}

// parseLine reads one line:
//
//	36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
//
// Fields are parted by exactly one blank and may be empty (a mount without a
// source), so they are split, not scanned.
func parseLine(line string) (Mount, error) {
	left, right, ok := strings.Cut(line, " - ")
	if !ok {
		return Mount{}, fmt.Errorf("no separator in %q", line)
	}
	fields, tail := strings.Split(left, " "), strings.Split(right, " ")
	if len(fields) < 6 || len(tail) < 3 {
		return Mount{}, fmt.Errorf("too few fields in %q", line)
	}
	id, err := strconv.Atoi(fields[0])
	if err != nil {
		return Mount{}, fmt.Errorf("mount id: %w", err)
	}
	parent, err := strconv.Atoi(fields[1])
	if err != nil {
		return Mount{}, fmt.Errorf("parent id: %w", err)
	}
	return Mount{
		ID:           id,
		Parent:       parent,
		Device:       fields[2],
		Root:         unescape(fields[3]),
		Point:        unescape(fields[4]),
		Options:      strings.Split(fields[5], ","),
		FSType:       unescape(tail[0]),
		Source:       unescape(tail[1]),
		SuperOptions: strings.Split(tail[2], ","),
	}, nil
}

// unescape decodes the kernel's \ooo for blank, tab, newline, backslash and #.
// A backslash that starts no such escape stays as it is.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if v, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				out = append(out, byte(v))
				i += 3
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}

// Holding returns the mount on which path lies. The path is absolute, clean and
// free of symbolic links.
//
// The search goes down from the root as the kernel does: from a mount to the
// child that is met first on the way to path. So of several mounts at one place
// the topmost is found, and a mount that lies hidden below a later one is not.
func Holding(mounts []Mount, path string) (Mount, bool) {
	known := make(map[int]bool, len(mounts))
	for _, m := range mounts {
		known[m.ID] = true
	}
	current := -1
	for range mounts { // a chain cannot be longer; cycles end here
		next := -1
		for i, m := range mounts {
			if !within(path, m.Point) || i == current || !follows(mounts, current, m, known) {
				continue
			}
			if next < 0 || len(m.Point) <= len(mounts[next].Point) {
				next = i
			}
		}
		if next < 0 {
			break
		}
		current = next
	}
	if current < 0 {
		return Mount{}, false
	}
	return mounts[current], true
}

// follows reports whether m is mounted directly on mounts[current], or, at the
// start (-1), whether it is mounted on nothing that this process can see.
func follows(mounts []Mount, current int, m Mount, known map[int]bool) bool {
	if current < 0 {
		return m.Parent == m.ID || !known[m.Parent]
	}
	return m.Parent == mounts[current].ID && m.ID != m.Parent
}

// within reports whether path is dir or lies below it, whole names compared.
func within(path, dir string) bool {
	if dir == "/" {
		return strings.HasPrefix(path, "/")
	}
	rest, ok := strings.CutPrefix(path, dir)
	return ok && dir != "" && (rest == "" || rest[0] == '/')
}
