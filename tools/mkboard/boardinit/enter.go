package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// modulesFile lists, a line each and in order, the modules to load.
const modulesFile = "/modules"

// The disks by the serial numbers that the emulator gives them, and the names by
// which a player knows them.
func disks() map[string]string {
	return map[string]string{"root": "hda5", "drive0": "hda4", "drive1": "hdc4"}
}

// enterRoot goes from the kernel's initial file system to the board's own.
func enterRoot() error {
	for _, m := range []struct{ kind, at string }{{"devtmpfs", "/dev"}, {"sysfs", "/sys"}, {"proc", "/proc"}} {
		if err := unix.Mount(m.kind, m.at, m.kind, 0, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m.at, err)
		}
	}
	if err := loadModules(); err != nil {
		return err
	}
	if err := nameDisks(); err != nil {
		return err
	}
	if err := unix.Mount("/dev/hda5", "/root", "ext2", unix.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("mount the root: %w", err)
	}
	for _, at := range []string{"/proc", "/sys"} {
		if err := unix.Unmount(at, 0); err != nil {
			return fmt.Errorf("unmount %s: %w", at, err)
		}
	}
	return switchRoot("/root", "/bin/init")
}

// switchRoot makes dir the root and runs program there as this process. The files
// of the old root are removed first: they lie in memory.
func switchRoot(dir, program string) error {
	if err := unix.Mount("/dev", dir+"/dev", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move /dev: %w", err)
	}
	old, err := os.ReadDir("/")
	if err != nil {
		return err
	}
	for _, de := range old {
		if name := "/" + de.Name(); name != dir {
			if err := os.RemoveAll(name); err != nil {
				return err
			}
		}
	}
	if err := errors.Join(unix.Chdir(dir), unix.Mount(".", "/", "", unix.MS_MOVE, ""), unix.Chroot("."), unix.Chdir("/")); err != nil {
		return fmt.Errorf("go over to the root: %w", err)
	}
	return fmt.Errorf("run %s: %w", program, unix.Exec(program, []string{program}, os.Environ()))
}

func loadModules() error {
	list, err := os.ReadFile(modulesFile)
	if err != nil {
		return err
	}
	for name := range strings.FieldsSeq(string(list)) {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		err = unix.FinitModule(int(f.Fd()), "", 0)
		f.Close()
		if err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("load %s: %w", name, err)
		}
	}
	return nil
}

// nameDisks links the disks in /dev by the names that a player has for them. The
// second drive may be absent.
func nameDisks() error {
	deadline := time.Now().Add(time.Minute)
	for {
		found := make(map[string]bool)
		serials, err := filepath.Glob("/sys/block/vd*/serial")
		if err != nil {
			return err
		}
		for _, file := range serials {
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			serial := strings.TrimRight(string(text), "\x00\n")
			name, known := disks()[serial]
			if !known {
				continue
			}
			found[serial] = true
			err = os.Symlink(filepath.Base(filepath.Dir(file)), "/dev/"+name)
			if err != nil && !errors.Is(err, os.ErrExist) {
				return err
			}
		}
		if found["root"] && found["drive0"] {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the disks root and drive0 have not come; found %v", found)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
