package transfer

import (
	"os"
	"path"
	"strings"
	"sync"

	"github.com/empegsync/empegsync/pkg/rsync/acl"
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
	return g.opt.Executability && !e.IsDevice() && !e.IsSpecial() && (e.Mode&anyExec != 0) != (have&anyExec != 0)
}

// mode returns the permission bits that an entry gets here (rsync.c:dest_mode,
// set_file_attrs).
func (r *receiver) mode(e *filelist.Entry, have rootfs.Info, exists bool) uint32 {
	mode := e.Mode & filelist.ModePerm
	switch {
	case r.opt.Perms:
	case !exists:
		mode = e.Mode & r.defaults.of(path.Dir(r.path(e)))
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

// defaults knows the permissions that new files may have: what the folder's
// default access control list says, else what the umask leaves
// (acls.c:default_perms_for_dir). Both goroutines use it.
type defaults struct {
	*receiver
	mu    sync.Mutex
	known map[string]uint32
}

// mostDefaults bounds what is remembered, folders that are worked on at a time.
const mostDefaults = 64

func (d *defaults) of(dir string) uint32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	perms, ok := d.known[dir]
	if ok {
		return perms
	}
	if d.known == nil || len(d.known) >= mostDefaults {
		d.known = map[string]uint32{}
	}
	perms = 0o777 &^ d.umask
	a, err := d.root.OpenAttrs(dir, 0)
	if err != nil {
		return perms // it is not there yet
	}
	defer a.Close()
	if b, err := a.Get(acl.Default); err == nil {
		if l, err := acl.Parse(b); err == nil && l.User != acl.None {
			perms = l.Perms()
		}
	}
	d.known[dir] = perms
	return perms
}
