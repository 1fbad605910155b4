package install

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

func (a PutFile) do(ap *applier) error {
	return ap.place(a.Name, func(temp string) error {
		return ap.write(temp, a.Mode, bytes.NewReader(a.Text))
	})
}

func (a PutProgram) do(ap *applier) error {
	from, err := os.Open(a.From)
	if err != nil {
		return err
	}
	defer from.Close()
	return ap.place(a.Name, func(temp string) error {
		if err := ap.write(temp, executable, from); err != nil {
			return err
		}
		return ap.verify(temp, a.Sum)
	})
}

// verify reads a copy back, from the disk where the system lets go of what it
// remembers of the file.
func (ap *applier) verify(name, want string) error {
	f, err := ap.tree.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) // a request, no more
	got, err := sum(f)
	if err == nil && got != want {
		err = errors.New("the copy differs from the original; look at the disk with fsck, and try again")
	}
	return err
}

func (a MakeLink) do(ap *applier) error {
	return ap.place(a.Name, func(temp string) error { return ap.tree.Symlink(a.Target, temp) })
}

func (a SecondName) do(ap *applier) error {
	dir, err := ap.folderOf(a.From)
	if err != nil {
		return err
	}
	return ap.place(a.To, func(temp string) error { return ap.tree.Link(path.Join(dir, path.Base(a.From)), temp) })
}

func (a Rename) do(ap *applier) error {
	from, err := ap.folderOf(a.From)
	if err != nil {
		return err
	}
	to, err := ap.folderOf(a.To)
	if err != nil {
		return err
	}
	if err := ap.tree.Rename(path.Join(from, path.Base(a.From)), path.Join(to, path.Base(a.To))); err != nil {
		return err
	}
	return errors.Join(ap.sync(to), ap.sync(from))
}

func (a Remove) do(ap *applier) error {
	if ap.self && (a.Name == Program || a.Name == OldProgram) {
		ap.later = append(ap.later, a.Name)
		return nil
	}
	return ap.remove(a.Name)
}

func (a RemoveFolder) do(ap *applier) error {
	if len(ap.later) > 0 && a.Name == Folder {
		ap.folder = true
		return nil
	}
	return ap.remove(a.Name)
}

// remove takes a name away, for good.
func (ap *applier) remove(name string) error {
	dir, err := ap.folderOf(name)
	if err != nil {
		return err
	}
	if err := removeIfThere(ap.tree, path.Join(dir, path.Base(name))); err != nil {
		return err
	}
	return ap.sync(dir)
}

func (a Stop) do(ap *applier) error {
	if err := unix.Kill(a.PID, unix.SIGTERM); err != nil {
		if errors.Is(err, unix.ESRCH) {
			return nil
		}
		return err
	}
	for deadline := time.Now().Add(stopPatience); time.Now().Before(deadline); {
		if errors.Is(unix.Kill(a.PID, 0), unix.ESRCH) {
			return nil
		}
		select {
		case <-ap.ctx.Done():
			return ap.ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return fmt.Errorf("it does not end; end it by hand: kill -9 %d", a.PID)
}

// finish is what is left for a shell, see Apply.
func (ap *applier) finish() string {
	if len(ap.later) == 0 {
		return ""
	}
	lines := []string{"cd /"}
	if ap.locked {
		lines = append(lines, "mount -n -o remount,rw /drive0")
	}
	lines = append(lines, "rm -f "+strings.Join(ap.later, " "))
	if ap.folder {
		lines = append(lines, "rmdir "+Folder)
	}
	lines = append(lines, "sync")
	if ap.locked {
		lines = append(lines, "mount -n -o remount,ro /drive0")
	}
	return strings.Join(lines, "; ")
}
