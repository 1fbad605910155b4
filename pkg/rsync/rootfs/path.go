package rootfs

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
)

// Reasons for which a path is refused. Methods return them inside an *fs.PathError; use errors.Is.
var (
	// ErrBadPath: the name is not a clean relative path: empty, with an empty or "." component, a NUL byte, longer than
	// PATH_MAX, or "." where the root itself cannot be meant.
	ErrBadPath = errors.New("not a clean relative path")
	// ErrEscapes: the name is absolute or has a ".." component, or (in Sub) a link leads out of the root.
	ErrEscapes = errors.New("path leads out of the root")
	// ErrSymlink: a symbolic link stands where a directory or a file to be opened is needed.
	ErrSymlink = errors.New("a symbolic link is in the way")
	// ErrNotRegular: a regular file was asked for and something else is there.
	ErrNotRegular = errors.New("not a regular file")
)

// maxPath is the longest path taken, in bytes: the kernel's PATH_MAX (4096) less the ending NUL.
const maxPath = 4095

// CheckPath reports whether path may be given to a Root: "." or clean components joined by single slashes. The error
// wraps ErrEscapes or ErrBadPath; it says nothing about what exists on disk.
func CheckPath(path string) error {
	switch {
	case path == ".":
		return nil
	case path == "":
		return ErrBadPath
	case len(path) > maxPath:
		return because(ErrBadPath, syscall.ENAMETOOLONG)
	case path[0] == '/':
		return ErrEscapes
	}
	bad := error(nil)
	start := 0
	for i := 0; i <= len(path); i++ {
		if i < len(path) && path[i] != '/' {
			if path[i] == 0 {
				bad = ErrBadPath
			}
			continue
		}
		switch path[start:i] {
		case "..":
			return ErrEscapes // worth telling apart even in an otherwise malformed name
		case "", ".":
			bad = ErrBadPath
		}
		start = i + 1
	}
	return bad
}

// isName reports whether base is a single clean component.
func isName(base string) bool {
	switch base {
	case "", ".", "..":
		return false
	}
	for i := range len(base) {
		if base[i] == '/' || base[i] == 0 {
			return false
		}
	}
	return true
}

// split cuts a checked path into its directory ("." for the root) and last component.
func split(path string) (dir, base string) {
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		return path[:i], path[i+1:]
	}
	return ".", path
}

// join is the inverse of split.
func join(dir, base string) string {
	if dir == "." {
		return base
	}
	return dir + "/" + base
}

// within reports whether path is dir or below it.
func within(path, dir string) bool {
	return dir == "." || strings.HasPrefix(path, dir) && (len(path) == len(dir) || path[len(dir)] == '/')
}

// pathError gives err its operation and path; nil stays nil, and an error that already has them is left alone.
func pathError(op, path string, err error) error {
	if err == nil {
		return nil
	}
	if pe, ok := err.(*fs.PathError); ok {
		return pe
	}
	return &fs.PathError{Op: op, Path: path, Err: err}
}

// because joins what we know (reason) with what the kernel said, so that errors.Is finds both.
func because(reason error, errno error) error {
	return fmt.Errorf("%w (%w)", reason, errno)
}

// isErrno reports whether err is one of the given errno values, without looking into wrapped errors.
func isErrno(err error, any ...syscall.Errno) bool {
	e, ok := err.(syscall.Errno)
	if !ok {
		return false
	}
	for _, a := range any {
		if e == a {
			return true
		}
	}
	return false
}
