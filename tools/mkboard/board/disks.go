package board

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Disks are a board's three disks, as image files.
type Disks struct{ Root, Drive0, Drive1 string }

// DisksIn are the disks that [Base.Disks] makes in a folder.
func DisksIn(dir string) Disks {
	return Disks{filepath.Join(dir, "root.img"), filepath.Join(dir, "drive0.img"), filepath.Join(dir, "drive1.img")}
}

// DiskOptions say what [Base.Disks] makes. The zero value is a bare player.
type DiskOptions struct {
	DriveMB int               // size of each music drive; 32 if 0
	Address string            // of eth0, in config.ini; without it eth0 stays down
	Files   map[string]string // more for the root: name below it -> file, taken with its mode
}

// rootMB is the size of a player's root file system.
const rootMB = 16

// Disks makes the disks of a player that package playertest has laid out in a
// folder, which is changed on the way: programs are added to its root.
func (b *Base) Disks(ctx context.Context, player, dir string, o DiskOptions) (Disks, error) {
	if o.DriveMB == 0 {
		o.DriveMB = 32
	}
	d := DisksIn(dir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return d, err
	}
	if o.Address != "" {
		if err := setAddress(player, o.Address); err != nil {
			return d, fmt.Errorf("make disks: %w", err)
		}
	}
	for name, image := range map[string]string{"drive0": d.Drive0, "drive1": d.Drive1} {
		// The journal is what makes a power cut survivable; small blocks suit small files.
		if err := makeImage(ctx, "ext4", filepath.Join(player, name), image, o.DriveMB); err != nil {
			return d, err
		}
	}
	return d, b.root(ctx, player, d.Root, o.Files)
}

// root makes the root's image alone, as an upgrade of the player does.
func (b *Base) root(ctx context.Context, player, image string, files map[string]string) error {
	tree, err := os.MkdirTemp("", "board-root")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tree)
	if err := b.layRoot(player, tree, files); err != nil {
		return fmt.Errorf("make the root: %w", err)
	}
	return makeImage(ctx, "ext2", tree, image, rootMB)
}

// Upgrade writes the root anew, as an upgrade of the player's software does: what
// was there is gone.
func (b *Base) Upgrade(ctx context.Context, player string, d Disks) error {
	return b.root(ctx, player, d.Root, nil)
}

// layRoot lays out the root below tree: the player's files without what is on its
// drives, and the board's programs.
func (b *Base) layRoot(player, tree string, files map[string]string) error {
	// Links must stay links, and the mount points empty.
	if out, err := exec.Command("cp", "-a", player+"/.", tree).CombinedOutput(); err != nil {
		return fmt.Errorf("cp: %w: %s", err, out)
	}
	for _, drive := range []string{"drive0", "drive1"} {
		if err := errors.Join(os.RemoveAll(filepath.Join(tree, drive)), os.Mkdir(filepath.Join(tree, drive), 0o755)); err != nil {
			return err
		}
	}
	for name, content := range b.programs {
		if err := put(tree, name, content, 0o755); err != nil {
			return err
		}
	}
	for _, name := range []string{"empeg/bin/player", "bin/peak"} {
		if err := os.Link(filepath.Join(tree, "bin/init"), filepath.Join(tree, name)); err != nil {
			return err
		}
	}
	for name, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			return err
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := put(tree, name, content, info.Mode().Perm()); err != nil {
			return err
		}
	}
	for _, l := range b.links {
		if err := os.Symlink(l.Target, filepath.Join(tree, "bin", l.Name)); err != nil {
			return err
		}
	}
	return nil
}

func put(tree, name string, content []byte, mode os.FileMode) error {
	file := filepath.Join(tree, filepath.FromSlash(name))
	return errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, content, mode), os.Chmod(file, mode))
}

// setAddress gives the player a fixed address.
func setAddress(player, address string) error {
	file := filepath.Join(player, "drive0/var/config.ini")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	fixed := strings.Replace(string(text), "dhcp=1\n", "dhcp=0\nipaddress="+address+"\nnetmask=255.255.255.0\n", 1)
	return os.WriteFile(file, []byte(fixed), 0o644)
}

// makeImage makes an image file that holds a folder.
func makeImage(ctx context.Context, kind, tree, image string, megabytes int) error {
	if err := os.RemoveAll(image); err != nil {
		return err
	}
	return tool(ctx, "mke2fs", "-q", "-F", "-t", kind, "-b", "1024", "-I", "256", "-m", "0", "-O", "^metadata_csum", "-E", "root_owner=0:0,lazy_itable_init=0",
		"-d", tree, image, fmt.Sprintf("%dM", megabytes))
}

// tool runs one of e2fsprogs, which may lie outside an ordinary user's PATH.
func tool(ctx context.Context, name string, args ...string) error {
	_, err := toolOutput(ctx, name, args...)
	return err
}

func toolOutput(ctx context.Context, name string, args ...string) (string, error) {
	program, err := exec.LookPath(name)
	if err != nil {
		program = "/sbin/" + name
	}
	out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}
