package rootfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"syscall"
)

// maxSmallHops bounds the links that ReadSmall follows one after the other.
const maxSmallHops = 8

// ReadSmall returns what is in the file at path, at most limit bytes: more is
// an error. Symbolic links are followed, the last component included, as long
// as they lead to a place inside this root; one that is absolute or climbs out
// is ErrEscapes. What is there but is no regular file has no text:
// fs.ErrNotExist, as if it were not there.
func (r *Root) ReadSmall(name string, limit int) ([]byte, error) {
	if err := CheckPath(name); err != nil {
		return nil, pathError("read", name, err)
	}
	at := name
	for range maxSmallHops {
		dir, base := split(at)
		sub, err := r.Sub(dir)
		if errors.Is(err, syscall.ENOTDIR) {
			return nil, pathError("read", name, fs.ErrNotExist)
		}
		if err != nil {
			return nil, err
		}
		target, text, err := sub.readHere(base, limit)
		sub.Close()
		if target == "" {
			return text, err
		}
		if strings.HasPrefix(target, "/") {
			return nil, pathError("read", name, ErrEscapes)
		}
		if at = path.Join(dir, target); CheckPath(at) != nil {
			return nil, pathError("read", name, ErrEscapes)
		}
	}
	return nil, pathError("read", name, syscall.ELOOP)
}

// readHere reads the file base in the root itself, or a link's target.
func (r *Root) readHere(base string, limit int) (target string, text []byte, err error) {
	info, err := r.Lstat(base)
	switch {
	case err != nil:
		return "", nil, err
	case info.IsSymlink():
		target, err = r.Readlink(base)
		return target, nil, err
	case !info.IsRegular():
		return "", nil, pathError("read", base, fs.ErrNotExist)
	}
	f, _, err := r.OpenRead(base, 0)
	if err != nil {
		return "", nil, err
	}
	defer f.Close()
	text, err = io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err == nil && len(text) > limit {
		err = pathError("read", base, fmt.Errorf("larger than %d bytes", limit))
	}
	return "", text, err
}
