package mounts

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// linkLimit is how many symbolic links one name may pass, the kernel's number.
const linkLimit = 40

// Inside resolves name below root as chroot(2) would see it: an absolute link
// starts again at root, and ".." does not lead above it. The result is a path
// relative to root without any symbolic link ("." for root itself), to be used
// with the same os.Root, which refuses to leave root even if somebody puts a
// link in the way meanwhile.
//
// The last component may be missing: then the result says where it would be. If
// one before it is missing, the error wraps fs.ErrNotExist.
func Inside(root *os.Root, name string) (string, error) {
	pending := strings.Split(name, "/")
	resolved, links := ".", 0
	for len(pending) > 0 {
		part := pending[0]
		pending = pending[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			resolved = path.Dir(resolved) // "." stays "."
			continue
		}
		next := path.Join(resolved, part)
		info, err := root.Lstat(next)
		switch {
		case errors.Is(err, fs.ErrNotExist) && len(pending) == 0:
			return next, nil
		case err != nil:
			return "", fmt.Errorf("resolve %s below %s: %w", name, root.Name(), err)
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := root.Readlink(next)
			if links++; err == nil && links > linkLimit {
				err = unix.ELOOP
			}
			if err != nil {
				return "", fmt.Errorf("resolve %s below %s: %w", name, root.Name(), err)
			}
			if strings.HasPrefix(target, "/") {
				resolved = "."
			}
			pending = append(strings.Split(target, "/"), pending...)
		case !info.IsDir() && len(pending) > 0:
			return "", fmt.Errorf("resolve %s below %s: %s: %w", name, root.Name(), next, unix.ENOTDIR)
		default:
			resolved = next
		}
	}
	return resolved, nil
}
