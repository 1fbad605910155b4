package install

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/empegsync/empegsync/pkg/mounts"
)

// tempMark is in the names of temporary files: .NAME.empegsync-new-1a2b3c4d.
const tempMark = ".empegsync-new-"

// stopPatience is how long a process is given to end.
const stopPatience = 20 * time.Second

// Applier does a plan's actions below a root.
type Applier struct {
	Root   string
	Guard  *mounts.Guard
	Report func(Action) // told each action before it is done; may be nil
	// Self says that this process runs the installed program, see Observed. What
	// it runs from is then left to the command that Apply returns.
	Self bool
}

// Apply does the actions in their order and stops at the first that fails: each
// needs those before it. File systems that were read-only are so again when it
// returns.
//
// A program cannot remove itself and have the drive made read-only: the kernel
// keeps what runs. So if Self is set and the plan removes the program, finish is
// a command for /bin/sh that does that, and the caller becomes it as the last
// thing it does (execve).
func (ap Applier) Apply(ctx context.Context, actions []Action) (finish string, err error) {
	tree, err := os.OpenRoot(ap.Root)
	if err != nil {
		return "", err
	}
	defer tree.Close()
	a := &applier{ctx: ctx, guard: ap.Guard, tree: tree, self: ap.Self, held: map[string]bool{}}
	defer func() { err = errors.Join(err, a.close()) }()
	for _, action := range actions {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		if ap.Report != nil {
			ap.Report(action)
		}
		if err := action.do(a); err != nil {
			return "", fmt.Errorf("%s: %w", action, err)
		}
	}
	return a.finish(), nil
}

type applier struct {
	ctx     context.Context
	guard   *mounts.Guard
	tree    *os.Root
	self    bool
	held    map[string]bool
	restore []func() error
	locked  bool     // the drive of the program is read-only otherwise
	later   []string // what this process runs from
	folder  bool     // and its folder
}

func (a *applier) close() error {
	var errs []error
	for _, restore := range a.restore {
		errs = append(errs, restore())
	}
	return errors.Join(errs...)
}

// folderOf resolves the folder of a name and makes it writable.
func (a *applier) folderOf(name string) (string, error) {
	rel, err := mounts.Inside(a.tree, path.Dir(name))
	if err != nil {
		return "", err
	}
	if a.held[rel] {
		return rel, nil
	}
	restore, changed, err := a.guard.Writable(filepath.Join(a.tree.Name(), rel))
	if err != nil {
		return "", err
	}
	a.held[rel] = true
	a.locked = a.locked || changed && path.Dir(name) == Folder
	a.restore = append(a.restore, restore)
	return rel, nil
}

// sync makes the names in a folder durable.
func (a *applier) sync(rel string) error {
	dir, err := a.tree.Open(rel)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil && !errors.Is(err, unix.EINVAL) { // some file systems cannot
		return fmt.Errorf("make it durable: %w", err)
	}
	return nil
}

func (a MakeFolder) do(ap *applier) error {
	dir, err := ap.folderOf(a.Name)
	if err != nil {
		return err
	}
	if err := ap.tree.Mkdir(path.Join(dir, path.Base(a.Name)), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return ap.sync(dir)
}

// place makes a temporary name, has it filled, and renames it to its place.
func (ap *applier) place(name string, fill func(temp string) error) error {
	dir, err := ap.folderOf(name)
	if err != nil {
		return err
	}
	var random [4]byte
	if _, err := rand.Read(random[:]); err != nil {
		return err
	}
	temp := path.Join(dir, "."+path.Base(name)+tempMark+hex.EncodeToString(random[:]))
	if err := fill(temp); err != nil {
		return errors.Join(err, removeIfThere(ap.tree, temp))
	}
	if err := ap.tree.Rename(temp, path.Join(dir, path.Base(name))); err != nil {
		return errors.Join(err, removeIfThere(ap.tree, temp))
	}
	return ap.sync(dir)
}

func removeIfThere(tree *os.Root, name string) error {
	if err := tree.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// write fills a new file and forces it to the disk.
func (ap *applier) write(temp string, mode fs.FileMode, from io.Reader) error {
	f, err := ap.tree.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
