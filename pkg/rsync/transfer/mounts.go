package transfer

import (
	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

// aloof tells file systems apart for --one-file-system, which keeps deletions
// from what is mounted below the destination.
type aloof struct {
	top   uint64 // device of the last top folder
	known bool
}

// elsewhere reports whether a folder of the list is on another file system than
// the top folder before it: nothing is deleted there (generator.c:delete_in_dir).
func (g *generator) elsewhere(e *filelist.Entry, p string) bool {
	if g.opt.OneFileSystem == 0 {
		return false
	}
	info, exists, err := g.lookupEntry(e, p)
	if err != nil || !exists {
		return false // there is nothing to delete either
	}
	if e.Mark&filelist.MarkTopDir != 0 || !g.aloof.known {
		g.aloof = aloof{top: info.Dev, known: true}
	}
	return info.Dev != g.aloof.top
}

// mountedIn gives a test of what is found in a folder: whether another file
// system is mounted there that is to be spared.
func (g *generator) mountedIn(dir string) func(rootfs.Info) bool {
	if g.opt.OneFileSystem == 0 {
		return func(rootfs.Info) bool { return false }
	}
	here, err := g.root.Lstat(dir)
	if err == nil && here.IsSymlink() { // --keep-dirlinks
		here, err = g.root.Stat(dir)
	}
	return func(in rootfs.Info) bool { return in.IsDir() && (err != nil || in.Dev != here.Dev) }
}

// spareMounts takes mount points out of what is to be deleted, and tells of them.
func (g *generator) spareMounts(doomed []victim) []victim {
	if g.opt.OneFileSystem == 0 {
		return doomed
	}
	left := doomed[:0]
	for _, v := range doomed {
		if !v.mount {
			left = append(left, v)
		} else if g.opt.Info(options.InfoMount) > 0 {
			g.report(proto.TagInfo, "cannot delete mount point: %s", v.path)
		}
	}
	return left
}
