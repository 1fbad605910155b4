package transfer

import (
	"os"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/filelist"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

const anyExec = 0o111

// openFlags is how files are opened for reading.
func (c *common) openFlags() rootfs.OpenFlags {
	var flags rootfs.OpenFlags
	if c.opt.OpenNoatime || c.opt.Atimes > 1 {
		flags |= rootfs.NoAtime
	}
	if c.sending && c.opt.CopyDevices {
		flags |= rootfs.AllowDevices
	}
	if c.sending && c.follows() {
		flags |= rootfs.Follow
	}
	return flags
}

// adopt makes an entry that has just come what this side takes it for.
func (r *receiver) adopt(e *filelist.Entry) {
	if r.Chmod != nil && !e.IsLink() {
		e.Mode = r.Chmod.Apply(e.Mode)
	}
	if r.TrimLinks && e.IsLink() {
		depth := 0
		if e.Dir != "" {
			depth = 1 + strings.Count(e.Dir, "/")
		}
		e.SetTarget(trimLink(e.Target(), depth)) // flist.c:recv_file_entry
	}
}

// permsDiffer reports whether a file's permissions are told as changed
// (generator.c:itemize).
func (g *generator) permsDiffer(e *filelist.Entry, have uint32) bool {
	switch {
	case e.IsLink():
		return false
	case g.opt.Perms:
		return (e.Mode^have)&filelist.ModePerm != 0
	}
	return g.opt.Executability && (e.Mode&anyExec != 0) != (have&anyExec != 0)
}

// mode returns the permission bits that an entry gets here (rsync.c:dest_mode,
// set_file_attrs).
func (r *receiver) mode(e *filelist.Entry, have rootfs.Info, exists bool) uint32 {
	mode := e.Mode & filelist.ModePerm
	switch {
	case r.opt.Perms:
	case !exists:
		mode = e.Mode & 0o777 &^ r.umask
	default:
		mode = have.Perm()
		if r.opt.Executability && e.IsRegular() {
			mode = executable(mode, e.Mode&anyExec != 0)
		}
	}
	if r.ChmodAll {
		mode = r.Chmod.Apply(e.Mode&filelist.ModeType|mode) & filelist.ModePerm
	}
	return mode
}

// executable lets all execute a file who may read it, unless somebody may
// already, or nobody.
func executable(mode uint32, on bool) uint32 {
	switch {
	case !on:
		return mode &^ anyExec
	case mode&anyExec == 0:
		return mode | mode&0o444>>2
	}
	return mode
}

// mayMakeDevices reports whether device nodes are made here: by root, or as
// files that describe them.
func (r *receiver) mayMakeDevices() bool {
	return r.opt.Super == options.SuperFake || r.opt.Super.Root(os.Geteuid() == 0)
}
