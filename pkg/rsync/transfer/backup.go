package transfer

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync"
	"syscall"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

// backups keeps what is replaced or deleted (backup.c). Both goroutines of a
// receiver use it.
type backups struct {
	*receiver
	to   *place // --backup-dir, nil for beside the file
	mu   sync.Mutex
	made map[string]struct{} // folders below to that are there
}

// openBackups prepares for --backup (main.c:do_recv).
func (r *receiver) openBackups() error {
	r.backups = &backups{receiver: r, made: map[string]struct{}{}}
	if r.opt.BackupDir == "" {
		return nil
	}
	pl, err := r.openPlace("--backup-dir", r.opt.BackupDir)
	if err != nil {
		return err
	}
	exists, isDir, err := pl.isDir()
	switch {
	case err != nil:
		return proto.Failf(proto.ExitSyntax, "Failed to stat backup-dir %q: %w", pl.shown, reason(err))
	case exists && !isDir:
		return proto.Failf(proto.ExitSyntax, "The backup-dir is not a directory: %s", pl.shown)
	}
	if r.opt.Info(options.InfoBackup) > 0 {
		word := "backup_dir is"
		if !exists {
			word = "(new) backup_dir is"
		}
		r.report(proto.TagInfo, "%s %s", word, strings.TrimSuffix(pl.shown, "/"))
	}
	r.backups.to = &pl
	return nil
}

// isBackup reports whether a name is that of a backup made beside its file.
func (b *backups) isBackup(p string) bool {
	return b.to == nil && len(p) > len(b.opt.Suffix) && strings.HasSuffix(p, b.opt.Suffix)
}

// name is where the backup of p goes, and how messages call that place.
func (b *backups) name(p string) (root *rootfs.Root, name, shown string) {
	p += b.opt.Suffix
	if b.to == nil {
		return b.root, p, p
	}
	return b.to.root, b.to.path(p), b.to.show(p)
}

// keep makes a backup of p, if there is something. With move, or where it
// cannot be helped, p is gone then; else it still has its name, so that it can
// be replaced in one step (backup.c:make_backup).
func (b *backups) keep(p string, move bool) (moved bool, err error) {
	info, err := b.root.Lstat(p)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	root, name, shown := b.name(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.to != nil {
		if err := b.makeDirs(path.Dir(p)); err != nil {
			return false, err
		}
	}
	moved, err = b.take(root, p, name, move, info)
	inTheWay := errors.Is(err, syscall.EISDIR) || errors.Is(err, syscall.EEXIST) || errors.Is(err, syscall.ENOTEMPTY)
	if inTheWay && !b.dest.Spare {
		if err := root.RemoveAll(context.Background(), name, rootfs.RemoveOptions{}); err != nil {
			return false, err
		}
		moved, err = b.take(root, p, name, move, info)
	}
	if err == nil && b.opt.Info(options.InfoBackup) > 0 {
		b.report(proto.TagInfo, "backed up %s to %s", p, shown)
	}
	return moved, err
}

// take links or moves p to its backup's name, or copies it.
func (b *backups) take(root *rootfs.Root, p, name string, move bool, info rootfs.Info) (moved bool, err error) {
	inTheWay := func(err error) bool {
		return errors.Is(err, syscall.EISDIR) || errors.Is(err, syscall.EEXIST) || errors.Is(err, syscall.ENOTEMPTY)
	}
	if !move {
		err := root.ReplaceLinkFrom(b.root, p, name)
		if err == nil || inTheWay(err) {
			return false, err
		}
	}
	if move || info.IsRegular() {
		err := root.RenameFrom(b.root, p, name)
		if err == nil && info.Nlink > 1 {
			// Renaming to another name of the same file does nothing.
			if err := b.root.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return false, err
			}
		}
		if err == nil || inTheWay(err) {
			return err == nil, err
		}
	}
	return false, b.copy(root, p, name, info)
}

// copy is for another file system.
func (b *backups) copy(root *rootfs.Root, p, name string, info rootfs.Info) error {
	var err error
	switch {
	case info.IsRegular():
		return b.copyFile(root, p, name, b.metaOf(info))
	case info.IsSymlink():
		var target string
		if target, err = b.root.Readlink(p); err == nil {
			err = root.ReplaceSymlink(target, name)
		}
	default:
		err = root.ReplaceNode(name, info.Mode&filelist.ModeType|0o600, info.Rdev)
	}
	if err != nil {
		return err
	}
	return root.SetMetadata(name, b.metaOf(info))
}

// beforeReplacing keeps what is about to be replaced by something without
// data (generator.c:atomic_create).
func (g *generator) beforeReplacing(p string, exists bool) error {
	if !g.opt.Backup || !exists {
		return nil
	}
	_, err := g.backups.keep(p, false)
	return local("making a backup of", p, err)
}

// metaOf is the metadata that a copy of what is there gets.
func (r *receiver) metaOf(info rootfs.Info) rootfs.Meta {
	m := rootfs.Meta{Fields: rootfs.FieldMode | rootfs.FieldMtime, Mode: info.Perm(), Mtime: info.Mtime, MtimeNsec: info.MtimeNsec,
		UID: info.UID, GID: info.GID}
	if r.opt.Owner || r.opt.Group {
		m.Fields |= rootfs.FieldUID | rootfs.FieldGID
	}
	return m
}

// copyFile copies a regular file of the destination.
func (r *receiver) copyFile(root *rootfs.Root, p, name string, m rootfs.Meta) error {
	from, _, err := r.root.OpenRead(p, 0)
	if err != nil {
		return err
	}
	defer from.Close()
	err = r.fill(root, name, from, func(t *rootfs.Temp) error { return t.SetMetadata(m) })
	if err != nil {
		return err
	}
	return r.syncName(root, name) // before the file itself is written into, or replaced
}

// copyOf makes a backup of a file that is going to be written into.
func (b *backups) copyOf(p string) error {
	info, err := b.root.Lstat(p)
	if err != nil {
		return err
	}
	root, name, shown := b.name(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.to != nil {
		if err := b.makeDirs(path.Dir(p)); err != nil {
			return err
		}
	}
	if err := b.copyFile(root, p, name, b.metaOf(info)); err != nil {
		return err
	}
	if b.opt.Info(options.InfoBackup) > 0 {
		b.report(proto.TagInfo, "backed up %s to %s", p, shown)
	}
	return nil
}

func copyData(to io.Writer, from io.Reader) error {
	_, err := io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from}, make([]byte, 64*1024))
	return err
}

// makeDirs makes the folders that the backup of something in dir needs, with
// the permissions and owners of those in the destination
// (backup.c:copy_valid_path).
func (b *backups) makeDirs(dir string) error {
	if _, ok := b.made[dir]; ok {
		return nil
	}
	if dir == "." {
		if err := b.to.root.MkdirAll(b.to.dir, 0o777&^b.umask); err != nil {
			return err
		}
		b.made[dir] = struct{}{}
		return nil
	}
	if err := b.makeDirs(path.Dir(dir)); err != nil {
		return err
	}
	name := b.to.path(dir)
	err := b.to.root.Mkdir(name, 0o700)
	if errors.Is(err, fs.ErrExist) {
		info, statErr := b.to.root.Lstat(name)
		if statErr != nil || info.IsDir() {
			b.made[dir] = struct{}{}
			return statErr
		}
		if b.dest.Spare {
			return &fs.PathError{Op: "make a folder for backups", Path: name, Err: syscall.ENOTDIR}
		}
		// an older backup, of a file
		if err = b.to.root.Remove(name); err == nil {
			err = b.to.root.Mkdir(name, 0o700)
		}
	}
	if err != nil {
		return err
	}
	b.made[dir] = struct{}{}
	info, err := b.root.Lstat(dir)
	if err != nil {
		return nil // the file's folder is going, too
	}
	m := b.metaOf(info)
	m.Fields &^= rootfs.FieldMtime
	return b.to.root.SetMetadata(name, m)
}
