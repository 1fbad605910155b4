package mounts

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Kernel is what a Guard needs of the operating system. Calls come one at a
// time.
type Kernel interface {
	// ReadOnly reports whether the file system refuses writing at path, which
	// exists.
	ReadOnly(path string) (bool, error)
	// Mountinfo returns the text of /proc/self/mountinfo.
	Mountinfo() ([]byte, error)
	// Remount is mount(2) with MS_REMOUNT and the given flags on a mount
	// point: with MS_BIND it changes that mount alone, without it the file
	// system too. Errors wrap the errno.
	Remount(point string, flags uintptr) error
	// Sync writes out everything that is pending on the file system of path.
	Sync(path string) error
	// Writers names some of those who have files open for writing below point,
	// each as "pid 12 (name): /path", for a message. It may return nothing.
	Writers(point string) []string
}

// Linux is the Kernel of the running system. It needs /proc to be mounted once
// something is read-only. The zero value is ready.
type Linux struct{}

// mountinfoLimit bounds what is read of /proc/self/mountinfo: tens of thousands
// of mounts.
const mountinfoLimit = 16 << 20

// ReadOnly asks statfs(2), which knows of both the mount and the file system.
func (Linux) ReadOnly(path string) (bool, error) {
	var st unix.Statfs_t
	if err := retry(func() error { return unix.Statfs(path, &st) }); err != nil {
		return false, fmt.Errorf("statfs %s: %w", path, err)
	}
	return st.Flags&unix.ST_RDONLY != 0, nil
}

// Mountinfo reads /proc/self/mountinfo.
func (Linux) Mountinfo() ([]byte, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("%w (is /proc mounted?)", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, mountinfoLimit+1))
	if err == nil && len(text) > mountinfoLimit {
		err = fmt.Errorf("%s: longer than %d bytes", f.Name(), mountinfoLimit)
	}
	return text, err
}

// Remount calls mount(2). Source, type and data are ignored or kept by the
// kernel on a remount.
func (Linux) Remount(point string, flags uintptr) error {
	return unix.Mount("", point, "", unix.MS_REMOUNT|flags, "")
}

// Sync calls syncfs(2).
func (Linux) Sync(path string) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	defer unix.Close(fd)
	if err := retry(func() error { return unix.Syncfs(fd) }); err != nil {
		return fmt.Errorf("sync %s: %w", path, err)
	}
	return nil
}

// writersLimit is how many busy files a message names.
const writersLimit = 3

// Writers looks through /proc/PID/fd of the processes it may look at.
func (Linux) Writers(point string) []string {
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return nil
	}
	var found []string
	for _, link := range links {
		file, err := os.Readlink(link)
		if err != nil || !within(file, point) {
			continue
		}
		process := filepath.Dir(filepath.Dir(link))
		if !opensForWriting(filepath.Join(process, "fdinfo", filepath.Base(link))) {
			continue
		}
		name, _ := os.ReadFile(filepath.Join(process, "comm")) // gone meanwhile: no name
		found = append(found, fmt.Sprintf("pid %s (%s): %s",
			filepath.Base(process), strings.TrimSpace(string(name)), file))
		if len(found) == writersLimit {
			break
		}
	}
	return slices.Clip(found)
}

// opensForWriting reads the open flags of a descriptor from its fdinfo.
func opensForWriting(fdinfo string) bool {
	text, err := os.ReadFile(fdinfo)
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "flags:"); ok {
			flags, err := strconv.ParseUint(strings.TrimSpace(value), 8, 32)
			return err == nil && flags&unix.O_ACCMODE != unix.O_RDONLY
		}
	}
	return false
}

// retry repeats a system call that a signal interrupted.
func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}
