package board

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// Dump copies what is on the music drives into a folder, laid out as playertest
// knows a player. The board is off, or its drives are read-only. It needs no
// privileges; run by root it keeps owners.
func Dump(ctx context.Context, d Disks, dir, release string) error {
	for name, image := range map[string]string{"drive0": d.Drive0, "drive1": d.Drive1} {
		target := filepath.Join(dir, name)
		if err := os.MkdirAll(target, 0o755); err != nil {
			return err
		}
		// debugfs takes a script's words apart at blanks and exits with 0 whatever happens.
		out, err := toolOutput(ctx, "debugfs", "-R", fmt.Sprintf("rdump / %q", target), image)
		if err != nil {
			return err
		}
		if _, err := os.Stat(filepath.Join(target, "fids")); err != nil {
			return fmt.Errorf("dump %s: %w: %s", image, err, out)
		}
	}
	bin := filepath.Join(dir, "empeg/bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(bin, "player.release"), []byte(release+"\n"), 0o644)
}

// Check looks whether the file systems of the music drives are sound: first their
// journals are played back, as the next mount would, then nothing may be amiss.
func Check(ctx context.Context, d Disks) error {
	for _, image := range []string{d.Drive0, d.Drive1} {
		if err := tool(ctx, "e2fsck", "-E", "journal_only", "-y", image); err != nil {
			return fmt.Errorf("play back the journal: %w", err)
		}
		if err := tool(ctx, "e2fsck", "-f", "-n", image); err != nil {
			return err
		}
	}
	return nil
}

// Copy copies the disks into a folder.
func (d Disks) Copy(ctx context.Context, dir string) (Disks, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return d, err
	}
	to := DisksIn(dir)
	for from, to := range map[string]string{d.Root: to.Root, d.Drive0: to.Drive0, d.Drive1: to.Drive1} {
		if err := tool(ctx, "cp", "--sparse=always", from, to); err != nil {
			return d, err
		}
	}
	return to, nil
}
