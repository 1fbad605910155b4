package transfer

import (
	"errors"
	"io/fs"
	"syscall"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

// remove deletes a file, or a folder with all that is in it, and tells of
// each; true if it is gone (delete.c:delete_item). Errors with files are
// reported; an error returned ends the run.
func (g *generator) remove(v victim) (bool, error) {
	if v.isDir() {
		if emptied, err := g.empty(v.path); err != nil || !emptied {
			return false, err
		}
	}
	return g.removeOne(v, true)
}

func (v victim) isDir() bool { return v.mode&filelist.ModeType == filelist.ModeDir }

// empty deletes what is in a folder (delete.c:delete_dir_contents).
func (g *generator) empty(dir string) (bool, error) {
	if open, err := g.search(dir); !open {
		return false, err
	}
	infos, err := g.root.ReadDirInfo(dir)
	if errors.Is(err, syscall.EACCES) && g.root.SetMetadata(dir, rootfs.Meta{Fields: rootfs.FieldMode, Mode: 0o700}) == nil {
		infos, err = g.root.ReadDirInfo(dir) // ours, but closed to us
	}
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			g.failFile("opendir %q failed: %v", dir, reason(err))
		}
		return errors.Is(err, fs.ErrNotExist), nil
	}
	all := true
	inside := make([]victim, 0, len(infos))
	mounted := g.mountedIn(dir)
	for _, in := range infos {
		v := victim{path: dir + "/" + in.Name, mode: in.Mode}
		if mounted(in.Info) {
			all = false
		} else if g.protected(v.path, v.isDir(), true) {
			all = false
		} else {
			inside = append(inside, v)
		}
	}
	g.sortVictims(inside)
	for _, v := range inside {
		if v.isDir() {
			emptied, err := g.empty(v.path)
			if err != nil {
				return false, err
			}
			all = all && emptied
		}
		gone, err := g.removeOne(v, true)
		if err != nil {
			return false, err
		}
		all = all && gone
	}
	if !all {
		g.report(proto.TagInfo, "cannot delete non-empty directory: %s", dir)
	}
	return all, nil
}

// removeOne deletes a file or an empty folder. What only makes way for
// something else (not told) is neither counted nor shown.
func (g *generator) removeOne(v victim, told bool) (bool, error) {
	if told && !v.temp && g.atLimit() {
		return false, nil
	}
	if !g.opt.DryRun {
		if !v.temp { // our own leftovers are no change
			if err := g.beforeChange(); err != nil {
				return false, err
			}
		}
		if err := g.unlink(v); err != nil {
			if v.isDir() && errors.Is(err, syscall.ENOTEMPTY) {
				g.report(proto.TagInfo, "cannot delete non-empty directory: %s", v.path)
				return false, nil
			}
			if !errors.Is(err, fs.ErrNotExist) {
				g.failFile("delete of %q failed: %v", v.path, reason(err))
				return false, nil
			}
			return true, nil
		}
	}
	if told && !v.temp {
		g.tellDeleted(v.path, v.mode)
	}
	return true, g.flushNow() // a folder with much in it takes long, and few messages can wait
}

// unlink removes one name, with --backup after it has been kept.
func (g *generator) unlink(v victim) error {
	if g.opt.Backup && !v.isDir() && !v.temp && !g.backups.isBackup(v.path) {
		if moved, err := g.backups.keep(v.path, true); err != nil || moved {
			return err
		}
	}
	return g.root.Remove(v.path)
}

// atLimit reports whether --max-delete forbids one more.
func (g *generator) atLimit() bool {
	if !g.opt.MaxDelete.Set || int64(g.stats.Deleted) < max(g.opt.MaxDelete.Value, 0) {
		return false
	}
	g.skippedDeletes++
	return true
}

// tellLimit says how much --max-delete has left (generator.c:generate_files).
func (g *generator) tellLimit() {
	if g.skippedDeletes > 0 {
		g.setIOError(proto.IOErrDelLimit)
		g.report(proto.TagWarning, "Deletions stopped due to --max-delete limit (%d skipped)", g.skippedDeletes)
	}
}

// kind is the place of a type in counts of deletions (main.c:write_del_stats).
func kind(mode uint32) int {
	e := filelist.Entry{Mode: mode}
	switch {
	case e.IsDir():
		return 1
	case e.IsLink():
		return 2
	case e.IsDevice():
		return 3
	case e.IsSpecial():
		return 4
	}
	return 0
}

// tellDeleted counts a deletion and tells of it (log.c:log_delete).
func (g *generator) tellDeleted(p string, mode uint32) {
	g.stats.Deleted++
	g.stats.DeletedKinds[kind(mode)]++
	g.obs.Deleted(p, mode)
	switch {
	case !g.Server:
	case g.opt.Info(options.InfoDel) == 0 && g.opt.LogFormat == "":
	case !g.Caps.DeletedMessages && kind(mode) == 1:
		g.say(proto.TagInfo, "deleting "+p+"/")
	case !g.Caps.DeletedMessages:
		g.say(proto.TagInfo, "deleting "+p)
	case kind(mode) == 1:
		g.W.Message(proto.TagDeleted, append([]byte(g.Charset.TextToWire(p)), 0))
	default:
		g.W.Message(proto.TagDeleted, []byte(g.Charset.TextToWire(p)))
	}
}

// makeWay removes what stands in the place of something of another type. A
// folder with something in it goes only if deletions are asked for.
func (g *generator) makeWay(p string, have rootfs.Info, what string) (bool, error) {
	v := victim{path: p, mode: have.Mode}
	gone := true
	if v.isDir() {
		var err error
		if g.opt.Delete != options.DeleteNone || g.opt.Force {
			gone, err = g.empty(p)
		} else {
			gone, err = g.isEmpty(p), nil
		}
		if err != nil {
			return false, err
		}
	}
	if gone {
		var err error
		if gone, err = g.removeOne(v, false); err != nil {
			return false, err
		}
	}
	if !gone {
		g.failFile("could not make way for new %s: %s", what, p)
	}
	return gone, nil
}

// isEmpty looks into a folder that may only go if it is empty.
func (g *generator) isEmpty(p string) bool {
	names, err := g.root.ReadDir(p)
	if err != nil || len(names) == 0 {
		return true // removing it will tell
	}
	g.report(proto.TagInfo, "cannot delete non-empty directory: %s", p)
	return false
}
