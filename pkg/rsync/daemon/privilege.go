package daemon

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/empegsync/empegsync/pkg/rsync/conf"
	"github.com/empegsync/empegsync/pkg/rsync/rootfs"
)

// jail says where a module's worker is locked up.
type jail struct {
	dir    string // "" for nowhere
	expend bool   // go on without, if it cannot be done
	inner  bool   // the module is a folder inside, not all of it
}

// jailOf reads "use chroot" and the "/./" of a path. Without a word about it a
// daemon that can lock workers up tries to (clientserver.c:rsync_module).
func jailOf(m *conf.Module, able bool) jail {
	outer, inner, divided := strings.Cut(m.Path, "/./")
	j := jail{dir: path.Clean("/" + outer), inner: divided && path.Clean("/"+inner) != "/"}
	switch {
	case m.UseChroot == conf.Yes || m.UseChroot == conf.Unset && divided:
		return j
	case m.UseChroot == conf.Unset && able:
		j.expend = true
		return j
	}
	return jail{}
}

// partOfAll reports whether there is more than the module where a link in it
// can lead.
func (j jail) partOfAll(m *conf.Module) bool { return j.inner || j.dir == "" && m.Path != "/" }

// lockUp makes dir the root of this process's file system.
func lockUp(dir string, by rootfs.Operator) error {
	f, err := by.OpenFile(dir, os.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return fmt.Errorf("chroot %s: %w", dir, err)
	}
	defer f.Close()
	if err = f.Chdir(); err == nil {
		err = syscall.Chroot(".")
	}
	if back := syscall.Chdir("/"); err == nil {
		return back
	}
	return fmt.Errorf("chroot %s: %w", dir, err)
}

// become gives up root for the module's user, for good, and everything else
// that the session does not need (clientserver.c:rsync_module).
func (j Job) become(log *slog.Logger) *switchError {
	fence := newFence(j.Module.Path)
	defer fence.close()
	if j.Chroot != "" {
		switch err := lockUp(j.Chroot, operator(&j.Module)); {
		case err != nil && j.ChrootTry:
			log.Warn("the session goes on without a chroot", "err", err)
		case err != nil:
			return &switchError{"chroot", err.Error()}
		}
	}
	if err := j.change(); err != nil {
		return err
	}
	// What follows is a second lock on doors that are closed already. Where the
	// kernel has no such lock, or this binary cannot reach all its threads
	// (with cgo), the first one has to do.
	if err := allThreads(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0); err != nil {
		return nil
	}
	if err := fence.enforce(); err != nil {
		log.Warn("the session goes on without landlock", "err", err)
	}
	if j.UID == 0 {
		if err := dropCapabilities(); err != nil {
			log.Warn("the session keeps root's capabilities", "err", err)
		}
	}
	return nil
}

// change takes on the user and the groups.
func (j Job) change() *switchError {
	groups := []int{int(j.GID)}
	if len(j.Groups) > 0 {
		groups = groups[:0]
	}
	for _, g := range j.Groups {
		groups = append(groups, int(g))
	}
	if err := syscall.Setgroups(groups); err != nil {
		return &switchError{"setgroups", fmt.Sprintf("setgroups %v: %v", groups, err)}
	}
	if err := syscall.Setgid(int(j.GID)); err != nil {
		return &switchError{"setgid", fmt.Sprintf("setgid %d: %v", j.GID, err)}
	}
	if err := syscall.Setuid(int(j.UID)); err != nil {
		return &switchError{"setuid", fmt.Sprintf("setuid %d: %v", j.UID, err)}
	}
	return nil
}

// allThreads makes a system call on each thread of this process.
func allThreads(trap, a1, a2, a3 uintptr) error {
	_, _, errno := syscall.AllThreadsSyscall6(trap, a1, a2, a3, 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// keptCapabilities are what root needs for moving files. chroot is not among
// them: with it, root could leave one.
const keptCapabilities = 1<<unix.CAP_CHOWN | 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_DAC_READ_SEARCH | 1<<unix.CAP_FOWNER |
	1<<unix.CAP_FSETID | 1<<unix.CAP_MKNOD | 1<<unix.CAP_SETFCAP

// dropCapabilities gives up the rest.
func dropCapabilities() error {
	var low uint64 = keptCapabilities
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := [2]unix.CapUserData{
		{Effective: uint32(low), Permitted: uint32(low)},
		{Effective: uint32(low >> 32), Permitted: uint32(low >> 32)},
	}
	return allThreads(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&head)), uintptr(unsafe.Pointer(&data)), 0)
}

// fence is a landlock ruleset: below the module's folder everything that its
// user may do, elsewhere nothing, but for the names of users and groups.
type fence struct {
	fds    []int // the folder's first
	rights uint64
}

// landlockRights are the rights that landlock knows about, by its version. The
// first one forbade renames from folder to folder and is left alone.
func landlockRights(version int) uint64 {
	switch {
	case version < 2:
		return 0
	case version < 3:
		return 1<<14 - 1
	case version < 5:
		return 1<<15 - 1
	}
	return 1<<16 - 1
}

// newFence opens what is to stay in reach, before it is out of reach.
func newFence(dir string) *fence {
	version, _, errno := syscall.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return &fence{}
	}
	f := &fence{rights: landlockRights(int(version))}
	if f.rights == 0 {
		return f
	}
	for _, name := range []string{dir, "/etc/passwd", "/etc/group"} {
		fd, err := unix.Open(name, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			fd = -1
		}
		f.fds = append(f.fds, fd)
	}
	return f
}

func (f *fence) close() {
	for _, fd := range f.fds {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
}

// enforce confines this process. The kernel must have been told before that it
// will never gain a privilege.
func (f *fence) enforce() error {
	if f.rights == 0 {
		return nil
	}
	if f.fds[0] < 0 {
		return errors.New("the module's folder cannot be opened for it")
	}
	attr := struct{ fs uint64 }{f.rights}
	set, _, errno := syscall.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0)
	if errno != 0 {
		return os.NewSyscallError("landlock_create_ruleset", errno)
	}
	defer unix.Close(int(set))
	for i, fd := range f.fds {
		if fd < 0 {
			continue
		}
		rights := f.rights
		if i > 0 {
			rights = unix.LANDLOCK_ACCESS_FS_READ_FILE
		}
		if err := allow(int(set), fd, rights); err != nil {
			return err
		}
	}
	return os.NewSyscallError("landlock_restrict_self", allThreads(unix.SYS_LANDLOCK_RESTRICT_SELF, set, 0, 0))
}

// allow adds a rule. The kernel's struct is packed: 8 bytes of rights, 4 of the
// descriptor.
func allow(set, fd int, rights uint64) error {
	var rule [12]byte
	*(*[8]byte)(rule[:8]) = *(*[8]byte)(unsafe.Pointer(&rights))
	n := int32(fd)
	*(*[4]byte)(rule[8:]) = *(*[4]byte)(unsafe.Pointer(&n))
	_, _, errno := syscall.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(set), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule)), 0, 0, 0)
	if errno != 0 {
		return os.NewSyscallError("landlock_add_rule", errno)
	}
	return nil
}
