package authorized

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

// File is an authorized_keys file.
type File struct {
	Path string
	// UID and GID own it, and its folder, where they have to be made.
	UID, GID uint32
	// Makes says that the file's folder may be made if it is not there.
	Makes bool
}

// maxFile bounds what is read of the file, in bytes.
const maxFile = 1 << 20

// Add adds a line for a key. A key that the file has already is an error: sshd
// heeds the first line alone.
func (f File) Add(key Key, line string) error {
	dir, name := filepath.Split(filepath.Clean(f.Path))
	root, err := f.folder(filepath.Clean(dir))
	if err != nil {
		return err
	}
	defer root.Close()
	old, meta, err := f.read(root, name)
	if err != nil {
		return fmt.Errorf("read %s: %w", f.Path, err)
	}
	if n := find(old, key); n > 0 {
		return fmt.Errorf("%s has this key already, in line %d: change that line, or remove it first", f.Path, n)
	}
	if len(old) > 0 && old[len(old)-1] != '\n' {
		old = append(old, '\n')
	}
	if err := write(root, name, append(old, line+"\n"...), meta); err != nil {
		return fmt.Errorf("write %s: %w", f.Path, err)
	}
	return nil
}

// folder opens the file's folder. What is above it is the administrator's; the
// folder itself may be somebody else's, and must not be a link.
func (f File) folder(dir string) (*rootfs.Root, error) {
	above, err := rootfs.Open(filepath.Dir(dir))
	if err != nil {
		return nil, fmt.Errorf("open the folder of %s: %w", dir, err)
	}
	defer above.Close()
	name := filepath.Base(dir)
	if dir == "/" {
		return rootfs.Open(dir)
	}
	info, err := above.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && f.Makes:
		if err := above.Mkdir(name, 0o700); err != nil {
			return nil, err
		}
		m := rootfs.Meta{Fields: rootfs.FieldMode | rootfs.FieldUID | rootfs.FieldGID, Mode: 0o700, UID: f.UID, GID: f.GID}
		if err := above.SetMetadata(name, m); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, fmt.Errorf("look at %s: %w", dir, err)
	case info.IsSymlink():
		return nil, fmt.Errorf("%s is a link: name the folder that it leads to with --file", dir)
	case info.UID != f.UID && info.UID != 0:
		return nil, fmt.Errorf("%s belongs to another user (%d): its owner could put anything in the place of the file", dir, info.UID)
	}
	root, err := above.Sub(name)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	return root, nil
}

// read reads what there is, and what it is like.
func (f File) read(root *rootfs.Root, name string) ([]byte, rootfs.Meta, error) {
	fields := rootfs.FieldMode | rootfs.FieldUID | rootfs.FieldGID
	file, info, err := root.OpenRead(name, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, rootfs.Meta{Fields: fields, Mode: 0o600, UID: f.UID, GID: f.GID}, nil
	case errors.Is(err, rootfs.ErrSymlink):
		return nil, rootfs.Meta{}, errors.New("it is a link: name the file that it leads to with --file")
	case err != nil:
		return nil, rootfs.Meta{}, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("it has more than %d bytes", maxFile)
	}
	return text, rootfs.Meta{Fields: fields, Mode: info.Perm(), UID: info.UID, GID: info.GID}, err
}

// write replaces the file in one step.
func write(root *rootfs.Root, name string, text []byte, meta rootfs.Meta) error {
	t, err := root.CreateTemp(name)
	if err != nil {
		return err
	}
	defer t.Abort()
	if _, err := t.Write(text); err != nil {
		return err
	}
	if err := t.SetMetadata(meta); err != nil {
		return err
	}
	if err := t.Sync(); err != nil {
		return err
	}
	if err := t.Commit(name); err != nil {
		return err
	}
	return root.SyncDir(".")
}
