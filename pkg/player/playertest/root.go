package playertest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// layRoot makes the root file system of a developer image as far as software that
// is not the player's own meets it, and the drives' own folders. Device nodes and
// programs are left out.
func layRoot(dir string, o Options) error {
	dirs := []string{
		"bin", "dev", "empeg/bin", "etc/terminfo", "proc", "tmp",
		"drive0/fids", "drive0/lost+found", "drive0/var",
	}
	links := map[string]string{
		"sbin": "bin", "dev/console": "ttyS1",
		"empeg/var": "../drive0/var", "empeg/fids0": "../drive0/fids", "empeg/fids1": "../drive1/fids",
	}
	fstab := "/dev/hda5 / ext2 defaults,ro 0 1\n/dev/hda4 /drive0 ext2 defaults,ro 0 2\n"
	if o.Drives == 2 {
		dirs = append(dirs, "drive1/fids", "drive1/lost+found")
		fstab += "/dev/hdc4 /drive1 ext2 defaults,ro 0 2\n"
	}
	files := map[string]string{
		"etc/fstab":             fstab + "none /proc proc defaults 0 0\n",
		"etc/ld.so.conf":        "",
		"etc/profile":           "PS1=\"empeg:\\w\\$ \"\nexport PS1\n",
		"drive0/var/config.ini": configIni(o.Name),
		releaseFile:             o.Release.String() + "\n",
	}
	if err := makeDir(dir); err != nil {
		return err
	}
	for _, name := range dirs {
		for _, part := range []string{filepath.Dir(name), name} {
			if err := makeDir(filepath.Join(dir, part)); err != nil {
				return err
			}
		}
	}
	for name, target := range links {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	for name, content := range files {
		if err := writeFile(filepath.Join(dir, name), []byte(content), firstDay()); err != nil {
			return err
		}
	}
	return layHelpers(filepath.Join(dir, "bin"))
}

// layHelpers writes the four scripts by which a player's shell remounts its file
// systems. They pass -n since a player has no mtab.
func layHelpers(bin string) error {
	remount := func(mode, on string) string { return "mount -n -o remount," + mode + " " + on + "\n" }
	drives := func(mode string) string {
		return remount(mode, "/drive0") + "if [ -d /drive1/fids ]; then " + remount(mode, "/drive1") + "fi\n"
	}
	for name, body := range map[string]string{
		"rw": remount("rw", "/"), "ro": remount("ro", "/"), "rwm": drives("rw"), "rom": drives("ro"),
	} {
		file := filepath.Join(bin, name)
		if err := writeFile(file, []byte("#!/bin/sh\n"+body), firstDay()); err != nil {
			return err
		}
		if err := os.Chmod(file, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// configIni is the player's own configuration: it names the player, takes its
// address by DHCP, and keeps the serial line at full speed in the car.
func configIni(name string) string {
	return "[Options]\nname=" + name + "\n\n[network]\ndhcp=1\n\n[serial]\ncar_rate=115200\n"
}

// releaseFile says which release of the player software is installed. Real players
// have no such file: there the program /empeg/bin/player knows what it is.
const releaseFile = "empeg/bin/player.release"

// installed reads the release that Build laid down.
func installed(root string) (Release, error) {
	b, err := readBounded(filepath.Join(root, releaseFile), 16)
	if err != nil {
		return 0, fmt.Errorf("which player software is installed: %w", err)
	}
	return ParseRelease(strings.TrimSpace(string(b)))
}

// varDir is where a player keeps its database and configuration.
func varDir(root string) string { return filepath.Join(root, "drive0", "var") }
