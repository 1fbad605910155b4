package board

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path"
	"path/filepath"
)

// maxFile bounds a file taken from a package; a kernel has some 6 MB.
const maxFile = 64 << 20

// findPackage returns the one file of a Debian package whose name is like pattern,
// such as "busybox-static_*".
func findPackage(dir, pattern string) (string, error) {
	found, err := filepath.Glob(filepath.Join(dir, pattern+".deb"))
	if err != nil {
		return "", err
	}
	if len(found) != 1 {
		return "", fmt.Errorf("%d packages like %s in %s, want one; scripts/board-packages.sh fetches them", len(found), pattern, dir)
	}
	return found[0], nil
}

// unpack calls visit for each regular file of a package that want asks for. Names
// are like "boot/vmlinuz". The package is read by dpkg-deb, which every system has
// that can fetch it.
func unpack(ctx context.Context, deb string, want func(name string) bool, visit func(name string, content []byte) error) (err error) {
	cmd := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", deb)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("unpack %s: %w", deb, err)
	}
	defer func() {
		// What is left is read, or dpkg-deb would die of a broken pipe.
		_, copyErr := io.Copy(io.Discard, out)
		if err = errors.Join(err, copyErr, cmd.Wait()); err != nil {
			err = fmt.Errorf("unpack %s: %w", filepath.Base(deb), err)
		}
	}()
	t := tar.NewReader(out)
	for {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		name := path.Clean(h.Name)
		if h.Typeflag != tar.TypeReg || !want(name) {
			continue
		}
		if h.Size > maxFile {
			return fmt.Errorf("%s has %d bytes, more than %d", name, h.Size, maxFile)
		}
		content, err := io.ReadAll(t)
		if err != nil {
			return err
		}
		if err := visit(name, content); err != nil {
			return err
		}
	}
}
